package trace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
)

// The data for a plot of a loss that SACK repairs: flight without the bytes acknowledged selectively, the recovery from its first to its
// last record, a recovery that is not over, and a goodput that counts each byte once.
func TestSeriesOfALoss(t *testing.T) {
	const ms = time.Millisecond
	s := trace.SeriesOf([]trace.Record{
		{At: 5 * ms, Kind: trace.Out, Vars: trace.Vars{CAState: "open", Cwnd: 4000, Flight: 4000}},
		{At: 105 * ms, Kind: trace.In, Vars: trace.Vars{CAState: "recovery", Cwnd: 2000, Ssthresh: 2000, Flight: 4000, Sacked: 3000}},
		{At: 155 * ms, Kind: trace.Out, Why: "retransmission", Vars: trace.Vars{CAState: "recovery", Cwnd: 2000, Ssthresh: 2000, Flight: 4000, Sacked: 3000}},
		{At: 205 * ms, Kind: trace.In, Vars: trace.Vars{CAState: "open", Cwnd: 2000, Ssthresh: 2000, Acked: 4000}},
		{At: 305 * ms, Kind: trace.Fired, Vars: trace.Vars{CAState: "loss", Cwnd: 2000, Ssthresh: 2000, Acked: 4000}},
	})
	require.Equal(t, []trace.Point{{0, 4000}, {100 * ms, 1000}, {200 * ms, 0}, {300 * ms, 0}}, s.Flight)
	require.Equal(t, []trace.Span{{100 * ms, 200 * ms}, {300 * ms, 300 * ms}}, s.Recoveries)
	require.Equal(t, []time.Duration{150 * ms}, s.Resent)
	total := 0.0
	for i, p := range s.Goodput[:len(s.Goodput)-1] {
		total += p.Value * (s.Goodput[i+1].At - p.At).Seconds()
	}
	require.InDelta(t, 4000, total, 0.1)
}
