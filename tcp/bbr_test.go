package tcp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
	"tunstack/tcp/sim"
)

// watched is a path with one endless transfer.
type watched struct {
	*sim.Sim
	transfer
	path
}

func watch(p path, cfg tcp.Config) *watched {
	w := &watched{Sim: sim.New(1, 0), path: p}
	forth, back := p.links()
	w.transfer = connect(w.Sim, 0, cfg, endless, forth, back)
	return w
}

// share runs for a time and returns the share of the bottleneck's rate that the transfer used.
func (w *watched) share(d time.Duration) float64 {
	before := w.dst.Got
	run(w.Sim, w.Now+d)
	return float64(w.dst.Got-before) / d.Seconds() / float64(w.rate())
}

func (w *watched) info() tcp.Info { return w.Ends[0].Conn.Info() }

// One loss in a hundred does not reduce BBR's rate.
func TestBBRBearsLosses(t *testing.T) {
	tcp.SkipBulk(t)
	p := path{mbit: 100, rtt: 20 * time.Millisecond, queue: 1, loss: 0.01}
	share := func(algorithm string) float64 {
		w := watch(p, tcp.Config{Congestion: algorithm})
		run(w.Sim, 5*time.Second)
		return w.share(20 * time.Second)
	}
	require.Greater(t, share("bbr"), 0.7)
	require.Less(t, share("cubic"), 0.15)
}

// BBR uses the path and leaves a long queue empty. CUBIC fills any queue.
func TestBBRKeepsQueueShort(t *testing.T) {
	tcp.SkipBulk(t)
	p := path{mbit: 50, rtt: 40 * time.Millisecond, queue: 8}
	roundTrip := func(algorithm string) (mean time.Duration) {
		w := watch(p, tcp.Config{Congestion: algorithm})
		run(w.Sim, 10*time.Second)
		var used float64
		for range 100 {
			used += w.share(100*time.Millisecond) / 100
			mean += w.info().RTT / 100
		}
		require.Greater(t, used, 0.85, algorithm)
		return mean
	}
	require.Less(t, roundTrip("bbr"), 50*time.Millisecond)
	require.Greater(t, roundTrip("cubic"), 200*time.Millisecond)
}

// The model follows a path whose rate falls, whose rate rises, and whose round-trip time grows.
func TestBBRFollowsPath(t *testing.T) {
	tcp.SkipBulk(t)
	w := watch(path{mbit: 50, rtt: 20 * time.Millisecond, queue: 2}, tcp.Config{Congestion: "bbr"})
	run(w.Sim, 3*time.Second)
	require.Greater(t, w.share(10*time.Second), 0.85)
	change := func(mbit int, rtt time.Duration) {
		w.mbit = mbit
		w.Links[0].Rate = w.rate()
		w.Links[0].Delay, w.Links[1].Delay = rtt/2, rtt/2
	}
	change(10, 20*time.Millisecond)
	run(w.Sim, w.Now+10*time.Second)
	require.Greater(t, w.share(10*time.Second), 0.85, "a fifth of the rate")
	require.Less(t, w.info().RTT, 60*time.Millisecond)
	change(100, 20*time.Millisecond)
	run(w.Sim, w.Now+20*time.Second)
	require.Greater(t, w.share(10*time.Second), 0.8, "ten times that")
	change(100, 80*time.Millisecond)
	run(w.Sim, w.Now+30*time.Second)
	require.Greater(t, w.share(10*time.Second), 0.8, "a longer way: the shortest round trip is forgotten")
}

// BBR sends no bursts beyond the pacing rate.
func TestBBRPaces(t *testing.T) {
	w := watch(path{mbit: 20, rtt: 50 * time.Millisecond, queue: 2}, tcp.Config{Congestion: "bbr"})
	run(w.Sim, 3*time.Second)
	const slot = 10 * time.Millisecond
	sent := map[time.Duration]int{}
	w.Hook = func(e sim.Event) {
		if e.From == 0 && !e.Arrived {
			sent[e.At/slot] += e.Segment.DataLen()
		}
	}
	run(w.Sim, 8*time.Second)
	require.Greater(t, len(sent), 450)
	for at, bytes := range sent {
		require.Less(t, bytes, int(1.25*slot.Seconds()*float64(w.rate()))+3*3000, at*slot)
	}
}

// BBR treats congestion marks like losses beyond its bound: the queue stays at the marking threshold.
func TestBBRHeedsMarks(t *testing.T) {
	tcp.SkipBulk(t)
	p := path{mbit: 50, rtt: 20 * time.Millisecond, queue: 8}
	lost, marked := 0, 0
	w := watch(p, tcp.Config{Congestion: "bbr", ECN: tcp.ECNRequest})
	w.Links[0].Mark = p.bdp() / 4
	w.Hook = func(e sim.Event) {
		switch {
		case e.Fate == sim.Marked:
			marked++
		case e.Fate == sim.Overflow:
			lost++
		}
	}
	run(w.Sim, 5*time.Second)
	before := marked
	require.Greater(t, w.share(20*time.Second), 0.7)
	require.Zero(t, lost)
	require.Positive(t, before)
	require.Less(t, marked-before, 20*w.rate()/1500/25, "less than one in twenty-five")
}

// A connection can change its algorithm at any time.
func TestCongestionControlChanges(t *testing.T) {
	tcp.SkipBulk(t)
	w := watch(path{mbit: 50, rtt: 20 * time.Millisecond, queue: 1}, tcp.Config{})
	run(w.Sim, time.Second)
	for _, algorithm := range []string{"bbr", "cubic", "reno", "bbr"} {
		c := w.Ends[0].Conn
		p := c.Params()
		p.Congestion = algorithm
		c.SetParams(w.Now, &p)
		run(w.Sim, w.Now+5*time.Second)
		require.Greater(t, w.share(5*time.Second), 0.8, algorithm)
		require.Equal(t, algorithm, w.info().Congestion)
		require.Equal(t, algorithm == "bbr", w.info().PacingRate > 0)
	}
}

// A minute of window probes of one byte does not reduce the model's rate, and neither does an application that
// writes little.
func TestBBROutlastsSilence(t *testing.T) {
	p := path{mbit: 50, rtt: 20 * time.Millisecond, queue: 1}
	const odd = 300_000 // not a multiple of the MSS: window probes carry the rest
	w := watch(p, tcp.Config{Congestion: "bbr", InitialRcvBuf: odd, MaxRcvBuf: odd})
	w.dst.Stall = sim.Cut{From: 5 * time.Second, To: time.Minute}
	run(w.Sim, time.Minute+2*time.Second)
	require.Greater(t, w.share(2*time.Second), 0.8)

	w = watch(p, tcp.Config{Congestion: "bbr"})
	run(w.Sim, 5*time.Second)
	w.src.Chunk, w.src.Every = 1000, 100*time.Millisecond
	run(w.Sim, 15*time.Second)
	require.Less(t, w.share(10*time.Second), 0.01)
	w.src.Chunk, w.src.Every = 0, 0
	run(w.Sim, w.Now+2*time.Second)
	require.Greater(t, w.share(2*time.Second), 0.8)
}
