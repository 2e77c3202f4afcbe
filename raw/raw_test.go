package raw

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/internal/race"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ip/errqueue"
	"tunstack/ipv4"
	"tunstack/ipv6"
)

// host is a stack at 10.0.0.2 and 10.0.0.3 whose ICMP layer only counts.
type host struct {
	wire *wiretest.Wire
	tun  *ip.Interface
	raw  *Stack
	icmp int
}

func (h *host) Input(_ time.Duration, _ *ip.Datagram, p *packet.Buffer) { h.icmp++; p.Free() }
func (h *host) HandleError(time.Duration, *ip.Error, []byte)            {}

func newHost(t *testing.T) *host {
	h := &host{wire: wiretest.New(1500, packet.Features{})}
	clk := &clock.Virtual{}
	stack := ip.New(ip.Config{Timers: &timer.Queue{}})
	ipv4.New(stack, ipv4.Config{})
	stack.Register(ip.ProtocolICMP, h)
	h.raw = New(stack, clk)
	var err error
	h.tun, err = stack.AddInterface("tun0", h.wire)
	require.NoError(t, err)
	require.NoError(t, h.tun.AddAddress(netip.MustParsePrefix("10.0.0.2/24")))
	require.NoError(t, h.tun.AddAddress(netip.MustParsePrefix("10.0.0.3/24")))
	return h
}

func (h *host) receive(from, to string, protocol uint8, payload string) []byte {
	b := header(from, to, protocol, payload)
	h.tun.Input(0, packet.From(b))
	return b
}

