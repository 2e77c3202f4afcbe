package socket

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/tcp"
)

func TestActiveOpen(t *testing.T) { // TCP-092, TCP-093, TCP-094, SOCK-012
	l := newLab(t)
	so := l.NewSocket(ip.V4)
	require.Zero(t, so.Local())
	require.Equal(t, syscall.EINPROGRESS, so.Connect(there))
	syn := l.one()
	require.Equal(t, netip.MustParseAddr("10.0.0.2"), syn.ip.Src, "IP chooses")
	require.Equal(t, netip.AddrPortFrom(syn.ip.Src, syn.SrcPort), so.Local())
	require.Equal(t, syscall.EALREADY, so.Connect(there))
	_, ok := so.Remote()
	require.False(t, ok)
	p := &peer{l: l, so: so, at: there, to: so.Local(), seq: 5000, ack: syn.Seq + 1}
	p.sends(tcp.SYN|tcp.ACK, "")
	require.Equal(t, fmt.Sprintf(". seq %d ack 5001", p.ack), l.one().start())
	require.NoError(t, so.Connect(there), "it has succeeded, once")
	require.Equal(t, syscall.EISCONN, so.Connect(there))
	require.NoError(t, l.ip.DelRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("10.0.0.0/24")}))
	require.NoError(t, l.ip.AddRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Interface: "tun0", Source: netip.MustParseAddr("10.0.0.3")}))
	so.writes(t, "data")
	require.Equal(t, syn.ip.Src, l.one().ip.Src, "a connection keeps its address")

	bound := l.NewSocket(ip.V4)
	require.NoError(t, bound.Bind(ap("10.0.0.3:4000")))
	require.Equal(t, syscall.EINPROGRESS, bound.Connect(there))
	syn = l.one()
	require.Equal(t, ap("10.0.0.3:4000"), netip.AddrPortFrom(syn.ip.Src, syn.SrcPort), "the application chooses")
}

func TestConnectErrors(t *testing.T) { // TCP-095, SOCK-010
	l := newLab(t)
	require.NoError(t, l.ip.DelRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("0.0.0.0/0")}))
	for to, want := range map[string]error{
		"255.255.255.255:9": syscall.ENETUNREACH,
		"10.0.0.255:9":      syscall.ENETUNREACH,
		"224.0.0.1:9":       syscall.ENETUNREACH,
		"192.0.2.1:9":       syscall.ENETUNREACH,
		"[::1]:9":           syscall.EAFNOSUPPORT,
	} {
		so := l.NewSocket(ip.V4)
		require.Equal(t, want, so.Connect(ap(to)), to)
		require.Equal(t, want, so.Connect(ap(to)), "nothing remains of the first attempt")
	}
	listener := l.listen(here, 1)
	require.Equal(t, syscall.EISCONN, listener.Connect(there))

	taken := l.NewSocket(ip.V4)
	taken.SetReuse(true, false)
	require.NoError(t, taken.Bind(ap("10.0.0.2:4000")))
	require.Equal(t, syscall.EINPROGRESS, taken.Connect(there))
	again := l.NewSocket(ip.V4)
	again.SetReuse(true, false)
	require.NoError(t, again.Bind(ap("10.0.0.2:4000")))
	require.Equal(t, syscall.EADDRNOTAVAIL, again.Connect(there), "the pair of addresses is in use")
	require.Equal(t, syscall.EINPROGRESS, again.Connect(ap("10.0.0.1:1001")))
}

// A failed attempt can be repeated, but a socket whose established connection broke cannot be connected anew.
func TestConnectAgain(t *testing.T) { // SOCK-010, SOCK-034
	l := newLab(t)
	p := l.connect()
	p.sends(tcp.RST|tcp.ACK, "")
	require.Equal(t, syscall.ECONNREFUSED, p.so.Connect(there), "the outcome, once")
	require.Equal(t, syscall.EINPROGRESS, p.so.Connect(there))
	syn := l.one()
	require.NotEqual(t, p.to.Port(), syn.SrcPort, "another port: the peer may remember the first")
	l.free(p.to.Port())
	p.to, p.seq, p.ack = p.so.Local(), 9000, syn.Seq+1
	p.sends(tcp.SYN|tcp.ACK, "")
	require.NoError(t, p.so.Connect(there))
	p.sends(tcp.RST, "")
	require.Equal(t, syscall.ECONNRESET, p.so.TakeError())
	require.Equal(t, syscall.EISCONN, p.so.Connect(there))
	require.NoError(t, p.so.Close())
	l.free(syn.SrcPort)
	l.empty()
}

