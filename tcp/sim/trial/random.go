// Package trial draws simulations of one connection from a seed, with everything that can go wrong, and judges how they end.
package trial

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"tunstack/tcp"
	"tunstack/tcp/sim"
)

// Trial is a simulation of one connection, drawn from a seed.
type Trial struct {
	Sim     *sim.Sim
	Streams [2]*sim.Stream
	// Harsh is set if the wire or a user may end the connection before all is transferred.
	Harsh bool

	r     *rand.Rand
	flow  *sim.Flow
	names []string
}

// Random draws a trial in which each side sends up to size bytes.
func Random(seed uint64, size int) *Trial {
	t := &Trial{r: rand.New(rand.NewPCG(seed, 0x7472_6961_6c))}
	// 0, and just before milliseconds overflow 31 and 32 bits.
	start := pick(t, 0, 0, 0, 1<<31*time.Millisecond-5*time.Second, 1<<32*time.Millisecond-5*time.Second, 100*365*24*time.Hour)
	t.Sim = sim.New(seed, start)
	forth, back := t.link(start), t.link(start)
	if t.maybe(2) {
		*back = *forth
	}
	mtu := pick(t, 296, 576, 1500, 1500, 9000, 65535)
	ends := [2]*sim.End{t.end(mtu, size, 0), t.end(mtu, size, 1)}
	t.trouble([2]*sim.Link{forth, back}, start, mtu)
	t.flow = t.Sim.Connect(start, ends[0], ends[1], forth, back)
	t.behaviour(start)
	t.family(mtu)
	return t
}

func pick[T any](t *Trial, choices ...T) T { return choices[t.r.IntN(len(choices))] }

// maybe is true with probability 1/n.
func (t *Trial) maybe(n int) bool { return t.r.IntN(n) == 0 }

func (t *Trial) upTo(d time.Duration) time.Duration { return time.Duration(t.r.Int64N(int64(d) + 1)) }

func (t *Trial) name(format string, args ...any) {
	t.names = append(t.names, fmt.Sprintf(format, args...))
}

// String lists what was drawn.
func (t *Trial) String() string {
	var b strings.Builder
	for i, e := range t.flow.Ends {
		g := &e.Config
		fmt.Fprintf(&b, "end %d: mtu %d gso %d %s sack %v ts %v scale %v ecn %v rcvbuf %d-%d iss %d\n", i, e.Setup.MTU,
			e.Setup.MaxPayload, g.Congestion, !g.NoSACK, !g.NoTimestamps, !g.NoWindowScale, g.ECN, g.InitialRcvBuf, g.MaxRcvBuf, e.Setup.ISS)
		fmt.Fprintf(&b, "  user: %v\n  link: %+v\n", t.Streams[i], *t.flow.Links[i])
	}
	return b.String() + "start " + t.flow.Start.String() + " " + strings.Join(t.names, ", ")
}

// link draws the properties that most wires have.
func (t *Trial) link(start time.Duration) *sim.Link {
	l := &sim.Link{
		Delay:     pick(t, 0, t.upTo(10*time.Millisecond), t.upTo(150*time.Millisecond)),
		Loss:      pick(t, 0, 0, 0.01, 0.05, 0.2, 0.3),
		Duplicate: pick(t, 0, 0, 0.05),
		Reorder:   pick(t, 0, 0, 0.1),
		Corrupt:   pick(t, 0, 0, 0, 0.02),
		Rate:      pick(t, 0, 125_000, 1_250_000, 12_500_000, 125_000_000),
		Queue:     pick(t, 3_000, 20_000, 500_000),
	}
	if t.maybe(3) {
		l.Jitter = t.upTo(50 * time.Millisecond)
	}
	return l
}

// trouble draws rare properties of wires.
func (t *Trial) trouble(links [2]*sim.Link, start time.Duration, mtu int) {
	l := links[t.r.IntN(2)]
	switch t.r.IntN(12) {
	case 0:
		l.Burst = sim.Burst{Begin: 0.01, End: 0.3}
	case 1:
		l.AckLoss = 0.5
	case 2:
		l.Slot = time.Millisecond + t.upTo(20*time.Millisecond)
	case 3:
		l.Squeeze = 0.2
	case 4:
		l.Mark = l.Queue / 4
	case 5:
		from := start + t.upTo(2*time.Second)
		cut := sim.Cut{From: from, To: from + time.Second + t.upTo(5*time.Minute)}
		links[0].Cuts = []sim.Cut{cut}
		if t.maybe(2) {
			links[1].Cuts = []sim.Cut{cut}
		}
		t.Harsh = true
	case 6, 7:
		at := start + t.upTo(3*time.Second)
		l.MTU = []sim.Change{{At: at, MTU: max(296, mtu*(20+t.r.IntN(80))/100)}}
		l.BlackHole = mtu <= 9000 && l.MTU[0].MTU >= 576 && t.maybe(3)
	}
	for _, l := range links {
		t.Harsh = t.Harsh || l.Loss+l.AckLoss+l.Corrupt >= 0.2 || l.Burst.Begin > 0
	}
}