// header is a datagram with a header of 20 bytes, TTL 9 and identification 0x1234.
func header(from, to string, protocol uint8, payload string) []byte {
	b := append([]byte{0x45, 0x08, 0, 0, 0x12, 0x34, 0, 0, 9, protocol, 0, 0}, addr(from).AsSlice()...)
	b = append(append(b, addr(to).AsSlice()...), payload...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	checksum.Put(b[10:], ^checksum.Sum(b[:20], 0))
	return b
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// peer is an address as raw sockets have it, with port 0.
func peer(s string) netip.AddrPort { return netip.AddrPortFrom(addr(s), 0) }

func (e *Socket) reads(t *testing.T, want []byte) Datagram {
	t.Helper()
	b := make([]byte, 2000)
	n, d, err := e.Recv(b, false)
	require.NoError(t, err)
	require.Equal(t, want, b[:n])
	return d
}

func (e *Socket) empty(t *testing.T) {
	t.Helper()
	_, _, err := e.Recv(nil, false)
	require.Equal(t, syscall.EAGAIN, err)
}

// SOCK-046, ICMP-020: a raw socket gets a copy with the IP header, and the protocol gets the datagram.
func TestReceive(t *testing.T) {
	h := newHost(t)
	one, two, other := h.raw.NewSocket(ip.V4, 1), h.raw.NewSocket(ip.V4, 1), h.raw.NewSocket(ip.V4, 200)
	w := poll.NewWaiter()
	one.Waiters().Add(w, poll.In)
	b := h.receive("10.0.0.1", "10.0.0.2", 1, "\x08\x00\x00\x00ping")
	<-w.C
	require.Equal(t, poll.In|poll.Out, one.Ready())
	require.Equal(t, len(b), one.Buffered())
	want := Datagram{
		From: peer("10.0.0.1"), To: peer("10.0.0.2"),
		Interface: "tun0", TOS: 8, TTL: 9, Size: len(b),
	}
	require.Equal(t, want, one.reads(t, b))
	two.reads(t, b)
	other.empty(t)
	require.Equal(t, 1, h.icmp)

	b = h.receive("10.0.0.1", "10.0.0.2", 200, "any protocol")
	other.reads(t, b)
	one.empty(t)
	require.NoError(t, one.Close())
	require.Equal(t, syscall.EBADF, one.Close())
	h.receive("10.0.0.1", "10.0.0.2", 1, "\x08\x00\x00\x00ping")
	require.EqualValues(t, 4, h.raw.stats.InDatagrams.Value())
}

// SOCK-046: bind and connect select the datagrams that are received, and ICMP_FILTER the types.
func TestFilter(t *testing.T) {
	h := newHost(t)
	e := h.raw.NewSocket(ip.V4, 1)
	require.Equal(t, syscall.EADDRNOTAVAIL, e.Bind(peer("10.0.0.9")))
	require.NoError(t, e.Bind(peer("10.0.0.3")))
	h.receive("10.0.0.1", "10.0.0.2", 1, "\x00abc")
	e.empty(t)
	e.reads(t, h.receive("10.0.0.1", "10.0.0.3", 1, "\x00abc"))

	require.NoError(t, e.Connect(peer("10.0.0.1")))
	require.Equal(t, syscall.EINVAL, e.Bind(peer("10.0.0.2")))
	h.receive("10.0.0.7", "10.0.0.3", 1, "\x00abc")
	e.empty(t)
	e.reads(t, h.receive("10.0.0.1", "10.0.0.3", 1, "\x00abc"))
	require.Equal(t, []Status{{1, 0, addr("10.0.0.3"), addr("10.0.0.1")}}, h.raw.Sockets())

	require.NoError(t, e.Connect(netip.AddrPort{}))
	require.NoError(t, e.Bind(netip.AddrPort{}))
	e.SetOptions(func(o *Options) { o.ICMPFilter = ^uint32(1 << 0) }) // only echo replies
	h.receive("10.0.0.1", "10.0.0.2", 1, "\x08abc")
	e.empty(t)
	e.reads(t, h.receive("10.0.0.7", "10.0.0.2", 1, "\x00abc"))
	e.reads(t, h.receive("10.0.0.7", "10.0.0.2", 1, "\x40abc"))
	e.reads(t, h.receive("10.0.0.7", "10.0.0.2", 1, ""))
}

// SOCK-070: an error reaches the sockets that may have sent the datagram: its payload, or all of it with IP_HDRINCL.
func TestErrors(t *testing.T) {
	h := newHost(t)
	plain, connected, queued, whole, other := h.raw.NewSocket(ip.V4, 200), h.raw.NewSocket(ip.V4, 200), h.raw.NewSocket(ip.V4, 200), h.raw.NewSocket(ip.V4, 200), h.raw.NewSocket(ip.V4, 200)
	require.NoError(t, connected.Connect(peer("10.0.0.1")))
	require.NoError(t, other.Bind(peer("10.0.0.3")))
	queued.SetOptions(func(o *Options) { o.RecvErr = true })
	whole.SetOptions(func(o *Options) { o.RecvErr, o.HdrIncl = true, true })
	other.SetOptions(func(o *Options) { o.RecvErr = true })
	sent := header("10.0.0.2", "10.0.0.1", 200, "data data")
	advise := func(code uint8) {
		e := icmp.ErrorOf(icmp.Unreachable, code)
		e.From, e.Datagram = addr("10.0.0.9"), sent
		var quoted ipv4.Header
		require.True(t, quoted.Parse(sent))
		e.Quoted = quoted.Datagram
		h.raw.ip.HandleError(0, &e, sent[20:])
	}
	advise(icmp.CodeHost)
	require.NoError(t, connected.TakeError(), "a soft error")
	advise(icmp.CodeProtocol)
	require.Equal(t, syscall.ENOPROTOOPT, connected.TakeError())
	require.NoError(t, plain.TakeError())
	require.NoError(t, other.TakeError())
	for e, payload := range map[*Socket][]byte{queued: sent[20:], whole: sent} {
		first, err := e.RecvError()
		require.NoError(t, err)
		require.Equal(t, errqueue.Error{Errno: syscall.EHOSTUNREACH, Origin: errqueue.ICMP, Type: 3, Code: 1, Offender: addr("10.0.0.9"),
			To: netip.MustParseAddrPort("10.0.0.1:0"), Payload: payload}, first)
		require.Equal(t, syscall.ENOPROTOOPT, e.TakeError())
	}
}

// SOCK-032: the queue is bounded.
func TestBound(t *testing.T) {
	h := newHost(t)
	e := h.raw.NewSocket(ip.V4, 1)
	e.SetOptions(func(o *Options) { o.RcvBuf = 5000 })
	for range 10 {
		h.receive("10.0.0.1", "10.0.0.2", 1, "\x08abc")
	}
	require.EqualValues(t, 2, h.raw.stats.InDatagrams.Value())
	require.EqualValues(t, 8, h.raw.stats.DropFull.Value())
}

// SOCK-046, SOCK-043: the stack makes the header.
func TestSend(t *testing.T) {
	h := newHost(t)
	e := h.raw.NewSocket(ip.V4, 200)
	_, err := e.Send([]byte("x"), netip.AddrPort{}, netip.Addr{})
	require.Equal(t, syscall.EDESTADDRREQ, err)
	e.SetOptions(func(o *Options) { o.TOS, o.TTL, o.Discover = 4, 5, ip.DiscoverDo })
	n, err := e.Send([]byte("payload"), peer("10.0.0.1"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, 7, n)
	var ih ipv4.Header
	require.True(t, ih.Parse(h.wire.Sent[0].Data))
	require.Equal(t, []any{uint8(4), uint8(5), true, uint8(200), addr("10.0.0.2")}, []any{ih.TOS, ih.TTL, ih.DF, ih.Protocol, ih.Src})
	require.Equal(t, "payload", string(h.wire.Sent[0].Data[20:]))

	require.NoError(t, e.Connect(peer("10.0.0.1")))
	require.Equal(t, peer("10.0.0.2"), e.Local())
	mtu, err := e.PathMTU()
	require.NoError(t, err)
	require.Equal(t, 1500, mtu)
	_, err = e.Send([]byte("x"), netip.AddrPort{}, netip.Addr{})
	require.NoError(t, err)
	_, err = e.Send([]byte("x"), netip.AddrPort{}, addr("10.0.0.3"))
	require.NoError(t, err)
	require.Equal(t, addr("10.0.0.3").AsSlice(), h.wire.Sent[2].Data[12:16])

	require.NoError(t, e.Shutdown(false, true))
	_, err = e.Send([]byte("x"), netip.AddrPort{}, netip.Addr{})
	require.Equal(t, syscall.EPIPE, err)
}

// A multicast with TTL 0 does not leave the stack.
func TestMulticastStays(t *testing.T) { // SOCK-044
	h := newHost(t)
	e := h.raw.NewSocket(ip.V4, 200)
	for _, ttl := range []uint8{0, 2} {
		e.SetOptions(func(o *Options) { o.Multicast4.TTL = ttl })
		_, err := e.Send([]byte("x"), peer("224.0.0.9"), netip.Addr{})
		require.NoError(t, err)
	}
	require.Len(t, h.wire.Sent, 1)
	require.EqualValues(t, 2, h.wire.Last().Data[8])
}

// IPV6_HDRINCL: the stack does not compute a checksum, not even that of ICMPv6.
func TestHeaderIncluded6(t *testing.T) { // SOCK-047
	wire := wiretest.New(1500, packet.Features{})
	stack := ip.New(ip.Config{Timers: &timer.Queue{}})
	ipv6.New(stack, ipv6.Config{})
	tun, err := stack.AddInterface("tun0", wire)
	require.NoError(t, err)
	require.NoError(t, tun.AddAddress(netip.MustParsePrefix("2001:db8::2/64")))
	e := New(stack, &clock.Virtual{}).NewSocket(ip.V6, ip.ProtocolICMPv6)
	e.SetOptions(func(o *Options) { o.HdrIncl = true })
	whole := append([]byte{0x60, 1, 2, 3, 0, 8, ip.ProtocolICMPv6, 64}, append(addr("2001:db8::2").AsSlice(), addr("2001:db8::1").AsSlice()...)...)
	whole = append(whole, 128, 0, 0xab, 0xcd, 0, 0, 0, 0)
	_, err = e.Send(whole, peer("2001:db8::1"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, whole, wire.Last().Data)
}

func TestSendErrors(t *testing.T) {
	h := newHost(t)
	e := h.raw.NewSocket(ip.V4, 200)
	for _, tt := range []struct {
		size int
		to   string
		err  error
	}{
		{65516, "10.0.0.1", syscall.EMSGSIZE},
		{70000, "10.0.0.1", syscall.EMSGSIZE},
		{1, "192.0.2.1", syscall.ENETUNREACH},
		{1, "10.0.0.255", syscall.EACCES},
		{1, "::1", syscall.EAFNOSUPPORT},
	} {
		_, err := e.Send(make([]byte, tt.size), peer(tt.to), netip.Addr{})
		require.Equal(t, tt.err, err, "%d bytes to %s", tt.size, tt.to)
	}
	require.Empty(t, h.wire.Sent)
}

// SOCK-047: with IP_HDRINCL the caller's header is sent, with its empty fields filled in.
func TestHeaderIncluded(t *testing.T) {
	h := newHost(t)
	e := h.raw.NewSocket(ip.V4, ProtocolRaw)
	require.True(t, e.Options().HdrIncl)
	want := header("10.0.0.77", "10.0.0.1", 200, "payload")
	given := append([]byte(nil), want...)
	copy(given[2:], "\xff\xff")
	copy(given[10:], "\xff\xff")
	_, err := e.Send(given, peer("10.0.0.1"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, want, h.wire.Sent[0].Data)

	clear(given[4:6])
	clear(given[12:16])
	_, err = e.Send(given, peer("10.0.0.1"), netip.Addr{})
	require.NoError(t, err)
	var ih ipv4.Header
	require.True(t, ih.Parse(h.wire.Sent[1].Data))
	require.Equal(t, addr("10.0.0.2"), ih.Src)
	require.NotZero(t, ih.ID)
	_, err = e.Send([]byte("short"), peer("10.0.0.1"), netip.Addr{})
	require.Equal(t, syscall.EINVAL, err)

	h.receive("10.0.0.1", "10.0.0.2", ProtocolRaw, "x")
	e.empty(t)
}

// SOCK-024, SOCK-029: reading ends after the queued datagrams; Close ends all calls.
func TestShutdown(t *testing.T) {
	h := newHost(t)
	e := h.raw.NewSocket(ip.V4, 1)
	b := h.receive("10.0.0.1", "10.0.0.2", 1, "\x08abc")
	require.Equal(t, syscall.ENOTCONN, e.Shutdown(true, false))
	e.reads(t, b)
	e.reads(t, []byte{})
	require.NoError(t, e.Groups().Join(addr("224.0.0.251"), h.tun))
	require.NoError(t, e.Close())
	require.False(t, h.tun.Joined(addr("224.0.0.251")))
	_, err := e.Send(nil, peer("10.0.0.1"), netip.Addr{})
	require.Equal(t, syscall.EBADF, err)
	require.Empty(t, h.raw.Sockets())
}

func TestNoAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	h := newHost(t)
	e := h.raw.NewSocket(ip.V4, 1)
	in := header("10.0.0.1", "10.0.0.2", 1, "\x08abc")
	b := make([]byte, 100)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		h.tun.Input(0, packet.From(in))
		_, _, err := e.Recv(b, false)
		require.NoError(t, err)
	}))
}
