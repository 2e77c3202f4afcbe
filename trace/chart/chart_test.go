package chart

import (
	"bytes"
	"image/png"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
	"tunstack/trace/scenario"
)

// A simulated joke is plotted in both formats, and identically each time.
func TestWrite(t *testing.T) {
	var records []trace.Record
	world := scenario.New(scenario.Config{Seed: 1, Delay: 5 * time.Millisecond, Drop: []int{2, 7}, Watch: func(end int, r trace.Record) {
		if end == 1 {
			records = append(records, r)
		}
	}})
	require.NoError(t, world.Run(10_000))
	s := trace.SeriesOf(records)
	require.Len(t, s.Resent, 2)
	require.Equal(t, float64(len("Who's there?\r\n")), peak(s.Flight[:5]))
	require.NotEmpty(t, s.Cwnd)
	require.NotEmpty(t, s.RTT)
	require.InDelta(t, 0.01, s.RTT[0].Value, 1e-9)
	require.Less(t, s.Goodput[len(s.Goodput)-1].At, 4*time.Second, "TIME-WAIT is not plotted")

	var svg, again, picture bytes.Buffer
	require.NoError(t, Write(&svg, "svg", "a joke", Connection{Series: s}))
	require.NoError(t, Write(&again, "svg", "a joke", Connection{Series: s}))
	require.Equal(t, svg.String(), again.String())
	for _, text := range []string{"a joke", "cwnd", "retransmitted (2)", "RTT, ms", "goodput, Mbit/s"} {
		require.Contains(t, svg.String(), ">"+text+"<")
	}
	require.NoError(t, Write(&picture, "png", "a joke", Connection{Series: s}))
	_, err := png.Decode(&picture)
	require.NoError(t, err)
	require.Error(t, Write(&picture, "bmp", "a joke", Connection{Series: s}))
}

func peak(points []trace.Point) (top float64) {
	for _, p := range points {
		top = max(top, p.Value)
	}
	return top
}

// Odd values in a file do not break its plot.
func TestOddSeries(t *testing.T) {
	const most = 1 << 63
	for name, s := range map[string]trace.Series{
		"nothing":      {},
		"one moment":   {Cwnd: []trace.Point{{At: 0, Value: 1}}, Flight: []trace.Point{{At: 0, Value: 0}}, Resent: []time.Duration{0}},
		"all at zero":  {RTT: []trace.Point{{At: 0, Value: 0}}, Goodput: []trace.Point{{At: 0, Value: 0}, {At: 1, Value: 0}}},
		"huge numbers": {Cwnd: []trace.Point{{At: 0, Value: -most}, {At: most - 1, Value: most}}, RTT: []trace.Point{{At: most - 1, Value: most}}},
		"below zero":   {Flight: []trace.Point{{At: 0, Value: -2}, {At: 1, Value: -1}}},
	} {
		require.NoError(t, Write(io.Discard, "svg", name, Connection{Series: s}), name)
		require.NoError(t, Write(io.Discard, "png", name, Connection{Series: s}), name)
	}
}
