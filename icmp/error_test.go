package icmp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ipv4"
)

func TestPortUnreachable(t *testing.T) { // ICMP-003, ICMP-004, ICMP-010
	l := newLab(t, ipv4.Config{}, Config{})
	for i, tt := range []struct{ options, n, quoted int }{{0, 0, 20}, {0, 8, 28}, {4, 9, 33}, {0, 1000, 548}, {40, 1000, 548}} {
		h := from(peerAddr, otherAddr, ip.ProtocolUDP)
		h.Options = make([]byte, tt.options)
		for i := range h.Options {
			h.Options[i] = 1
		}
		b := datagram(h, pattern(tt.n))
		out := l.recv(b)
		require.Len(t, out, 1, i)
		require.Equal(t, msg(Unreachable, CodePort, [4]byte{}, b[:tt.quoted]), out[0].icmp)
		require.Equal(t, [2]netip.Addr{otherAddr, peerAddr}, [2]netip.Addr{out[0].h.Src, out[0].h.Dst})
		require.LessOrEqual(t, int(out[0].h.TotalLen), 576)
		require.Equal(t, uint8(0), out[0].h.TOS)
	}
}

func TestSilence(t *testing.T) { // ICMP-005, ICMP-006, ICMP-007, ICMP-008
	l := newLab(t, ipv4.Config{}, Config{})
	closed := func(src, dst string) []byte {
		return datagram(from(netip.MustParseAddr(src), netip.MustParseAddr(dst), ip.ProtocolUDP), pattern(20))
	}
	require.Len(t, l.recv(closed("10.0.0.1", "10.0.0.2")), 1, "the measure: this one is answered")
	require.Empty(t, l.recvAs(closed("10.0.0.1", "10.0.0.255"), packet.Broadcast))
	require.Empty(t, l.recvAs(closed("10.0.0.1", "10.0.0.255"), packet.Unicast))
	require.Empty(t, l.recvAs(closed("10.0.0.1", "224.0.0.1"), packet.Multicast))
	require.Empty(t, l.recvAs(closed("0.0.0.0", "255.255.255.255"), packet.Broadcast))

	about := func(h ipv4.Header, payload []byte) int {
		p := packet.From(datagram(h, payload))
		h.In, h.HeaderLen = l.eth0, h.Len()
		l.Report(l.now, ip.Error{Kind: ip.ProtocolUnreachable}, &h.Datagram, p)
		p.Free()
		return len(l.take())
	}
	require.Equal(t, 1, about(from(peerAddr, ownAddr, 199), pattern(20)))
	for _, src := range []string{"0.0.0.0", "127.0.0.1", "255.255.255.255", "10.0.0.255", "224.0.0.5", "240.0.0.1"} {
		require.Zero(t, about(from(netip.MustParseAddr(src), ownAddr, 199), pattern(20)), src)
	}
	fragment := from(peerAddr, ownAddr, 199)
	fragment.Offset = 8
	require.Zero(t, about(fragment, pattern(20)))
	fragment.Offset, fragment.MF = 0, true
	require.Equal(t, 1, about(fragment, pattern(20)), "the first fragment")

	for kind := range 20 {
		want := 0
		switch kind {
		case 0, 8, 13, 14, 15, 16, 17, 18:
			want = 1
		}
		l.now += time.Second
		require.Equal(t, want, about(from(peerAddr, ownAddr, 1), msg(byte(kind), 0, idSeq, pattern(28))), "ICMP type %d", kind)
	}
	require.Zero(t, about(from(peerAddr, ownAddr, 1), nil), "an ICMP message without a type")
}

func TestNoErrorAboutAnErrorWithABadOption(t *testing.T) { // ICMP-005, ICMP-012
	l := newLab(t, ipv4.Config{}, Config{})
	h := from(peerAddr, ownAddr, ip.ProtocolICMP)
	h.Options = []byte{1, 30, 0, 0}
	b := datagram(h, ping(8))
	out := l.recv(b)
	require.Equal(t, msg(ParameterProblem, 0, [4]byte{21}, b), out[0].icmp)
	require.Empty(t, l.recv(datagram(h, msg(Unreachable, 1, [4]byte{}, pattern(28)))))
}

