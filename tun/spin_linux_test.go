package tun

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// After a spin that found a packet the next wait spins, too; after spins without one, fewer and fewer waits do.
func TestSpinAdapts(t *testing.T) {
	looked, there := 0, false
	found := func() bool { looked++; return there }
	s := spinner{on: true}
	tries := func(waits int) (n int) {
		for range waits {
			looked = 0
			require.Equal(t, there && s.rest == 0, s.spin(found))
			if looked > 0 {
				n++
			}
		}
		return n
	}
	require.Equal(t, 8, tries(1+2+4+8+16+32+64+128))
	require.Equal(t, 2, tries(512), "once in 256")
	there = true
	require.Equal(t, 512-255, tries(512), "found")
	there = false
	require.Equal(t, 2, tries(3), "from the beginning")
	s.on = false
	require.Zero(t, tries(1000))
}

// One processor is left for the peers.
func TestSpinLeavesProcessor(t *testing.T) {
	require.False(t, newSpinner(1<<20).on)
	require.True(t, newSpinner(1).on, "which gives way where there is one in all")
}
