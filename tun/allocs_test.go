package tun

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// requireNoAllocs fails the test if f allocates in steady state.
func requireNoAllocs(t *testing.T, f func()) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	f()
	require.Zero(t, testing.AllocsPerRun(1000, f))
}
