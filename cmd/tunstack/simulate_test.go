package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The pictures of the README are up to date with their commands.
func TestPictures(t *testing.T) {
	noStack(t)
	source, err := os.ReadFile("simulate.go")
	require.NoError(t, err)
	generate := regexp.MustCompile(`(?m)^//go:generate go run \. (.+) (\S+)$`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, generate, 2)
	for _, g := range generate {
		made := filepath.Join(t.TempDir(), filepath.Base(g[2]))
		require.Equal(t, result{}, tunstack("", append(strings.Fields(g[1]), made)...))
		got, err := os.ReadFile(made)
		require.NoError(t, err)
		want, err := os.ReadFile(g[2])
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s differs from the output of %q; run go generate", g[2], g[1])
	}
}

// A simulated joke is drawn like any connection, and can be saved.
func TestTraceSimulation(t *testing.T) {
	noStack(t)
	ladder := tunstack("", "trace", "--sim", "--seed", "7")
	require.Equal(t, 0, ladder.status, ladder.err)
	require.Regexp(t, `(?s)^ +10\.0\.0\.2:1414 +10\.0\.0\.1:40000\n.* LISTEN .*Knock knock.* TIME-WAIT .* CLOSED `, ladder.out)

	records := tunstack("", "trace", "--sim", "--seed", "7", "--json")
	require.Equal(t, 0, records.status, records.err)
	require.True(t, json.Valid([]byte(strings.SplitN(records.out, "\n", 2)[0])))
	saved := filepath.Join(t.TempDir(), "joke.jsonl")
	require.NoError(t, os.WriteFile(saved, []byte(records.out), 0o644))
	require.Equal(t, ladder, tunstack("", "trace", saved))
}

// With -6 the connection is one of IPv6.
func TestTraceSimulation6(t *testing.T) {
	noStack(t)
	ladder := tunstack("", "trace", "--sim", "-6")
	require.Equal(t, 0, ladder.status, ladder.err)
	require.Regexp(t, `^ +\[fd00::2\]:1414 +\[fd00::1\]:40000\n`, ladder.out)
}

// A wire that loses everything does not cause an endless loop.
func TestTraceOfLoss(t *testing.T) {
	noStack(t)
	picture := filepath.Join(t.TempDir(), "joke.svg")
	requireOneLine(t, tunstack("", "trace", "--sim", "--loss", "1", "--svg", picture), exitFailure, "no connection in the trace")
}
