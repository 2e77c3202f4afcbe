package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/cmd/internal/control"
	"tunstack/dns"
	"tunstack/services"
	"tunstack/socketapi"
)

// result is the result of a command.
type result struct {
	status   int
	out, err string
}

// tunstack runs a command line with input as its standard input.
func tunstack(input string, args ...string) result {
	var out, err bytes.Buffer
	status := run(args, streams{strings.NewReader(input), &out, &err})
	return result{status, out.String(), err.String()}
}

// startLoopback runs a node with only a loopback, with all services, and sets its socket for the commands.
func startLoopback(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.sock")
	t.Setenv(control.Env, path)
	l, err := control.Listen(path)
	require.NoError(t, err)
	n := &node{}
	hosts := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(hosts, []byte("127.0.0.1 localhost me\n::1 localhost\n"), 0o600))
	n.stack, err = socketapi.New(socketapi.Config{DNS: dns.Config{Hosts: hosts}})
	require.NoError(t, err)
	n.onClose(n.stack.Close)
	all, err := services.Pick(offered(n.counted(nil), upConfig{}), "all")
	require.NoError(t, err)
	running, err := services.Start(n.stack, all)
	require.NoError(t, err)
	n.onClose(func() error { running.Close(); return nil })
	n.startControl(l, upConfig{}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { require.NoError(t, n.close()) })
}

// noStack sets a control socket without a stack for the commands.
func noStack(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.sock")
	t.Setenv(control.Env, path)
	return path
}

// failing is a command line that fails, and a part of the line that it prints.
type failing struct{ line, message string }

// requireFailures requires of each command what requireOneLine does, and of a usage error that it names the help.
func requireFailures(t *testing.T, status int, all ...failing) {
	t.Helper()
	for _, f := range all {
		t.Run(f.line, func(t *testing.T) {
			r := tunstack("hello", strings.Fields(f.line)...)
			requireOneLine(t, r, status, f.message)
			require.Equal(t, status == exitUsage, strings.HasSuffix(r.err, "--help)\n"), r.err)
		})
	}
}

// requireOneLine requires that a command failed with status and one line that contains message, and printed nothing else.
func requireOneLine(t *testing.T, r result, status int, message string) {
	t.Helper()
	require.Equal(t, status, r.status, r.err)
	require.Empty(t, r.out)
	require.True(t, strings.HasPrefix(r.err, "tunstack: "), r.err)
	require.Equal(t, 1, strings.Count(r.err, "\n"), r.err)
	require.Contains(t, r.err, message)
}
