package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"tunstack/tcp"
)

// Trial is a simulation of one connection with everything that can go wrong drawn from a seed.
type Trial struct {
	Sim     *Sim
	Streams [2]*Stream
	// Harsh says that the wire or a user may end the connection before its time.
	Harsh bool

	r     *rand.Rand
	flow  *Flow
	names []string
}

// Random draws a trial in which each side sends up to size octets.
func Random(seed uint64, size int) *Trial {
	t := &Trial{r: rand.New(rand.NewPCG(seed, 0x7472_6961_6c))}
	// Birth, and the times at which 31 and 32 bits of milliseconds are used up.
	start := pick(t, 0, 0, 0, 1<<31*time.Millisecond-5*time.Second, 1<<32*time.Millisecond-5*time.Second, 100*365*24*time.Hour)
	t.Sim = New(seed, start)
	forth, back := t.link(start), t.link(start)
	if t.maybe(2) {
		*back = *forth
	}
	mtu := pick(t, 296, 576, 1500, 1500, 9000, 65535)
	ends := [2]*End{t.end(mtu, size, 0), t.end(mtu, size, 1)}
	t.trouble([2]*Link{forth, back}, start, mtu)
	t.flow = t.Sim.Connect(start, ends[0], ends[1], forth, back)
	t.behaviour(start)
	return t
}

func pick[T any](t *Trial, choices ...T) T { return choices[t.r.IntN(len(choices))] }

// maybe is true once in n times.
func (t *Trial) maybe(n int) bool { return t.r.IntN(n) == 0 }

func (t *Trial) upTo(d time.Duration) time.Duration { return time.Duration(t.r.Int64N(int64(d) + 1)) }

func (t *Trial) name(format string, args ...any) {
	t.names = append(t.names, fmt.Sprintf(format, args...))
}

// String says what was drawn.
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

// link draws what is common to most wires.
func (t *Trial) link(start time.Duration) *Link {
	l := &Link{
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

// trouble draws what is rare.
func (t *Trial) trouble(links [2]*Link, start time.Duration, mtu int) {
	l := links[t.r.IntN(2)]
	switch t.r.IntN(12) {
	case 0:
		l.Burst = Burst{Begin: 0.01, End: 0.3}
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
		cut := Cut{from, from + time.Second + t.upTo(5*time.Minute)}
		links[0].Cuts = []Cut{cut}
		if t.maybe(2) {
			links[1].Cuts = []Cut{cut}
		}
		t.Harsh = true
	case 6, 7:
		at := start + t.upTo(3*time.Second)
		l.MTU = []Change{{At: at, MTU: max(296, mtu*(20+t.r.IntN(80))/100)}}
		l.BlackHole = mtu <= 9000 && l.MTU[0].MTU >= 576 && t.maybe(3)
	}
	for _, l := range links {
		t.Harsh = t.Harsh || l.Loss+l.AckLoss+l.Corrupt >= 0.2 || l.Burst.Begin > 0
	}
}

// end draws a machine.
func (t *Trial) end(mtu, size, index int) *End {
	e := &End{Setup: tcp.Setup{ISS: tcp.Seq(t.r.Uint32()), TSOffset: t.r.Uint32(), MTU: mtu, LinkMTU: mtu}}
	if t.maybe(4) {
		e.Setup.ISS = pick(t, tcp.Seq(0), 1<<31) - tcp.Seq(t.r.IntN(3000)) // numbers turn round soon, or seem to lie behind zero
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
	u := &Stream{Key: uint32(index) + 1, Peer: 2 - uint32(index), Size: t.r.IntN(size)}
	if t.maybe(10) {
		u.Size = 0
	}
	if t.maybe(8) {
		e.Params.MaxPacingRate = 20_000 + t.r.Uint64N(2_000_000)
	}
	e.User, t.Streams[index] = u, u
	return e
}

// behaviour draws what the users do.
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
			u.Stall = Cut{from, from + t.upTo(time.Hour)}
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

// cheap bounds what a slow writer or reader has to do.
func cheap(u, reader *Stream) int {
	if u.Chunk > 0 {
		return 300 * u.Chunk
	}
	if reader.ReadChunk > 0 {
		return 300 * reader.ReadChunk
	}
	return 1 << 30
}

func (t *Trial) urgent(u *Stream, peer *End) {
	for at := 0; at < u.Size; at += 1 + t.r.IntN(20_000) {
		u.Urgent = append(u.Urgent, at)
	}
	peer.Params.OOBInline = t.maybe(2)
	peer.User.(*Stream).Inline = peer.Params.OOBInline
	t.name("urgent %d", len(u.Urgent))
}

// shrink makes the user take a smaller receive buffer in the midst of it.
func (t *Trial) shrink(u *Stream, start time.Duration) {
	at, size := start+t.upTo(2*time.Second), 1+t.r.IntN(30_000)
	u.Change = func(now time.Duration, c *tcp.Conn) {
		if p := c.Params(); now >= at && p.RcvBuf == 0 {
			p.RcvBuf = size
			c.SetParams(now, p)
		}
	}
	t.name("buffer %d at %v", size, at)
}

// ending draws how the users close, of which not all ways let all octets arrive.
func (t *Trial) ending(start time.Duration) {
	for i, u := range t.Streams {
		switch t.r.IntN(12) {
		case 0, 1, 2: // a closed socket is not held for ever by a closed window
			u.Close = AfterEOF
			t.Harsh = t.Harsh || t.Streams[1-i].Stall.To != 0
		case 3:
			u.Close = GiveUp
			t.Harsh = true
		case 4:
			u.AbortAt = start + time.Second + t.upTo(3*time.Second)
			t.Harsh = true
		}
	}
	if t.Streams[0].Close == AfterEOF && t.Streams[1].Close == AfterEOF { // each would wait for the other
		t.Streams[t.r.IntN(2)].Close = HalfClose
	}
	if t.Harsh {
		for _, e := range t.flow.Ends { // or a peer that is gone would never be missed
			e.Params.KeepAlive = true
		}
	}
}
