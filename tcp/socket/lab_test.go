package socket

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
	"tunstack/link"
	"tunstack/tcp"
)

// Where the tests listen and where their peer is, of each family.
var (
	here, there   = ap("10.0.0.2:7"), ap("10.0.0.1:1000")
	here6, there6 = ap("[2001:db8::2]:7"), ap("[2001:db8::1]:1000")
)

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// frame is a segment that was sent, in its datagram.
type frame struct {
	ip ipv4.Header
	tcp.Segment
	queue   uint16
	offload packet.Offload
}

// lab is a host at 10.0.0.2/24 and 10.0.0.3 with a loopback and a wire, seen by the test from the other end. Time is virtual.
type lab struct {
	*Stack
	t           testing.TB
	clk         clock.Virtual
	timers      timer.Queue
	wire        *wiretest.Wire
	tun         *ip.Interface
	here, there netip.AddrPort // of the family
}

func newLab(t testing.TB, change ...func(*Config)) *lab {
	return newLabOn(t, packet.Features{}, change...)
}

// newLabOn makes one whose device has features.
func newLabOn(t testing.TB, f packet.Features, change ...func(*Config)) *lab {
	return newLabOf(t, ip.V4, f, change...)
}

// newLabOf makes one of a family; that of IPv6 is at 2001:db8::2/64.
func newLabOf(t testing.TB, v ip.Versions, f packet.Features, change ...func(*Config)) *lab {
	l := &lab{t: t, wire: wiretest.New(1500, f), here: here, there: there}
	stack := ip.New(ip.Config{Timers: &l.timers})
	own := []string{"10.0.0.2/24", "10.0.0.3/24"}
	if v == ip.V6 {
		l.here, l.there, own = here6, there6, []string{"2001:db8::2/64"}
		ipv6.New(stack, ipv6.Config{})
	} else {
		ipv4.New(stack, ipv4.Config{AcceptSourceRouted: true})
	}
	cfg := Config{Clock: &l.clk, Timers: &l.timers, Rand: rand.NewChaCha8([32]byte{1})}
	for _, f := range change {
		f(&cfg)
	}
	l.Stack = New(stack, cfg)
	loopback := link.NewLoopback(&l.timers)
	lo, err := stack.AddLoopback("lo", loopback)
	require.NoError(l.t, err)
	loopback.SetHandler(lo)
	l.tun, err = stack.AddInterface("tun0", l.wire)
	require.NoError(l.t, err)
	for _, a := range own {
		require.NoError(l.t, l.tun.AddAddress(netip.MustParsePrefix(a)))
	}
	everything := netip.PrefixFrom(v.Wildcard(), 0)
	require.NoError(l.t, stack.AddRoute(ip.RouteEntry{Prefix: everything, Gateway: l.there.Addr()}))
	if v == ip.V6 {
		l.after(time.Minute) // until the groups of the address are reported
		l.wire.Take()
	}
	return l
}

// after lets d pass, each timer in its turn.
func (l *lab) after(d time.Duration) {
	l.timers.Follow(l.clk.Now(), l.clk.Now()+d, l.clk.Set)
}

// take returns the frames that were sent since the last call.
func (l *lab) take() (frames []frame) {
	l.t.Helper()
	for _, d := range l.wire.Take() {
		frames = append(frames, l.parse(d))
	}
	return frames
}

// parse takes a datagram that was sent apart, as the device completes it. TCP-003: the checksum is right.
func (l *lab) parse(d wiretest.Datagram) frame {
	l.t.Helper()
	p := packet.From(d.Data)
	defer p.Free()
	p.Offload = d.Offload
	p.CompleteChecksum()
	f := frame{queue: d.Queue, offload: p.Offload}
	if p.Bytes()[0]>>4 == 6 {
		var h ipv6.Header
		require.True(l.t, h.Parse(p.Bytes()))
		f.ip.Datagram = h.Datagram
	} else {
		require.True(l.t, f.ip.Parse(p.Bytes()))
	}
	b := slices.Clone(p.Bytes()[f.ip.HeaderLen:])
	require.NoError(l.t, f.Parse(b))
	if f.offload.Segmentation == packet.SegmentNone && len(f.ip.Options) == 0 {
		require.EqualValues(l.t, 0xffff, checksum.Sum(b, checksum.Pseudo(f.ip.Src, f.ip.Dst, ip.ProtocolTCP, len(b))), "%v", &f.Segment)
	}
	return f
}

