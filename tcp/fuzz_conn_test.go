package tcp_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/tcp"
	"tunstack/tcp/sim"
)

// fuzzed is a connection whose user and peer act as the bytes of the input say.
type fuzzed struct {
	t   *testing.T
	in  []byte
	now time.Duration
	c   *tcp.Conn

	room   tcp.Seq // the best right edge the peer has offered
	edge   tcp.Seq // ours
	acked  tcp.Seq
	read   tcp.Seq // the next byte the user reads
	reads  bool    // the peer's sequence numbers are known
	deaf   bool    // the user has shut down reading
	wrote  tcp.Seq // the next byte the user writes
	inline bool
	header int // of IP, in bytes
}

// next is the next byte of the input, 0 at its end.
func (f *fuzzed) next() int {
	if len(f.in) == 0 {
		return 0
	}
	b := f.in[0]
	f.in = f.in[1:]
	return int(b)
}

func (f *fuzzed) wide() int { return f.next()<<8 | f.next() }

// byteAt is the byte at a sequence number, of either direction.
func byteAt(q tcp.Seq) byte { return byte(uint32(q)*2654435761>>24) ^ byte(q) }

func bytesFrom(q tcp.Seq, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byteAt(q.Add(i))
	}
	return p
}

// FuzzConn decodes actions of the user, the peer and the clock from bytes. After each action it takes the output and checks that the connection
// keeps all rules. SEC-020
func FuzzConn(f *testing.F) {
	syn := []byte{0, 2, 0, 0, 0, 0, 0, 0, 250, 0, 7}
	f.Add([]byte{0, 0, 9, 4, 0, 6, 1})
	f.Add([]byte{65, 0, 0, 16, 0, 0, 1, 0, 0, 0, 250, 0, 0, 9, 250, 9, 250, 7, 14, 5, 0, 7, 11})
	f.Add(append([]byte{1, 0x1f}, syn...))
	f.Add([]byte{1, 0, 0, 16, 0, 0, 1, 0, 0, 0, 250, 0, 0, 9, 200, 9, 200, 7, 7, 7, 11})
	f.Add([]byte{0, 7, 0, 18, 0, 0, 1, 0, 0, 0, 250, 0, 7, 9, 255, 0, 24, 0, 0, 1, 0, 4, 0, 0, 0, 0, 8, 20, 10, 255, 12, 7, 7})
	f.Add([]byte{1, 1, 0, 16, 0, 0, 1, 0, 0, 0, 99, 0, 1, 0, 17, 0, 0, 1, 0, 0, 9, 99, 0, 1, 11, 7, 7, 7, 7})
	f.Fuzz(func(t *testing.T, in []byte) {
		z := &fuzzed{t: t, in: in[:min(len(in), 2000)], now: time.Second}
		z.open()
		z.settle()
		for len(z.in) > 0 {
			z.act()
			z.settle()
		}
		for range 100 { // in the end the connection comes to rest or is closed
			if next := z.c.Deadline(); next != 0 {
				z.now = max(z.now, next)
			}
			z.settle()
		}
	})
}

func (f *fuzzed) open() {
	mode, options := f.next(), f.next()
	cfg := tcp.Config{NoSACK: options&1 != 0, NoTimestamps: options&2 != 0, NoWindowScale: options&4 != 0, Congestion: tcp.Algorithms[options>>3&1],
		InitialRcvBuf: 8 << 10, MaxRcvBuf: 64 << 10, ECN: tcp.ECN(options >> 4 & 1)}.WithDefaults()
	setup := tcp.Setup{ISS: tcp.Seq(0xffffff00), MTU: 1500, LinkMTU: 1500, MaxPayload: options >> 6 * 20000}
	if mode&64 != 0 {
		setup.NetHeader = tcp.IPv6Header
	}
	f.header = cmp.Or(setup.NetHeader, tcp.IPv4Header)
	if mode&1 == 0 {
		f.c = tcp.Open(f.now, &cfg, &tcp.Params{}, setup)
	} else {
		s := tcp.Segment{Flags: tcp.SYN, Seq: tcp.Seq(mode) << 24, Wnd: 5000, Options: tcp.Options{MSS: 1000, HasScale: mode&2 != 0, Scale: 3,
			SackPermitted: mode&4 != 0, HasTS: mode&8 != 0, TSVal: 100}}
		f.c = tcp.Accept(f.now, &cfg, &tcp.Params{}, setup, &s)
		f.read, f.reads = s.Seq+1, true
	}
	f.room, f.wrote = setup.ISS+1, setup.ISS+1
	f.c.SetTracer(f)
}

// Trace makes the target the connection's Tracer, which checks that every change of state is legal.
func (f *fuzzed) Trace(_ time.Duration, c *tcp.Conn, e tcp.Event) {
	if e.Kind == tcp.StateChanged && !sim.Legal(e.From, c.State()) {
		f.t.Fatalf("from %v to %v", e.From, c.State())
	}
}

func (f *fuzzed) act() {
	switch f.next() % 18 {
	default:
		f.segment()
	case 6:
		f.now += time.Duration(f.next()) * time.Millisecond
	case 7:
		f.now = max(f.now, f.c.Deadline())
	case 8:
		f.now += time.Duration(f.next()) * time.Minute
	case 9:
		n := f.c.Write(f.now, bytesFrom(f.wrote, f.next()*40))
		f.wrote = f.wrote.Add(n)
	case 10:
		f.receive(f.next() * 40)
	case 11:
		f.c.CloseWrite(f.now)
	case 12:
		f.user()
	case 13:
		p := f.c.Params()
		bits := f.next()
		p.NoDelay, p.Cork, p.KeepAlive, p.OOBInline = bits&1 != 0, bits&2 != 0, bits&8 != 0, bits&16 != 0
		f.c.SetQuickAck(bits&4 != 0)
		p.RcvBuf, p.UserTimeout = bits>>5*1000, time.Duration(bits>>6)*time.Minute
		f.inline = p.OOBInline
		f.c.SetParams(f.now, &p)
	case 14:
		f.c.SetMTU(68 + f.wide()%9000)
	}
}

