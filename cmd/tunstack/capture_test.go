package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const kernelCapture = "../../trace/replay/testdata/kernel.pcap"

// Wrong arguments give a usage error, and a missing file or stack gives a failure. Each prints one line.
func TestCaptureAndReplayErrors(t *testing.T) {
	noStack(t)
	bad := filepath.Join(t.TempDir(), "bad.pcapng")
	require.NoError(t, os.WriteFile(bad, []byte("nothing of the kind"), 0o600))
	for _, tt := range []struct {
		line    string
		status  int
		message string
	}{
		{"capture port http or ftpx", exitUsage, `filter: "ftpx" is not a port`},
		{"capture tcp and", exitUsage, "filter: syntax error: unexpected end of the expression"},
		{"capture -c -1", exitUsage, "-c -1: the count must be at least 1"},
		{"capture", exitFailure, "no stack is running behind"},
		{"capture -r no/such.pcap", exitFailure, "no such file"},
		{"capture -r " + bad, exitFailure, "not a pcap or pcapng file"},
		{"capture -w no/such/file.pcap -r " + kernelCapture, exitFailure, "no such file"},
		{"replay", exitUsage, "usage: tunstack replay FILE"},
		{"replay --conn x f", exitUsage, `--conn: invalid endpoint "x"`},
		{"replay --as : f", exitUsage, `--as: invalid endpoint ":"`},
		{"replay --tolerance -1s f", exitUsage, "--tolerance -1s: it must not be negative"},
		{"replay no/such.pcap", exitFailure, "no such file"},
		{"replay " + bad, exitFailure, "not a pcap or pcapng file"},
		{"replay --conn :99 " + kernelCapture, exitFailure, "no TCP connection was recorded from its SYN on"},
	} {
		t.Run(tt.line, func(t *testing.T) { requireOneLine(t, tunstack("", strings.Fields(tt.line)...), tt.status, tt.message) })
	}
}

// A file is shown, filtered, saved and replayed without a stack.
func TestCaptureAndReplayFile(t *testing.T) {
	noStack(t)
	r := tunstack("", "capture", "-r", kernelCapture, "-c", "2", "tcp[tcpflags] & tcp-push != 0")
	require.Zero(t, r.status, r.err)
	require.Equal(t, 2, strings.Count(r.out, "Flags [P.], seq "), r.out)

	saved := filepath.Join(t.TempDir(), "saved.pcapng")
	require.Zero(t, tunstack("", "capture", "-r", kernelCapture, "-w", saved).status)
	require.Equal(t, tunstack("", "capture", "-r", kernelCapture), tunstack("", "capture", "-r", saved))
	piped := tunstack("", "capture", "-r", kernelCapture, "-w", "-")
	b, err := os.ReadFile(saved)
	require.NoError(t, err)
	require.Equal(t, string(b), piped.out)

	r = tunstack("", "replay", saved)
	require.Zero(t, r.status, r.err)
	require.Contains(t, r.out, " 0 differ (~), 0 only recorded (-), ")
}

// A connection of IPv6 is selected by its end in brackets.
func TestReplayFileOfIPv6(t *testing.T) {
	noStack(t)
	const file = "../../trace/replay/testdata/kernel6.pcapng"
	r := tunstack("", "replay", "--conn", "[fd00::2]:1414", file)
	require.Zero(t, r.status, r.err)
	require.Regexp(t, `^\[fd00::2\]:1414 is played anew; \[fd00::1\]:\d+ as recorded\n`, r.out)
	require.Contains(t, r.out, " 0 differ (~), 0 only recorded (-), ")
	requireOneLine(t, tunstack("", "replay", file), exitFailure, "from [fd00::1]:")
}
