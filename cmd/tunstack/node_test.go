package main

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/tun"
)

// A node without its device returns an error, and nothing of it remains: the control socket can be opened again.
func TestStartWithoutDevice(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	cfg := upConfig{dev: tun.Config{Name: "x0", Driver: "none such"}, addr: netip.MustParsePrefix("10.0.0.2/24"), services: "all"}
	for range 2 {
		n, err := start(t.Context(), cfg, socket, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "none such")
		require.Nil(t, n)
	}
}

// The ready line has the stack's address, if it has one already.
func TestReadyLine(t *testing.T) {
	for _, tt := range []struct {
		addr netip.Prefix
		want string
	}{
		{netip.MustParsePrefix("2001:db8::2/64"), "ready tun0: the stack is 2001:db8::2/64\nbye\n"},
		{netip.Prefix{}, "ready tun0: the stack has no address yet\nbye\n"},
	} {
		var out strings.Builder
		(&node{dev: "tun0", addr: tt.addr}).announce(&out, upConfig{}, "", "bye")
		require.Equal(t, tt.want, out.String())
	}
}