// user makes one of the rarer calls.
func (f *fuzzed) user() {
	switch f.next() % 6 {
	case 0:
		f.c.Close(f.now)
	case 1:
		f.c.Abort(f.now)
	case 2:
		f.c.CloseRead()
		f.deaf = true
	case 3:
		n := f.c.WriteUrgent(f.now, bytesFrom(f.wrote, 1+f.next()))
		f.wrote = f.wrote.Add(n)
	case 4:
		if f.next()&1 != 0 {
			f.c.PeekUrgent()
		} else {
			f.c.ReadUrgent()
		}
	case 5:
		f.c.More(f.next()&1 != 0)
	}
}

// receive reads, and checks that each byte is that of its sequence number; an urgent byte may be missing.
func (f *fuzzed) receive(n int) {
	if f.c.AtMark() && !f.inline && f.c.Readable() > 0 && n > 0 {
		f.read++
	}
	p := make([]byte, n)
	if n%3 == 0 {
		q := f.c.Take(f.now, n)
		p = p[:q.Read(p)]
	} else {
		p = p[:f.c.Read(f.now, p)]
	}
	if !f.deaf {
		require.Equal(f.t, bytesFrom(f.read, len(p)), p, "read at %d", f.read)
	}
	f.read = f.read.Add(len(p))
}

// segment delivers a segment with numbers near the expected ones or far from them.
func (f *fuzzed) segment() {
	v := f.c.Vars()
	s := tcp.Segment{Flags: tcp.Flags(f.next())}
	bases := [...]tcp.Seq{v.RcvNxt, v.RcvEdge, v.RcvNxt - 1, tcp.Seq(f.now)}
	s.Seq = bases[f.next()&3].Add(int(int8(f.next())) * 50)
	acks := [...]tcp.Seq{v.UNA, v.NXT, v.SndEdge, tcp.Seq(f.now)}
	s.Ack = acks[f.next()&3].Add(int(int8(f.next())) * 50)
	s.Payload = bytesFrom(s.Seq.Add(int(s.Flags>>1&1)), f.wide()%3000)
	s.Wnd = uint16(f.next() << 8)
	f.options(&s, f.next(), f.next(), v)
	f.input(&s)
	if !f.reads && f.c.State() != tcp.SynSent && f.c.State() != tcp.Closed {
		f.read, f.reads = s.Seq+1, true
	}
}

// input delivers the segment in a Buffer, as a stack does.
func (f *fuzzed) input(s *tcp.Segment) {
	b := packet.From(s.Payload)
	s.Payload, s.Buffer = b.Bytes(), b
	f.c.Input(f.now, s)
	if s.Buffer != nil {
		b.Free()
	}
}

func (f *fuzzed) options(s *tcp.Segment, bits, shift int, v tcp.Vars) {
	o := &s.Options
	if bits&1 != 0 {
		o.HasTS, o.TSVal, o.TSEcr = true, uint32(100+shift), uint32(f.now/time.Millisecond)-uint32(shift)
	}
	if s.Flags.Has(tcp.SYN) {
		o.MSS, o.HasScale, o.Scale, o.SackPermitted = uint16(shift*16), bits&2 != 0, uint8(shift%15), bits&4 != 0
	}
	for ; o.SackCount < uint8(bits>>3&3); o.SackCount++ {
		start := v.UNA.Add(f.next()*100 - 1000)
		o.Sack[o.SackCount] = tcp.Range{Start: start, End: start.Add(f.next()*20 - 100)}
	}
	s.Urg, s.CE = uint16(shift*4), bits&32 != 0
}

// settle takes the output and checks all rules.
func (f *fuzzed) settle() {
	f.look()
	var s tcp.Segment
	for n := 0; f.c.Output(f.now, &s); n++ {
		require.Less(f.t, n, 10_000, "Output never ends")
		f.sent(&s)
		f.look()
	}
}

func (f *fuzzed) look() {
	require.NoError(f.t, f.c.Check())
	v := f.c.Vars()
	if f.c.State() == tcp.SynSent {
		return
	}
	if f.room.Less(v.SndEdge) {
		f.room = v.SndEdge
	}
	require.False(f.t, f.edge != 0 && v.RcvEdge.Less(f.edge), "the right edge moves left, from %d to %d", f.edge, v.RcvEdge)
	require.False(f.t, f.acked != 0 && v.UNA.Less(f.acked), "SND.UNA goes back")
	f.edge, f.acked = v.RcvEdge, v.UNA
}

func (f *fuzzed) sent(s *tcp.Segment) {
	if s.Flags&(tcp.RST|tcp.SYN) != 0 {
		return
	}
	v := f.c.Vars()
	size := s.DataLen()
	if s.MSS > 0 {
		size = s.MSS
	}
	require.LessOrEqual(f.t, size, f.c.MSS(), "%v", s)
	require.LessOrEqual(f.t, f.header+s.HeaderLen()+size, max(f.c.MTU(), f.header+68), "%v", s)
	require.Equal(f.t, v.RcvNxt, s.Ack, "%v", s)
	require.False(f.t, s.Len() > 0 && f.room.Add(1).Less(s.End()), "beyond the window, which ends at %d: %v", f.room, s)
	data := append(append([]byte{}, s.Payload...), s.Wrap...)
	require.Equal(f.t, bytesFrom(s.Seq, len(data)), data, "%v", s)
}
