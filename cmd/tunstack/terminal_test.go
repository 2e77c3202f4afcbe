package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/escape"
)

func TestTextForATerminal(t *testing.T) { // SEC-041
	var pipe strings.Builder
	out, flush := forText(&pipe)
	_, err := out.Write([]byte("\x1b\r"))
	require.NoError(t, err)
	require.NoError(t, flush())
	require.Equal(t, "\x1b\r", pipe.String(), "another program gets the bytes as they are")

	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("missing: ", err)
	}
	defer terminal.Close()
	out, _ = forText(terminal)
	require.IsType(t, new(escape.Writer), out)
}