func TestForwardersErrors(t *testing.T) { // IP-042, IP-045, IP-049: what the messages carry
	l := newLabWith(t, ip.Config{Forwarding: true, SendRedirects: true}, ipv4.Config{}, Config{})
	h := from(netip.MustParseAddr("10.0.0.7"), farAddr, ip.ProtocolUDP)
	h.TTL = 1
	b := datagram(h, pattern(20))
	require.Equal(t, msg(TimeExceeded, CodeTTL, [4]byte{}, b), l.recv(b)[0].icmp)

	h.TTL = 9
	b = datagram(h, pattern(20))
	out := l.recv(b)
	require.Len(t, out, 2)
	require.Equal(t, msg(Redirect, 1, [4]byte{10, 0, 0, 1}, b), out[0].icmp)
	require.Equal(t, farAddr, out[1].h.Dst, "forwarded all the same")

	m := message(&ip.Error{Kind: ip.TooBig, MTU: 576}, packet.From(b), maxError)
	require.Equal(t, msg(Unreachable, CodeFragNeeded, [4]byte{0, 0, 2, 64}, b), m.Bytes())
}

func TestRateLimit(t *testing.T) { // ICMP-023
	closed := func(src netip.Addr) []byte { return datagram(from(src, ownAddr, ip.ProtocolUDP), pattern(20)) }
	peer := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i)}) }
	flood := func(l *lab, peers int) (n int) {
		for i := range 1000 {
			n += len(l.recv(closed(peer(i % peers))))
		}
		return n
	}
	l := newLab(t, ipv4.Config{}, Config{})
	require.Equal(t, 6, flood(l, 1), "the burst to one host")
	require.Equal(t, 6, flood(l, 2), "another one has its own")
	l.now += time.Second
	require.Equal(t, 2, flood(l, 2), "then one per second each")
	l.now += time.Minute
	require.InDelta(t, 50, flood(l, 100), 25, "the burst to all, an error costing one token on average")
	sent := 0
	for range 100 {
		l.now += 10 * time.Second // every peer has its own burst again
		flood(l, 100)
		l.now += 10 * time.Millisecond
		sent += flood(l, 100)
	}
	require.InDelta(t, 1000, sent, 150, "then 1000 per second")

	l = newLab(t, ipv4.Config{}, Config{Rate: 10, Burst: 3, PeerInterval: -1})
	sent = flood(l, 1)
	for range 100 {
		l.now += 100 * time.Millisecond
		sent += flood(l, 1)
	}
	require.InDelta(t, 103, sent, 30)
	l = newLab(t, ipv4.Config{}, Config{Rate: -1, PeerInterval: time.Millisecond, PeerBurst: 2})
	require.Equal(t, 200, flood(l, 100))
	require.Equal(t, 1000, flood(newLab(t, ipv4.Config{}, Config{Rate: -1, PeerInterval: -1}), 1))
}

// Somebody sends datagrams with forged sources to 50 ports, and learns from the answer to one of his own whether all of them are
// closed (SADDNS, Man and others, 2020). He must not do better than by chance.
func TestTheLimitTellsNothingOfPorts(t *testing.T) { // ICMP-023
	const batches, ports = 1000, 50
	l := newLab(t, ipv4.Config{}, Config{})
	l.ip.Register(ip.ProtocolUDP, &open{l.udp, 53})
	right := 0
	for batch := range batches {
		isOpen := batch%2 == 0
		l.now += time.Minute
		for i := range ports {
			port := byte(100 + i)
			if isOpen && i == 17 {
				port = 53
			}
			l.recv(datagram(from(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), ownAddr, ip.ProtocolUDP), []byte{0, 9, 0, port, 0, 8, 0, 0}))
		}
		heard := len(l.recv(datagram(from(peerAddr, ownAddr, ip.ProtocolUDP), pattern(20)))) > 0
		if heard == isOpen {
			right++
		}
	}
	require.InDelta(t, batches/2, right, 60) // four standard deviations of guessing
}

