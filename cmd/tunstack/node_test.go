package main

import (
	"log/slog"
	"net/netip"
	"path/filepath"
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