// one is the only segment sent since the last call.
func (l *lab) one() frame {
	l.t.Helper()
	sent := l.take()
	require.Len(l.t, sent, 1)
	return sent[0]
}

// silent requires that nothing was sent.
func (l *lab) silent(about ...any) {
	l.t.Helper()
	require.Empty(l.t, l.take(), about...)
}

// datagram is a segment on its way from one end to another, with IP options if there are any.
func datagram(from, to netip.AddrPort, s tcp.Segment, options ...byte) []byte {
	s.SrcPort, s.DstPort = from.Port(), to.Port()
	if to.Addr().Is6() {
		return datagram6(from.Addr(), to.Addr(), &s)
	}
	n := ipv4.HeaderLen + (len(options)+3)&^3
	b := make([]byte, n+s.HeaderLen(), n+s.HeaderLen()+len(s.Payload))
	s.PutHeader(b[n:])
	b = append(b, s.Payload...)
	checksum.Put(b[n+16:], ^checksum.Sum(b[n:], checksum.Pseudo(from.Addr(), to.Addr(), ip.ProtocolTCP, len(b)-n)))
	b[0], b[8], b[9] = 4<<4|byte(n/4), 64, ip.ProtocolTCP
	if s.CE {
		b[1] = ecnCE
	}
	b[2], b[3] = byte(len(b)>>8), byte(len(b))
	copy(b[12:], from.Addr().AsSlice())
	copy(b[16:], to.Addr().AsSlice())
	copy(b[20:], options)
	checksum.Put(b[10:], ^checksum.Sum(b[:n], 0))
	return b
}

func datagram6(from, to netip.Addr, s *tcp.Segment) []byte {
	const n = ipv6.HeaderLen
	b := make([]byte, n+s.HeaderLen(), n+s.HeaderLen()+len(s.Payload))
	s.PutHeader(b[n:])
	b = append(b, s.Payload...)
	checksum.Put(b[n+16:], ^checksum.Sum(b[n:], checksum.Pseudo(from, to, ip.ProtocolTCP, len(b)-n)))
	b[0], b[6], b[7] = 6<<4, ip.ProtocolTCP, 64
	b[4], b[5] = byte((len(b)-n)>>8), byte(len(b)-n)
	copy(b[8:], from.AsSlice())
	copy(b[24:], to.AsSlice())
	return b
}

// recv is a segment that comes in by the wire.
func (l *lab) recv(from, to netip.AddrPort, s tcp.Segment, options ...byte) {
	l.tun.Input(l.clk.Now(), packet.From(datagram(from, to, s, options...)))
}

// recvError is an ICMP error about a segment that was sent.
func (l *lab) recvError(kind, code uint8, mtu uint16, f frame) {
	h := f.ip
	b := make([]byte, f.HeaderLen())
	f.PutHeader(b)
	e := icmp.ErrorOf(kind, code)
	e.MTU, e.From, e.Quoted = int(mtu), there.Addr(), h.Datagram
	l.ip.HandleError(l.clk.Now(), &e, b[:8])
}

// listen is a listener at an address.
func (l *lab) listen(at netip.AddrPort, backlog int) *Socket {
	l.t.Helper()
	so := l.NewSocket(ip.VersionOf(at.Addr()))
	require.NoError(l.t, so.Bind(at))
	require.NoError(l.t, so.Listen(backlog))
	return so
}

// empty requires that no connection, listener or timer is left, and the port of the listeners is free.
func (l *lab) empty() {
	l.t.Helper()
	require.Empty(l.t, l.Sockets())
	require.Zero(l.t, l.timers.Len())
	l.free(here.Port())
}

// free requires that a port is not reserved.
func (l *lab) free(port uint16) {
	l.t.Helper()
	r, err := l.ports.Bind(netip.AddrPortFrom(netip.IPv4Unspecified(), port), 0)
	require.NoError(l.t, err, "port %d", port)
	l.ports.Release(r)
}

// state is the state of the only connection in netstat; "" if there is none.
func (l *lab) state() string {
	l.t.Helper()
	var states []string
	for _, row := range l.Sockets() {
		if row.State != "LISTEN" {
			states = append(states, row.State)
		}
	}
	if len(states) == 0 {
		return ""
	}
	require.Len(l.t, states, 1)
	return states[0]
}

