package tun

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/race"
)

// requireNoAllocs fails the test if f allocates in steady state.
func requireNoAllocs(t *testing.T, f func()) {
	t.Helper()
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	f()
	require.Zero(t, testing.AllocsPerRun(1000, f))
}