// end draws a machine.
func (t *Trial) end(mtu, size, index int) *sim.End {
	e := &sim.End{Setup: tcp.Setup{ISS: tcp.Seq(t.r.Uint32()), TSOffset: t.r.Uint32(), MTU: mtu, LinkMTU: mtu}}
	if t.maybe(4) {
		e.Setup.ISS = pick(t, tcp.Seq(0), 1<<31) - tcp.Seq(t.r.IntN(3000)) // sequence numbers wrap early, or cross the signed boundary
	}
	if t.maybe(4) {
		e.Setup.TSOffset = -t.r.Uint32N(5000)
	}
	if t.maybe(2) {
		e.Setup.MaxPayload = 65000
	}
	e.Config = tcp.Config{NoSACK: t.maybe(3), NoTimestamps: t.maybe(3), NoWindowScale: t.maybe(4),
		Congestion: pick(t, tcp.Algorithms...), ECN: pick(t, tcp.ECNAccept, tcp.ECNRequest, tcp.ECNOff),
		MaxRcvBuf: 1 << (14 + t.r.IntN(9))}
	e.Config.InitialRcvBuf = min(e.Config.MaxRcvBuf, 1<<(13+t.r.IntN(6)))
	if t.maybe(8) {
		e.Params.RcvBuf = 1 + t.r.IntN(20_000)
	}
	e.Params.NoDelay, e.Params.Cork = t.maybe(3), t.maybe(12)
	u := &sim.Stream{Key: uint32(index) + 1, Peer: 2 - uint32(index), Size: t.r.IntN(size)}
	if t.maybe(10) {
		u.Size = 0
	}
	if t.maybe(8) {
		e.Params.MaxPacingRate = 20_000 + t.r.Uint64N(2_000_000)
	}
	e.User, t.Streams[index] = u, u
	return e
}

// leastMTU is the smallest MTU of a link that carries IPv6 (RFC 8200 section 5).
const leastMTU = 1280

// family makes half of the connections IPv6's whose links carry it. It draws last, so that all else is as in IPv4.
func (t *Trial) family(mtu int) {
	if mtu < leastMTU || t.maybe(2) {
		return
	}
	t.name("IPv6")
	for i, e := range t.flow.Ends {
		e.Setup.NetHeader = tcp.IPv6Header
		for j := range t.flow.Links[i].MTU {
			c := &t.flow.Links[i].MTU[j]
			c.MTU = max(c.MTU, leastMTU)
		}
	}
}

// behaviour draws how the users write and read.
func (t *Trial) behaviour(start time.Duration) {
	for i, u := range t.Streams {
		e := t.flow.Ends[i]
		switch t.r.IntN(8) {
		case 0:
			u.ReadEvery = t.upTo(500 * time.Millisecond)
		case 1:
			u.ReadEvery, u.ReadChunk = t.upTo(20*time.Millisecond), 1+t.r.IntN(5000)
		case 2:
			u.Chunk, u.Every = 1+t.r.IntN(3000), t.upTo(30*time.Millisecond)
		case 3:
			from := start + t.upTo(2*time.Second)
			u.Stall = sim.Cut{From: from, To: from + t.upTo(time.Hour)}
		case 4:
			t.urgent(u, t.flow.Ends[1-i])
		}
		u.Size = min(u.Size, cheap(u, t.Streams[1-i]))
		if t.maybe(4) && e.Params.RcvBuf == 0 {
			t.shrink(u, start)
		}
	}
	t.ending(start)
}

// cheap bounds the size of a stream with a slow writer or reader.
func cheap(u, reader *sim.Stream) int {
	if u.Chunk > 0 {
		return 300 * u.Chunk
	}
	if reader.ReadChunk > 0 {
		return 300 * reader.ReadChunk
	}
	return 1 << 30
}

func (t *Trial) urgent(u *sim.Stream, peer *sim.End) {
	for at := 0; at < u.Size; at += 1 + t.r.IntN(20_000) {
		u.Urgent = append(u.Urgent, at)
	}
	peer.Params.OOBInline = t.maybe(2)
	peer.User.(*sim.Stream).Inline = peer.Params.OOBInline
	t.name("urgent %d", len(u.Urgent))
}

// shrink makes the user set a smaller receive buffer during the transfer.
func (t *Trial) shrink(u *sim.Stream, start time.Duration) {
	at, size := start+t.upTo(2*time.Second), 1+t.r.IntN(30_000)
	u.Change = func(now time.Duration, c *tcp.Conn) {
		if p := c.Params(); now >= at && p.RcvBuf == 0 {
			p.RcvBuf = size
			c.SetParams(now, &p)
		}
	}
	t.name("buffer %d at %v", size, at)
}

// ending draws how the users close; after some ways not all bytes arrive.
func (t *Trial) ending(start time.Duration) {
	for i, u := range t.Streams {
		switch t.r.IntN(12) {
		case 0, 1, 2: // a closed window does not hold a closed socket for ever
			u.Close = sim.AfterEOF
			t.Harsh = t.Harsh || t.Streams[1-i].Stall.To != 0
		case 3:
			u.Close = sim.GiveUp
			t.Harsh = true
		case 4:
			u.AbortAt = start + time.Second + t.upTo(3*time.Second)
			t.Harsh = true
		}
	}
	if t.Streams[0].Close == sim.AfterEOF && t.Streams[1].Close == sim.AfterEOF { // else each waits for the other
		t.Streams[t.r.IntN(2)].Close = sim.HalfClose
	}
	if t.Harsh {
		for _, e := range t.flow.Ends { // else nothing detects that the peer has gone
			e.Params.KeepAlive = true
		}
	}
}