// open is a udp with one open port.
type open struct {
	udp
	port byte
}

func (o *open) Input(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	if p.Bytes()[3] == o.port {
		p.Free()
		return
	}
	o.udp.Input(now, d, p)
}

// sentUDP is a datagram of ours, with ports in its first octets.
func sentUDP() []byte {
	return datagram(from(ownAddr, farAddr, ip.ProtocolUDP), []byte{0x30, 0x39, 0, 53, 0, 28, 0, 0, 1, 2, 3})
}

func TestErrorsReachTheirTransport(t *testing.T) { // ICMP-011
	l := newLab(t, ipv4.Config{}, Config{})
	h := from(ownAddr, farAddr, ip.ProtocolUDP)
	h.Options = []byte{148, 4, 0, 0}
	for _, quote := range [][]byte{sentUDP(), datagram(h, pattern(8))} {
		for _, tt := range []ip.Error{
			{Type: Unreachable, Code: CodeHost}, {Type: Unreachable, Code: CodePort},
			{Type: Unreachable, Code: CodeFragNeeded, MTU: 1200}, {Type: TimeExceeded, Code: CodeTTL},
			{Type: ParameterProblem, Pointer: 9},
		} {
			rest := [4]byte{byte(tt.Pointer)}
			binary.BigEndian.PutUint16(rest[2:], uint16(tt.MTU))
			require.Empty(t, l.recvError(peerAddr, tt.Type, tt.Code, rest, quote))
			require.Len(t, l.udp.advice, 1)
			e, q := l.udp.advice[0], l.udp.quoted[0]
			l.udp.advice, l.udp.quoted = nil, nil
			require.Equal(t, farAddr, e.Quoted.Dst)
			require.Equal(t, peerAddr, e.From)
			require.Equal(t, quote[e.Quoted.HeaderLen:], q)
			require.Equal(t, quote, e.Datagram)
			want := ErrorOf(tt.Type, tt.Code)
			want.MTU, want.Pointer = tt.MTU, tt.Pointer
			require.Equal(t, l.eth0, e.In)
			e.Quoted, e.Datagram, e.From, e.In = ip.Datagram{}, nil, netip.Addr{}, nil
			require.Equal(t, want, e)
		}
	}
	r, err := l.ip.Route(farAddr, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, 1500, r.MTU(), "it is the transport that believes a Fragmentation Needed, or not")
}

func TestErrorsAboutNothing(t *testing.T) { // ICMP-011, SEC-015
	l := newLab(t, ipv4.Config{}, Config{})
	foreign := datagram(from(peerAddr, farAddr, ip.ProtocolUDP), pattern(8))
	late := from(ownAddr, farAddr, ip.ProtocolUDP)
	late.Offset = 8
	long := sentUDP()
	long[0] = 4<<4 | 15
	for _, quote := range [][]byte{nil, sentUDP()[:19], sentUDP()[:27], foreign, datagram(late, pattern(8)), long} {
		require.Empty(t, l.recvError(peerAddr, Unreachable, CodePort, [4]byte{}, quote))
	}
	require.Equal(t, uint64(6), l.stats.DropQuote.Value())
	require.Empty(t, l.udp.advice)
}