// Each attempt to connect has a connection of its own: segments, timers and batches of the first do not reach the second.
func TestAttemptsAreApart(t *testing.T) { // SOCK-010
	l := newLab(t)
	p := l.connect()
	first := p.conn()
	p.sends(tcp.RST|tcp.ACK, "")
	require.Equal(t, syscall.ECONNREFUSED, p.so.Connect(there))
	require.Equal(t, syscall.EINPROGRESS, p.so.Connect(there))
	syn := l.one()
	require.NotSame(t, first, p.conn())
	var a arrival
	b := packet.From(datagram(p.at, p.to, tcp.Segment{Flags: tcp.SYN | tcp.ACK, Seq: 5000, Ack: p.ack, Wnd: 1000}))
	h := l.header(b.Bytes())
	b.TrimFront(h.Len())
	require.NoError(t, a.parse(l.ip, &h.Datagram, b))
	first.deliver(l.clk.Now(), &a, b) // found before the connection was out of the table
	first.Expire(l.clk.Now())
	first.Flush(l.clk.Now())
	l.take()
	require.Equal(t, "SYN-SENT", l.state())
	p.to, p.ack = p.so.Local(), syn.Seq+1
	p.sends(tcp.SYN|tcp.ACK, "")
	require.Equal(t, "ESTAB", l.state())
}

func TestConnectTimesOut(t *testing.T) { // TCP-055
	l := newLab(t)
	p := l.connect()
	l.after(126 * time.Second)
	require.Equal(t, syscall.EALREADY, p.so.Connect(there))
	l.after(2 * time.Second)
	require.Equal(t, syscall.ETIMEDOUT, p.so.TakeError())
	require.NoError(t, p.so.Close())
	l.free(p.to.Port())
	l.empty()
}

// An error of the link or of IP ends an attempt at once, but not an established connection.
func TestRefusedByTheLink(t *testing.T) { // SOCK-010
	l := newLab(t)
	p := l.active()
	l.wire.Err = syscall.EHOSTUNREACH
	so := l.NewSocket(ip.V4)
	require.Equal(t, syscall.EINPROGRESS, so.Connect(there))
	require.Equal(t, syscall.EHOSTUNREACH, so.TakeError())
	p.so.writes(t, "data")
	require.NoError(t, p.so.TakeError())
	l.after(time.Hour)
	require.Equal(t, syscall.EHOSTUNREACH, p.so.TakeError(), "it tells why the peer was silent")

	l = newLab(t)
	so = l.NewSocket(ip.V4)
	so.setIPOptions([]byte{131, 3, 4}) // a source route of nowhere
	require.Equal(t, syscall.EINPROGRESS, so.Connect(there))
	require.Equal(t, syscall.EINVAL, so.TakeError())
}

func TestSimultaneousOpen(t *testing.T) { // TCP-019, TCP-137
	l := newLab(t)
	p := l.connect()
	p.sends(tcp.SYN, "")
	synAck := l.one()
	require.Equal(t, tcp.SYN|tcp.ACK, synAck.Flags)
	require.Equal(t, p.ack-1, synAck.Seq)
	require.Equal(t, "SYN-RECV", l.state())
	p.sends(tcp.ACK, "hello")
	require.Equal(t, "ESTAB", l.state())
	p.so.reads(t, "hello")
}

// A socket that connects to its own address and port meets itself, as on Linux: the simplest simultaneous open.
func TestSelfConnect(t *testing.T) { // TCP-019, SEC-016
	l := newLab(t)
	so := l.NewSocket(ip.V4)
	require.NoError(t, so.Bind(ap("127.0.0.1:4000")))
	require.Equal(t, syscall.EINPROGRESS, so.Connect(ap("0.0.0.0:4000"))) // this host
	require.NoError(t, so.Connect(ap("127.0.0.1:4000")))
	require.Equal(t, syscall.EISCONN, so.Connect(ap("127.0.0.1:4000")))
	so.writes(t, "to myself")
	so.reads(t, "to myself")
	require.NoError(t, so.Close())
	l.after(2 * time.Minute)
	l.free(4000)
	l.empty()
}

