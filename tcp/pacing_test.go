package tcp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
)

// TCP-240: with each congestion control the sender reaches the rate that the user allows and does not exceed it, also after a change.
func TestPacingRateOfEveryAlgorithm(t *testing.T) {
	tcp.SkipBulk(t)
	for _, algorithm := range tcp.Algorithms {
		w := watch(path{mbit: 80, rtt: 20 * time.Millisecond, queue: 1}, tcp.Config{Congestion: algorithm})
		limit := func(rate uint64) {
			c := w.Ends[0].Conn
			p := c.Params()
			p.MaxPacingRate = rate
			c.SetParams(w.Now, &p)
		}
		run(w.Sim, time.Second)
		for _, mbit := range []int{8, 40, 1} {
			limit(uint64(mbit) * 125_000)
			run(w.Sim, w.Now+time.Second)
			require.InEpsilon(t, float64(mbit)/80, w.share(5*time.Second), 0.05, "%s at %d Mbit/s", algorithm, mbit)
			require.EqualValues(t, mbit*125_000, w.info().MaxPacingRate)
			require.LessOrEqual(t, w.info().PacingRate, uint64(mbit)*125_000)
		}
		limit(0)
		run(w.Sim, w.Now+5*time.Second)
		require.Greater(t, w.share(5*time.Second), 0.85, algorithm)
	}
}
