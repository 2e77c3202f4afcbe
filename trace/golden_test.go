package trace_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
	"tunstack/trace/scenario"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a drawing with a file of testdata.
func golden(t *testing.T, name string, draw func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	require.NoError(t, draw(&got))
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String(), "%s; -update writes it anew", path)
}

// server returns the records of the server of a joke.
func server(t *testing.T, cfg scenario.Config) []trace.Record {
	t.Helper()
	var records []trace.Record
	cfg.Delay = 5 * time.Millisecond
	cfg.Watch = func(end int, r trace.Record) {
		if end == 1 {
			records = append(records, r)
		}
	}
	require.NoError(t, scenario.New(cfg).Run(10_000))
	return records
}

// The ladder of a whole joke, in every form, from the SYN to CLOSED.
func TestLadder(t *testing.T) {
	l := trace.Draw(server(t, scenario.Config{Seed: 1}))
	golden(t, "dialogue.txt", func(w io.Writer) error { return trace.Style{}.Write(w, l) })
	golden(t, "dialogue.utf8", func(w io.Writer) error { return trace.Style{Unicode: true, Colour: true, Width: 120}.Write(w, l) })
	golden(t, "dialogue.svg", func(w io.Writer) error { return trace.WriteSVG(w, l) })
	golden(t, "dialogue.mmd", func(w io.Writer) error { return trace.WriteMermaid(w, l) })
}

// An address of IPv6 stands in brackets before its port, in every form.
func TestLadderOverIPv6(t *testing.T) {
	l := trace.Draw(server(t, scenario.Config{Seed: 1, IPv6: true}))
	for header, draw := range map[string]func(io.Writer) error{
		`^ +\[fd00::2\]:1414 +\[fd00::1\]:40000\n`:                                  func(w io.Writer) error { return trace.Style{}.Write(w, l) },
		`(?s)>\[fd00::2\]:1414<.*>\[fd00::1\]:40000<`:                               func(w io.Writer) error { return trace.WriteSVG(w, l) },
		`participant A as \[fd00::2\]:1414\n    participant B as \[fd00::1\]:40000`: func(w io.Writer) error { return trace.WriteMermaid(w, l) },
	} {
		var b bytes.Buffer
		require.NoError(t, draw(&b))
		require.Regexp(t, header, b.String())
		require.Contains(t, b.String(), "mss 1440")
	}
}

// Lost, retransmitted and dropped segments are marked.
func TestLadderOfTroubles(t *testing.T) {
	l := trace.Draw(server(t, scenario.Config{Seed: 1, Drop: []int{2, 7}}))
	golden(t, "troubles.txt", func(w io.Writer) error { return trace.Style{}.Write(w, l) })
	golden(t, "troubles.svg", func(w io.Writer) error { return trace.WriteSVG(w, l) })
	golden(t, "troubles.mmd", func(w io.Writer) error { return trace.WriteMermaid(w, l) })
}
