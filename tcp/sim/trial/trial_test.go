package trial

import (
	"testing"

	"github.com/stretchr/testify/require"
)

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
