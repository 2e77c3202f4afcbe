package tun

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"tunstack/internal/clock"
	"tunstack/internal/timer"
)

// Impairment describes a bad wire. Seed and the times at which packets enter the wire determine everything that happens on it.
type Impairment struct {
	In   Path // for packets read from the device: from the host to the stack
	Out  Path // for packets written to the device
	Seed uint64

	// Clock is the clock for delays; nil: the machine's clock.
	Clock Clock
	// Timers is for tests in virtual time: the device has no goroutine, and the test advances Timers by Clock. Wait then does not return
	// for a packet that was delayed. nil: a goroutine of the device follows the clock.
	Timers *Timers
}

// Clock tells the time since its start.
type Clock interface {
	Now() time.Duration
}

// Timers are the deadlines of delayed packets. The zero value is ready for use; Advance(now time.Duration) delivers the packets that are
// due.
type Timers = timer.Queue

// Path describes one direction of a bad wire. The zero Path changes nothing. Shares are from 0 to 1.
type Path struct {
	Loss      float64 // share of packets lost, each independently
	Burst     Burst   // loss in bursts, in addition
	Duplicate float64 // share of packets duplicated
	Corrupt   float64 // share of packets in which one bit is inverted, never one of a link header

	Delay  time.Duration
	Jitter time.Duration // added to Delay for each packet, uniformly from 0 to Jitter; it reorders nothing
	// Reorder is the share of packets without Delay and Jitter, which overtake those before them.
	Reorder float64

	Rate  int64 // bits per second that cross the device; 0: unlimited
	Limit int   // bytes that may wait because of Rate, in addition to one packet; 0: DefaultLimit
}

// DefaultLimit is the Limit in bytes of a Path that has none.
const DefaultLimit = 1 << 20

// Burst is the model of Gilbert and Elliott: before each packet the path may change between a good and a bad state. The zero Burst is a
// path that is always good.
type Burst struct {
	Enter float64 // probability of a change from good to bad
	Leave float64 // probability of a change from bad to good
	Loss  float64 // share of packets lost in the bad state, instead of Path.Loss
}

// Impaired is a Device behind a bad wire; Impair returns it.
type Impaired struct {
	Device
	in, out *line
	queues  []Queue
	close   func() error
	cancel  context.CancelFunc // ends the goroutine that follows the clock
	running sync.WaitGroup
}

// Impair puts a bad wire between d and the user of the returned Device, which owns d and has its features. Checksums are completed and
// super-packets segmented before the wire, so that each packet is lost, delayed or corrupted alone and a receiver detects corruption.
//
// As on a real wire, Write returns no error for a packet that is lost later.
func Impair(d Device, cfg Impairment) *Impaired {
	if cfg.Clock == nil {
		cfg.Clock = clock.NewReal()
	}
	driven := cfg.Timers != nil
	if !driven {
		cfg.Timers = new(Timers)
	}
	i := &Impaired{Device: d, in: newLine(d, cfg, cfg.In, 0), out: newLine(d, cfg, cfg.Out, 1)}
	i.close = sync.OnceValue(i.closeAll)
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	if !driven {
		i.running.Go(func() { cfg.Timers.Run(ctx, cfg.Clock) })
	}
	for _, q := range d.Queues() {
		if cfg.Out != (Path{}) {
			q = &outbound{q, i.out}
		}
		if cfg.In != (Path{}) {
			in := &inbound{Queue: q, line: i.in, driven: driven, signal: make(chan struct{}, 1)}
			if q = in; !driven {
				i.running.Go(in.pump)
			}
		}
		i.queues = append(i.queues, q)
	}
	return i
}

func newLine(d Device, cfg Impairment, p Path, stream uint64) *line {
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	return &line{path: p, kind: d.Kind(), clock: cfg.Clock, timers: cfg.Timers,
		rng: rand.New(rand.NewPCG(cfg.Seed, stream)), pending: make(map[*transit]struct{})}
}

// Queues implements Device.
func (i *Impaired) Queues() []Queue { return i.queues }

// Close implements Device. Delayed packets are lost, and no goroutine remains.
func (i *Impaired) Close() error { return i.close() }

func (i *Impaired) closeAll() error {
	err := i.Device.Close()
	i.cancel()
	i.running.Wait()
	i.in.close()
	i.out.close()
	return err
}

// outbound is a queue whose Write sends packets over the bad wire.
type outbound struct {
	Queue
	line *line
}

// Write implements Queue.
func (q *outbound) Write(p *Packet) error {
	return deliver(entry{q.line, q}, q.line.kind, Features{}, p)
}

// arrive implements end.
func (q *outbound) arrive(p *Packet) error { return q.Queue.Write(p) }