func TestPathMTUOfPings(t *testing.T) { // IP-038, SEC-010
	l := newLab(t, ipv4.Config{}, Config{})
	r, err := l.ip.Route(farAddr, netip.Addr{})
	require.NoError(t, err)
	require.NoError(t, l.ip.Send(l.now, r, ip.Outgoing{DontFragment: true, Protocol: ip.ProtocolICMP}, packet.From(ping(1400))))
	tooBig := func(payload []byte) int {
		l.recvError(peerAddr, Unreachable, CodeFragNeeded, [4]byte{0, 0, 0x04, 0xb0}, datagram(from(ownAddr, farAddr, 1), payload))
		return r.MTU()
	}
	require.Equal(t, 1500, tooBig(ping(1401)), "an echo request that was not sent")
	require.Equal(t, 1200, tooBig(ping(1400)))
}

func TestReceivedRedirects(t *testing.T) { // ICMP-013, ICMP-014
	for _, code := range []byte{0, 1} { // a network's and a host's
		l := newLab(t, ipv4.Config{}, Config{})
		gateway := func() string {
			for _, r := range l.ip.Routes() {
				if r.Redirect {
					return r.Prefix.String() + " " + r.Gateway.String()
				}
			}
			return ""
		}
		r, err := l.ip.Route(farAddr, netip.Addr{})
		require.NoError(t, err)
		require.NoError(t, l.ip.Send(l.now, r, ip.Outgoing{DontFragment: true, Protocol: ip.ProtocolICMP}, packet.From(ping(100))))
		sent, forged := datagram(from(ownAddr, farAddr, 1), ping(100)), datagram(from(ownAddr, farAddr, 1), ping(101))
		l.recvError(netip.MustParseAddr("10.0.0.66"), Redirect, code, [4]byte{10, 0, 0, 9}, sent)
		l.recvError(peerAddr, Redirect, code, [4]byte{172, 16, 0, 9}, sent)
		l.recvError(peerAddr, Redirect, code, [4]byte{10, 0, 0, 9}, forged)
		require.Empty(t, gateway())
		l.recvError(peerAddr, Redirect, code, [4]byte{10, 0, 0, 9}, sent)
		require.Equal(t, "192.0.2.9/32 10.0.0.9", gateway())

		l.recvError(peerAddr, Redirect, code, [4]byte{10, 0, 0, 9}, sentUDP())
		require.Equal(t, ip.Redirect, l.udp.advice[0].Kind, "the transport believes it, or not")
	}
}

func FuzzMessage(f *testing.F) { // SEC-015: octets as a message, with a good checksum
	f.Add(ping(8), true)
	f.Add(msg(Unreachable, CodePort, [4]byte{}, sentUDP()), false)
	f.Add(msg(Redirect, 1, [4]byte{10, 0, 0, 9}, sentUDP()), true)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if len(b) > 1400 {
			return
		}
		if fix && len(b) >= HeaderLen {
			b = slices.Clone(b)
			putChecksum(b)
		}
		l := newLab(t, ipv4.Config{}, Config{TimeOfDay: func() time.Duration { return 0 }})
		for _, r := range l.recv(datagram(from(peerAddr, ownAddr, 1), b)) {
			if r.h.Dst != peerAddr || r.icmp[0] != EchoReply && r.icmp[0] != TimestampReply {
				t.Fatalf("answered % x", r.icmp)
			}
		}
		for i, e := range l.udp.advice {
			if !l.ip.IsLocal(e.Quoted.Src) || len(l.udp.quoted[i]) < quotedLen {
				t.Fatalf("advised of %+v", e)
			}
		}
	})
}

func FuzzQuote(f *testing.F) { // ICMP-011: the parser of quoted headers, with options and cut off
	f.Add(sentUDP())
	f.Add(sentUDP()[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		e, quoted, ok := parseError(peerAddr, msg(Unreachable, 0, [4]byte{}, b))
		if !ok {
			require.Nil(t, quoted)
			return
		}
		require.Equal(t, len(b), e.Quoted.HeaderLen+len(quoted))
		require.GreaterOrEqual(t, len(quoted), quotedLen)
		again := datagram(ipv4.Header{Datagram: e.Quoted}, nil)
		require.Equal(t, again[12:], b[12:e.Quoted.HeaderLen])
	})
}
