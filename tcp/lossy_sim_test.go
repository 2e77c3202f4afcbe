package tcp_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
	"tunstack/tcp/sim"
)

// lossyRun is one transfer of lossySize octets over a path that loses in both directions.
type lossyRun struct {
	took    time.Duration // until the last octet has arrived
	silence time.Duration // the longest time in which neither side sends
	sample  time.Duration // the largest round trip measured
}

const (
	lossySize = 300_000
	lossyRTT  = 40 * time.Millisecond
	lossyRate = 1_250_000 // octets per second
)

// Trace notes the largest sample.
func (r *lossyRun) Trace(_ time.Duration, _ *tcp.Conn, v tcp.Event) {
	if v.Kind == tcp.RoundTripSample {
		r.sample = max(r.sample, v.RTT)
	}
}

// runLossy loses nothing of the handshake, and neither side sends a FIN: retransmissions of the receiver's own would bring
// acknowledgments long after what they acknowledge.
func runLossy(cfg tcp.Config, loss float64, seed uint64) (r lossyRun, err error) {
	s := sim.New(seed, 0)
	wire := func() *sim.Link {
		l := &sim.Link{Delay: lossyRTT / 2, Rate: lossyRate, Queue: 100_000}
		l.Drop = func(_ time.Duration, seg *tcp.Segment) bool {
			return !seg.Flags.Has(tcp.SYN) && s.Rand.Float64() < loss
		}
		return l
	}
	f := connect(s, 0, cfg, endless, wire(), wire())
	f.Ends[0].Tracer = &r
	f.dst.Close = sim.AfterEOF
	last := time.Duration(0)
	s.Hook = func(e sim.Event) {
		if !e.Arrived {
			r.silence = max(r.silence, e.At-last)
			last = e.At
		}
	}
	for s.Step() && f.dst.Got < lossySize {
		if err := f.Ends[0].Conn.Err(); err != 0 {
			return r, fmt.Errorf("%w after %v, when %d octets have arrived", err, s.Now, f.dst.Got)
		}
	}
	r.took = s.Now
	return r, s.Err()
}

// TCP-040: however many acknowledgments are lost, the time that is spent on backing off never counts as a round trip.
func TestSamplesWithLossBothWays(t *testing.T) {
	const queue, delayedAck = 80 * time.Millisecond, 40 * time.Millisecond
	for _, algorithm := range tcp.Algorithms {
		for _, loss := range []float64{0.10, 0.20, 0.25} {
			for _, options := range []tcp.Config{{}, {NoTimestamps: true}, {NoSACK: true}, {NoSACK: true, NoTimestamps: true}} {
				options.Congestion = algorithm
				name := fmt.Sprintf("%s loss=%v sack=%v ts=%v", algorithm, loss, !options.NoSACK, !options.NoTimestamps)
				t.Run(name, func(t *testing.T) { samplesWithLoss(t, options, loss, lossyRTT+queue+delayedAck) })
			}
		}
	}
}

func samplesWithLoss(t *testing.T, cfg tcp.Config, loss float64, largest time.Duration) {
	var silent atomic.Int32 // it takes eight retransmissions in a row that are lost, or their ACKs: one run in a thousand
	each(seeds(40), func(i int) {
		r, err := runLossy(cfg, loss, uint64(i))
		switch {
		case err != nil:
			t.Errorf("seed %d: %v", i, err)
		case r.sample > largest:
			t.Errorf("seed %d: a sample of %v", i, r.sample)
		case r.silence > time.Minute && loss < 0.25 && !cfg.NoSACK && !cfg.NoTimestamps:
			silent.Add(1)
		}
	})
	require.LessOrEqual(t, silent.Load(), int32(1), "runs with more than a minute of silence")
}