// peer is the test's end of a connection. Its fields describe the next segment.
type peer struct {
	l        *lab
	so       *Socket // the host's end
	at, to   netip.AddrPort
	seq, ack tcp.Seq
	options  tcp.Options // of each segment
}

// connect is an active open of the host to there, whose SYN has been sent.
func (l *lab) connect() *peer {
	l.t.Helper()
	so := l.NewSocket(ip.VersionOf(l.there.Addr()))
	require.Equal(l.t, syscall.EINPROGRESS, so.Connect(l.there))
	syn := l.one()
	require.Equal(l.t, tcp.SYN, syn.Flags)
	return &peer{l: l, so: so, at: l.there, to: netip.AddrPortFrom(syn.ip.Src, syn.SrcPort), seq: 5000, ack: syn.Seq + 1}
}

// active is an open connection that the host opened.
func (l *lab) active() *peer {
	l.t.Helper()
	p := l.connect()
	p.sends(tcp.SYN|tcp.ACK, "")
	require.Equal(l.t, tcp.ACK, l.one().Flags)
	return p
}

// dial is a passive open of the host at here, whose SYN,ACK has been sent.
func (l *lab) dial(from netip.AddrPort) *peer {
	l.t.Helper()
	p := &peer{l: l, at: from, to: l.here, seq: 5000}
	p.sends(tcp.SYN, "")
	p.learn()
	return p
}

// learn takes the SYN,ACK.
func (p *peer) learn() {
	p.l.t.Helper()
	synAck := p.l.one()
	require.Equal(p.l.t, tcp.SYN|tcp.ACK, synAck.Flags)
	require.Equal(p.l.t, p.seq, synAck.Ack) // TCP-133
	p.ack = synAck.Seq + 1
}

// sends puts in a segment of the peer's.
func (p *peer) sends(flags tcp.Flags, payload string, ipOptions ...byte) {
	s := p.segment(flags, payload)
	p.l.recv(p.at, p.to, s, ipOptions...)
	p.seq = s.End()
}

func (p *peer) segment(flags tcp.Flags, payload string) tcp.Segment {
	s := tcp.Segment{Flags: flags, Seq: p.seq, Wnd: 65535, Payload: []byte(payload), Options: p.options}
	if flags.Has(tcp.ACK) {
		s.Ack = p.ack
	}
	if flags.Has(tcp.SYN) {
		s.Options.MSS = 1460
	}
	return s
}

// acks acknowledges all that was sent since the last call, and returns that.
func (p *peer) acks() []frame {
	p.l.t.Helper()
	sent := p.l.take()
	require.NotEmpty(p.l.t, sent)
	p.ack = sent[len(sent)-1].End()
	p.sends(tcp.ACK, "")
	return sent
}

// accept finishes the handshake and takes the connection from its listener.
func (p *peer) accept(listener *Socket) *peer {
	p.l.t.Helper()
	p.sends(tcp.ACK, "")
	var err error
	p.so, err = listener.Accept()
	require.NoError(p.l.t, err)
	return p
}

// reads requires the next bytes of the stream.
func (so *Socket) reads(t testing.TB, want string) {
	t.Helper()
	b := make([]byte, len(want)+100)
	n, err := so.Read(b, false)
	require.NoError(t, err)
	require.Equal(t, want, string(b[:n]))
}

// writes queues a text.
func (so *Socket) writes(t testing.TB, text string) {
	t.Helper()
	n, err := so.Write([]byte(text), false)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

// fails requires Read to fail.
func (so *Socket) fails(t testing.TB, want error) {
	t.Helper()
	_, err := so.Read(make([]byte, 1), false)
	require.Equal(t, want, err)
}

// header is the IP header of a datagram.
func (l *lab) header(b []byte) (h ipv4.Header) {
	l.t.Helper()
	require.True(l.t, h.Parse(b))
	return h
}

// start is a segment without its window and options.
func (f frame) start() string {
	text, _, _ := strings.Cut(f.String(), " win ")
	return text
}

// batch is a segment that comes in as one of a batch.
func (l *lab) batch(b *packet.Batch, from, to netip.AddrPort, s tcp.Segment) {
	p := packet.From(datagram(from, to, s))
	p.Batch = b
	l.tun.Input(l.clk.Now(), p)
}

// listenerOf is the state of a socket that listens.
func listenerOf(so *Socket) *listener { return so.state.(*listener) }

// conn is the state of the peer's other end.
func (p *peer) conn() *connection { return p.so.state.(*connection) }
