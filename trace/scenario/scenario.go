// Package scenario runs a connection between two TCP machines in virtual time, and hands all that they do to a drawing or a
// stepper. The same Config makes the same run.
package scenario

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"tunstack/tcp"
	"tunstack/tcp/sim"
	"tunstack/trace"
)

// Config is a scenario.
type Config struct {
	IPv6       bool   // the connection is one of IPv6
	Transfer   int    // bytes that the server sends before it closes; 0: the client tells it a knock-knock joke
	Congestion string // the congestion control of both ends, of tcp.Algorithms; "": the default

	Seed  uint64        // of all chance: the joke, initial sequence numbers, the client's pauses, Loss
	Delay time.Duration // one way
	Rate  int           // of the wire in bits a second, in each direction, with a queue as long as a round trip; 0: unlimited
	Drop  []int         // which segments are lost, in the order in which both ends send them, from 1
	Loss  float64       // share of segments that are lost besides

	// Watch, if not nil, is called with all that the End with the given index does, as it does it.
	Watch func(end int, r trace.Record)
}

var (
	ends4 = [2]netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:1414")}
	ends6 = [2]netip.AddrPort{netip.MustParseAddrPort("[fd00::1]:40000"), netip.MustParseAddrPort("[fd00::2]:1414")}
)

// Ends returns the addresses of the client, who opens the connection, and of the server.
func (cfg Config) Ends() [2]netip.AddrPort {
	if cfg.IPv6 {
		return ends6
	}
	return ends4
}

// New returns the simulation of a scenario that has not begun.
func New(cfg Config) *sim.Sim {
	s := sim.New(cfg.Seed, 0)
	var ends [2]*sim.End
	header := tcp.IPv4Header
	if cfg.IPv6 {
		header = tcp.IPv6Header
	}
	for i, u := range cfg.users(s.Rand) {
		ends[i] = &sim.End{User: u, Params: tcp.Params{Congestion: cfg.Congestion}, Setup: tcp.Setup{
			ISS: tcp.Seq(s.Rand.Uint32()), TSOffset: s.Rand.Uint32(), NetHeader: header, MTU: 1500, LinkMTU: 1500,
		}}
		if cfg.Watch != nil {
			w := watch{i, cfg.Ends(), cfg.Watch}
			ends[i].Tracer, ends[i].Setup.Tracer = w, w
		}
	}
	drop := cfg.dropper(s.Rand)
	s.Connect(time.Millisecond, ends[0], ends[1], cfg.link(drop), cfg.link(drop))
	return s
}

// MaxSteps bounds the steps of a scenario whose segments are all lost.
func (cfg Config) MaxSteps() int { return 100_000 + cfg.Transfer/10 }

// users are the programs at the two Ends.
func (cfg Config) users(r *rand.Rand) [2]sim.User {
	if cfg.Transfer == 0 {
		return joke(r)
	}
	const client, server = 1, 2 // keys
	return [2]sim.User{
		&sim.Stream{Key: client, Peer: server, Close: sim.AfterEOF},
		&sim.Stream{Key: server, Peer: client, Size: cfg.Transfer},
	}
}

// minQueue is the shortest queue of a wire with a Rate, in bytes.
const minQueue = 20 * 1500

func (cfg Config) link(drop func(time.Duration, *tcp.Segment) bool) *sim.Link {
	rate := cfg.Rate / 8
	return &sim.Link{Delay: cfg.Delay, Drop: drop, Rate: rate, Queue: max(int(2*cfg.Delay.Seconds()*float64(rate)), minQueue)}
}

// dropper decides for one segment after the other whether it is lost.
func (cfg Config) dropper(r *rand.Rand) func(time.Duration, *tcp.Segment) bool {
	n := 0
	return func(time.Duration, *tcp.Segment) bool {
		n++
		return slices.Contains(cfg.Drop, n) || cfg.Loss > 0 && r.Float64() < cfg.Loss
	}
}

// watch is the Tracer of one end.
type watch struct {
	end  int
	ends [2]netip.AddrPort
	f    func(int, trace.Record)
}

// Trace implements tcp.Tracer.
func (w watch) Trace(now time.Duration, c *tcp.Conn, e tcp.Event) {
	w.f(w.end, trace.New(now, w.ends[w.end], w.ends[1-w.end], c, e))
}
