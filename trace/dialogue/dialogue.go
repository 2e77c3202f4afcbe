// Package dialogue is a knock-knock joke between two TCP machines in virtual time, with all that happens told to
// whoever wants to draw it or step through it. The same Config makes the same run.
package dialogue

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"tunstack/services"
	"tunstack/tcp"
	"tunstack/tcp/sim"
	"tunstack/trace"
)

// Ends of the connection: the client, who opens it and tells the joke, and the server.
var Ends = [2]netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:1414")}

// Config is what can be chosen.
type Config struct {
	Seed  uint64        // of all chance: the joke, initial sequence numbers, the client's haste, Loss
	Delay time.Duration // of the wire, one way
	Drop  []int         // which segments are lost, in the order in which both ends send them, from 1
	Loss  float64       // the share of segments that are lost besides

	// Watch, if not nil, is told of all that the End with the given index does, as it does it.
	Watch func(end int, r trace.Record)
}

// New returns the simulation of a dialogue that has not begun.
func New(cfg Config) *sim.Sim {
	s := sim.New(cfg.Seed, 0)
	joke := services.PickJoke(s.Rand)
	client := &speaker{first: true, lines: []string{"Knock knock", joke.Name, joke.PunchLine}, think: func() time.Duration {
		return 200*time.Millisecond + time.Duration(s.Rand.Int64N(int64(400*time.Millisecond)))
	}}
	server := &speaker{lines: []string{"Who's there?", joke.Name + " who?"}, closesAfter: 3}
	var ends [2]*sim.End
	for i, u := range []*speaker{client, server} {
		ends[i] = &sim.End{User: u, Setup: tcp.Setup{
			ISS: tcp.Seq(s.Rand.Uint32()), TSOffset: s.Rand.Uint32(), MTU: 1500, LinkMTU: 1500,
		}}
		if cfg.Watch != nil {
			w := watch{i, cfg.Watch}
			ends[i].Tracer, ends[i].Setup.Tracer = w, w
		}
	}
	drop := cfg.dropper(s.Rand)
	s.Connect(time.Millisecond, ends[0], ends[1], &sim.Link{Delay: cfg.Delay, Drop: drop}, &sim.Link{Delay: cfg.Delay, Drop: drop})
	return s
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
	tell func(int, trace.Record)
}

// Trace implements tcp.Tracer.
func (w watch) Trace(now time.Duration, c *tcp.Conn, e tcp.Event) {
	w.tell(w.end, trace.New(now, Ends[w.end], Ends[1-w.end], c, e))
}

// speaker says its lines in turn with the other, the first of the two before it has heard any.
type speaker struct {
	lines       []string
	first       bool
	closesAfter int                  // lines of the other; 0: when the other has closed
	think       func() time.Duration // before each line; nil: not at all

	said, heard int
	at          time.Duration // when to say the next line; 0: not decided
	closed      bool
}

// Act implements sim.User.
func (u *speaker) Act(now time.Duration, c *tcp.Conn) time.Duration {
	u.listen(now, c)
	if s := c.State(); s != tcp.Established && s != tcp.CloseWait {
		return 0
	}
	for u.said < len(u.lines) && (u.said < u.heard || u.first && u.said == u.heard) {
		if u.at == 0 && u.think != nil {
			u.at = now + u.think()
		}
		if now < u.at {
			return u.at
		}
		c.Write(now, []byte(u.lines[u.said]+"\r\n"))
		u.said, u.at = u.said+1, 0
	}
	if over := u.closesAfter > 0 && u.heard >= u.closesAfter || c.AtEOF(); over && !u.closed {
		u.closed = true
		c.Close(now)
	}
	return 0
}

// listen reads and counts lines.
func (u *speaker) listen(now time.Duration, c *tcp.Conn) {
	var b [256]byte
	for c.Readable() > 0 {
		for _, octet := range b[:c.Read(now, b[:])] {
			if octet == '\n' {
				u.heard++
			}
		}
	}
}
