package services

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/tcp/sim/knock"
)

func TestKnockPrintsNoControls(t *testing.T) { // SEC-041
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		b := make([]byte, 100)
		server.Read(b)
		io.WriteString(server, "Who's \x1b[2Jthere?\n")
	}()
	var out strings.Builder
	require.Error(t, Knock(client, knock.Joke{Name: "Boo", PunchLine: "Don't cry"}, &out))
	require.Contains(t, out.String(), `server: Who's \x1b[2Jthere?`)
	require.NotContains(t, out.String(), "\x1b")
}