func TestListenAndConnections(t *testing.T) { // TCP-090, TCP-091, SOCK-006, SOCK-030
	l := newLab(t)
	listener := l.listen(ap("0.0.0.0:7"), 4)
	first := l.dial(there)
	second := l.dial(ap("10.0.0.1:1001"))
	second.accept(listener)
	third := l.NewSocket(ip.V4)
	require.NoError(t, third.Bind(ap("10.0.0.3:8")))
	require.Equal(t, syscall.EINPROGRESS, third.Connect(ap("10.0.0.1:1002")))
	l.take()

	require.Equal(t, syscall.EINVAL, second.so.Listen(1))
	require.Equal(t, syscall.EINVAL, third.Listen(1))
	require.Equal(t, syscall.EADDRINUSE, l.NewSocket(ip.V4).Bind(here), "the listener has it")
	require.NoError(t, listener.Listen(9), "only another backlog")
	require.Equal(t, 9, l.Sockets()[0].SendQ)
	first.accept(listener)
	second.sends(tcp.ACK, "as if nothing had happened")
	second.so.reads(t, "as if nothing had happened")

	unbound := l.NewSocket(ip.V4)
	require.NoError(t, unbound.Listen(-1))
	require.NotZero(t, unbound.Local().Port())
}

func TestNothingAfterClose(t *testing.T) {
	l := newLab(t)
	so := l.NewSocket(ip.V4)
	require.NoError(t, so.Close())
	require.Equal(t, syscall.EINVAL, so.Bind(here))
	require.Equal(t, syscall.EINVAL, so.Listen(1))
	require.Equal(t, syscall.EINVAL, so.Connect(there))
	l.silent()
	l.empty()
}

func TestBind(t *testing.T) { // SOCK-001, SOCK-002, SOCK-004
	l := newLab(t)
	so := l.NewSocket(ip.V4)
	require.Equal(t, syscall.EADDRNOTAVAIL, so.Bind(ap("192.0.2.1:7")))
	require.Equal(t, syscall.EAFNOSUPPORT, so.Bind(ap("[::1]:7")))
	require.NoError(t, so.Bind(netip.AddrPort{}))
	require.Equal(t, syscall.EINVAL, so.Bind(here))
	require.GreaterOrEqual(t, so.Local().Port(), uint16(49152))
	port := so.Local().Port()
	require.NoError(t, so.Close())
	l.free(port)
}

func TestEphemeralPorts(t *testing.T) { // SOCK-005, SEC-004
	l := newLab(t, func(c *Config) { c.PortLow, c.PortHigh = 4000, 4003 })
	ports := map[uint16]bool{}
	for range 4 {
		ports[l.connect().to.Port()] = true
	}
	require.Len(t, ports, 4)
	require.Equal(t, syscall.EADDRNOTAVAIL, l.NewSocket(ip.V4).Connect(there))
	so := l.NewSocket(ip.V4)
	require.Equal(t, syscall.EINPROGRESS, so.Connect(ap("10.0.0.1:1001")), "another peer, the same ports")
	require.Contains(t, ports, so.Local().Port())
}

// syn is the SYN of an active open from a port, and the time it was sent at is forgotten.
func (l *lab) syn(port uint16) frame {
	l.t.Helper()
	so := l.NewSocket(ip.V4)
	require.NoError(l.t, so.Bind(netip.AddrPortFrom(here.Addr(), port)))
	require.Equal(l.t, syscall.EINPROGRESS, so.Connect(there))
	f := l.one()
	require.NoError(l.t, so.Close())
	return f
}

func TestInitialSequenceNumbers(t *testing.T) { // TCP-016, TCP-017, TCP-018, SEC-005
	l := newLab(t)
	first := l.syn(4000)
	l.after(40 * time.Millisecond)
	second := l.syn(4000)
	require.Equal(t, 10000, second.Seq.Sub(first.Seq), "a tick each 4 microseconds")
	require.EqualValues(t, 40, second.Options.TSVal-first.Options.TSVal, "a tick each millisecond")
	other := l.syn(4001)
	require.NotEqual(t, second.Seq, other.Seq)
	require.NotEqual(t, second.Options.TSVal, other.Options.TSVal)

	same := newLab(t).syn(4000)
	require.Equal(t, first.Seq, same.Seq, "all chance comes from the random source")
	different := newLab(t, func(c *Config) { c.Rand = nil }).syn(4000)
	require.NotEqual(t, first.Seq, different.Seq)
}
