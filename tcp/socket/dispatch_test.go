package socket

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/tcp"
)

// exchange is a segment that comes in, and the answer; "" is none.
type exchange struct {
	name string
	in   tcp.Segment
	out  string
	drop func(*tcp.Stats) *stats.Counter
}

func (x *exchange) run(t *testing.T, l *lab) {
	before := x.drop(l.stats).Value()
	l.recv(there, here, x.in)
	require.Equal(t, before+1, x.drop(l.stats).Value())
	if x.out == "" {
		l.silent()
		return
	}
	f := l.one()
	require.Equal(t, x.out, f.String())
	require.Equal(t, there.Port(), f.DstPort)
	require.Equal(t, here, netip.AddrPortFrom(f.ip.Src, f.SrcPort))
}

func TestClosed(t *testing.T) { // TCP-131, TCP-157: RFC 9293 section 3.10.7.1
	for _, x := range []exchange{
		{name: "RST", in: tcp.Segment{Flags: tcp.RST, Seq: 100}},
		{name: "RST,ACK", in: tcp.Segment{Flags: tcp.RST | tcp.ACK, Seq: 100, Ack: 200}},
		{name: "SYN", in: tcp.Segment{Flags: tcp.SYN, Seq: 100}, out: "R. seq 0 ack 101 win 0"},
		{name: "SYN with data", in: tcp.Segment{Flags: tcp.SYN, Seq: 100, Payload: []byte("data")}, out: "R. seq 0 ack 105 win 0"},
		{name: "FIN", in: tcp.Segment{Flags: tcp.FIN, Seq: 100, Payload: []byte("data")}, out: "R. seq 0 ack 105 win 0"},
		{name: "nothing", in: tcp.Segment{Seq: 100}, out: "R. seq 0 ack 100 win 0"},
		{name: "ACK", in: tcp.Segment{Flags: tcp.ACK, Seq: 100, Ack: 200}, out: "R seq 200 win 0"},
		{name: "SYN,ACK", in: tcp.Segment{Flags: tcp.SYN | tcp.ACK, Seq: 100, Ack: 200}, out: "R seq 200 win 0"},
		{name: "data", in: tcp.Segment{Flags: tcp.ACK | tcp.PSH, Seq: 100, Ack: 200, Payload: []byte("data")}, out: "R seq 200 win 0"},
	} {
		t.Run(x.name, func(t *testing.T) {
			x.drop = func(s *tcp.Stats) *stats.Counter { return &s.DropNoConnection }
			x.run(t, newLab(t))
		})
	}
}

func TestListen(t *testing.T) { // TCP-132: RFC 9293 section 3.10.7.2
	for _, x := range []exchange{
		{name: "RST", in: tcp.Segment{Flags: tcp.RST, Seq: 100}},
		{name: "RST,ACK", in: tcp.Segment{Flags: tcp.RST | tcp.ACK, Seq: 100, Ack: 200}},
		{name: "RST,SYN", in: tcp.Segment{Flags: tcp.RST | tcp.SYN, Seq: 100, Ack: 200}},
		{name: "ACK", in: tcp.Segment{Flags: tcp.ACK, Seq: 100, Ack: 200}, out: "R seq 200 win 0"},
		{name: "SYN,ACK", in: tcp.Segment{Flags: tcp.SYN | tcp.ACK, Seq: 100, Ack: 200}, out: "R seq 200 win 0"},
		{name: "FIN", in: tcp.Segment{Flags: tcp.FIN, Seq: 100}},
		{name: "data", in: tcp.Segment{Seq: 100, Payload: []byte("data")}},
	} {
		t.Run(x.name, func(t *testing.T) {
			l := newLab(t)
			l.listen(here, 1)
			x.drop = func(s *tcp.Stats) *stats.Counter { return &s.DropListen }
			x.run(t, l)
			require.Empty(t, l.state())
		})
	}
}

func TestPassiveOpen(t *testing.T) { // TCP-133
	l := newLab(t)
	listener := l.listen(here, 1)
	l.recv(there, here, tcp.Segment{Flags: tcp.SYN | tcp.FIN, Seq: 5000, Wnd: 1000, Payload: []byte("early")})
	synAck := l.one()
	require.Equal(t, tcp.SYN|tcp.ACK, synAck.Flags)
	require.Equal(t, tcp.Seq(5001), synAck.Ack)
	require.Equal(t, "SYN-RECV", l.state())
	p := &peer{l: l, at: there, to: here, seq: 5001, ack: synAck.Seq + 1}
	p.accept(listener)
	require.Equal(t, "ESTAB", l.state())
	remote, ok := p.so.Remote()
	require.True(t, ok)
	require.Equal(t, there, remote)
	require.Equal(t, here, p.so.Local())
	in, _, _ := p.so.Buffered()
	require.Zero(t, in, "the peer sends the data of the SYN again")
}

