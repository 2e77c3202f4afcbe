package trial

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
)

// Both families are drawn, and no path of IPv6 carries less than 1280 bytes.
func TestFamilies(t *testing.T) {
	six := 0
	for seed := range uint64(100) {
		trial := Random(seed, 100)
		for i, e := range trial.flow.Ends {
			if e.Setup.NetHeader != tcp.IPv6Header {
				continue
			}
			six++
			require.GreaterOrEqual(t, e.Setup.MTU, leastMTU)
			for _, c := range trial.flow.Links[i].MTU {
				require.GreaterOrEqual(t, c.MTU, leastMTU)
			}
		}
	}
	require.Greater(t, six, 40)
	require.Less(t, six, 100)
}

// The seed alone repeats a run, to the last segment.
func TestSameSeedSameRun(t *testing.T) {
	run := func(seed uint64) string {
		ladder := NewLadder(50)
		trial := Random(seed, 100_000)
		trial.Sim.Hook = ladder.Record
		require.NoError(t, trial.Run())
		require.NotEmpty(t, trial.String())
		return ladder.String()
	}
	require.Equal(t, run(7), run(7))
	require.NotEqual(t, run(7), run(8))
}
