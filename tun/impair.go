package tun

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
)

// Impairment is a bad wire. Everything that happens on it follows from Seed and the moments at which packets enter.
type Impairment struct {
	In   Path // what is read from the device: from the host to the stack
	Out  Path // what is written to it
	Seed uint64

	// Clock tells the time; nil: the machine's.
	Clock clock.Clock
	// Timers, which somebody advances by Clock, make the device one without goroutines of its own: for tests in virtual
	// time. Wait then does not end for a packet that was delayed. nil: a goroutine of the device follows the clock.
	Timers *timer.Queue
}

// Path is what a packet meets in one direction. The zero Path leaves all as it is. Shares are from 0 to 1.
type Path struct {
	Loss      float64 // share of packets lost, each by itself
	Burst     Burst   // and in bursts
	Duplicate float64 // share of packets that come twice
	Corrupt   float64 // share of packets in which one bit, not of a link header, is turned over

	Delay  time.Duration
	Jitter time.Duration // added to Delay, evenly from 0 to this, for each packet; it changes no order
	// Reorder is the share of packets that are spared Delay and Jitter, and so overtake those before them.
	Reorder float64

	Rate  int64 // bits in a second, counting what crosses the device; 0: no bound
	Limit int   // octets that may wait because of Rate, and more than a packet; 0: DefaultLimit
}

// DefaultLimit is how many octets may wait for the bottleneck of a Path that does not say.
const DefaultLimit = 1 << 20

// Burst is the model of Gilbert and Elliott: the path changes between a good and a bad state, before each packet. The
// zero Burst is a path that is always good.
type Burst struct {
	Enter float64 // chance to turn from good to bad
	Leave float64 // chance to turn from bad to good
	Loss  float64 // share of packets lost in the bad state, in place of Path.Loss
}

// PathStats counts what became of the packets of one direction, super-packets cut as a wire would have them.
type PathStats struct {
	Entered    stats.Counter `name:"impair.entered" doc:"packets that entered"`
	Lost       stats.Counter `name:"impair.lost" doc:"packets lost"`
	Duplicated stats.Counter `name:"impair.duplicated" doc:"packets that came twice"`
	Corrupted  stats.Counter `name:"impair.corrupted" doc:"packets with a bit turned over"`
	Reordered  stats.Counter `name:"impair.reordered" doc:"packets that overtook others"`
	Overflowed stats.Counter `name:"impair.overflowed" doc:"packets for which there was no room"`
	Refused    stats.Counter `name:"impair.refused" doc:"packets that the device or its reader did not take"`
}

// Impaired is a Device behind a bad wire.
type Impaired struct {
	Device
	in, out *line
	queues  []Queue
	close   func() error
	cancel  context.CancelFunc // ends the goroutine that follows the clock
	running sync.WaitGroup
}

// Impair puts a bad wire between d and whoever uses the Device returned, which takes d over and has its features. Each packet
// has its own fate: checksums are completed and super-packets cut before they enter, so that a receiver can tell what was damaged.
//
// Write reports no loss on the way as an error, as on a real wire.
func Impair(d Device, cfg Impairment) *Impaired {
	if cfg.Clock == nil {
		cfg.Clock = clock.NewReal()
	}
	driven := cfg.Timers != nil
	if !driven {
		cfg.Timers = new(timer.Queue)
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

// In counts the packets from the host; nothing, if Impairment.In is zero.
func (i *Impaired) In() *PathStats { return &i.in.stats }

// Out counts the packets to the host, in the same way.
func (i *Impaired) Out() *PathStats { return &i.out.stats }

// Close implements Device. Packets on their way are lost, and no goroutine is left.
func (i *Impaired) Close() error { return i.close() }

func (i *Impaired) closeAll() error {
	err := i.Device.Close()
	i.cancel()
	i.running.Wait()
	i.in.close()
	i.out.close()
	return err
}

// outbound is a queue whose Write goes over the bad wire.
type outbound struct {
	Queue
	line *line
}

// Write implements Queue.
func (q *outbound) Write(p *packet.Buffer) error {
	return deliver(entry{q.line, q}, q.line.kind, packet.Features{}, p)
}

// arrive implements end.
func (q *outbound) arrive(p *packet.Buffer) error { return q.Queue.Write(p) }