func TestBadSegments(t *testing.T) { // TCP-004, TCP-125, SEC-015
	l := newLab(t)
	l.listen(here, 1)
	good := datagram(there, here, tcp.Segment{Flags: tcp.SYN, Seq: 100})
	in := func(change func([]byte) []byte) {
		b := change(append([]byte(nil), good...))
		h := l.header(b)
		p := packet.From(b[20:])
		p.Prepend(20)
		copy(p.Bytes(), b)
		p.TrimFront(20)
		l.Input(0, &h.Datagram, p)
	}
	in(func(b []byte) []byte { b[30] ^= 1; return b })
	require.EqualValues(t, 1, l.stats.DropChecksum.Value())
	in(func(b []byte) []byte { return b[:30] })
	in(func(b []byte) []byte { b[32] = 0xf0; return b })
	in(func(b []byte) []byte { b[32] = 0x40; return b })
	require.EqualValues(t, 3, l.stats.DropHeader.Value())
	h := l.header(good)
	h.Cast = packet.Broadcast
	l.Input(0, &h.Datagram, packet.From(good[20:]))
	require.EqualValues(t, 1, l.stats.DropAddress.Value())
	l.silent()
	require.Empty(t, l.state())

	p := packet.From(good)
	p.Bytes()[30] ^= 1
	p.Offload.Checksum = packet.ChecksumValid
	l.tun.Input(0, p)
	l.one() // the device has looked at it
}

// LAND is a SYN from the address it is for.
func TestLANDAttack(t *testing.T) { // SEC-016
	l := newLab(t)
	l.listen(ap("127.0.0.1:7"), 1)
	l.recv(here, here, tcp.Segment{Flags: tcp.SYN, Seq: 100, Wnd: 1000})
	l.silent()
	require.Empty(t, l.state())

	self := ap("127.0.0.1:7") // by the loopback it is for real
	route, err := l.ip.Route(self.Addr(), self.Addr())
	require.NoError(t, err)
	f := flow{ip.NewFourTuple(self, self), 0, route}
	require.NoError(t, l.transmit(0, &f, &settings{}, &tcp.Segment{Flags: tcp.SYN, Seq: 100, Wnd: 1000}))
	l.after(time.Second)
	require.Less(t, l.stats.SegsOut.Value(), uint64(50), "it does not talk to itself for ever")
	l.after(10 * time.Minute)
	require.Empty(t, l.state())
}

func TestStatus(t *testing.T) {
	l := newLab(t)
	listener := l.listen(ap("0.0.0.0:7"), 3)
	p := l.dial(there)
	p.sends(tcp.ACK, "waits")
	l.take()
	require.ElementsMatch(t, []Status{
		{"LISTEN", 1, 3, ap("0.0.0.0:7"), ap("0.0.0.0:0"), nil},
		{"ESTAB", 5, 0, here, there, nil},
	}, l.Sockets())
	p.accept(listener)
	p.so.writes(t, "unacknowledged")
	l.take()
	require.ElementsMatch(t, []Status{
		{"LISTEN", 0, 3, ap("0.0.0.0:7"), ap("0.0.0.0:0"), nil},
		{"ESTAB", 5, 14, here, there, nil},
	}, l.Sockets())
}

// All makes no list of all sockets, holds no lock while it yields one, and may be left early.
func TestAllSockets(t *testing.T) {
	const count = 20_000
	l := newLab(t, func(c *Config) { c.MaxHalfOpen = count })
	l.wire.Discard = true
	listener := l.listen(ap("0.0.0.0:7"), 3)
	for i := range count {
		l.recv(client(i), netip.AddrPortFrom(here.Addr(), 7), tcp.Segment{Flags: tcp.SYN, Seq: tcp.Seq(i), Wnd: 1000})
	}
	rows, listeners := 0, 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for row := range l.All(false) {
		if rows++; row.State == listening {
			listeners++
		}
	}
	runtime.ReadMemStats(&after)
	require.Equal(t, []int{1 + count, 1}, []int{rows, listeners})
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(count), "a byte each, where a list takes a hundred")
	for row := range l.All(true) {
		if row.State != listening {
			require.NotZero(t, row.Info.RTO)
			require.NoError(t, listener.Close(), "the loop may change the sockets")
			break
		}
	}
}
