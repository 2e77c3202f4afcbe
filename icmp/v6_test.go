package icmp

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv6"
)

func TestEcho6(t *testing.T) { // ICMP6-002, ICMP6-012
	l := newLab6(t, ip.Config{}, Config{})
	for _, dst := range []netip.Addr{own6, other6} {
		for _, n := range []int{0, 1400} {
			b := ping6(peer6, dst, n)
			r := l.recv(b)
			require.Len(t, r, 1)
			require.Equal(t, [2]netip.Addr{dst, peer6}, [2]netip.Addr{r[0].h.Src, r[0].h.Dst})
			require.Equal(t, byte(EchoReply6), r[0].icmp[0])
			require.Equal(t, b[ipv6.HeaderLen+4:], r[0].icmp[4:])
		}
	}
	p := packet.From(ping6(peer6, own6, 60000))
	l.eth0.Input(l.now, p)
	require.Len(t, l.take(), 42, "in fragments")
}

func TestEchoToGroup6(t *testing.T) { // ICMP6-002, ICMP6-013
	l := newLab6(t, ip.Config{}, Config{})
	r := l.recv(ping6(peer6, netip.MustParseAddr("ff02::1"), 8))
	require.Len(t, r, 1)
	require.Equal(t, own6, r[0].h.Src)
	r = l.recv(ping6(netip.MustParseAddr("fe80::9"), netip.MustParseAddr("ff02::1"), 8))
	require.Len(t, r, 1)
	require.Equal(t, netip.MustParseAddr("fe80::2"), r[0].h.Src)
	require.Equal(t, netip.MustParseAddr("fe80::9"), r[0].out.NextHop)

	router := newLab6(t, ip.Config{Forwarding: true}, Config{})
	r = router.recv(ping6(peer6, netip.MustParseAddr("2001:db8::"), 8))
	require.Len(t, r, 1)
	require.Equal(t, own6, r[0].h.Src, "not the anycast address")
}

func TestChecksum6(t *testing.T) { // ICMP6-001
	l := newLab6(t, ip.Config{}, Config{})
	b := ping6(peer6, own6, 8)
	message := b[ipv6.HeaderLen:]
	putChecksum(message) // as in IPv4: without the pseudo-header
	require.Empty(t, l.recv(b))
	require.Equal(t, uint64(1), l.stats.DropChecksum.Value())
	require.Empty(t, l.recv(datagram6(peer6, own6, ip.ProtocolICMPv6, pattern(7))))
	require.Equal(t, uint64(1), l.stats.DropTruncated.Value())
}

func TestUnknownTypes6(t *testing.T) { // ICMP6-003, ICMP6-004
	l := newLab6(t, ip.Config{}, Config{})
	require.Empty(t, l.recv(msg6(peer6, own6, 200, 0, 0, pattern(8))))
	require.Equal(t, uint64(1), l.stats.DropUnknown.Value())
	advice := l.fails(101, 3, 0, fromUDP(far6, 20))
	require.Len(t, advice, 1)
	require.Equal(t, ip.OtherError, advice[0].Kind)
	require.Equal(t, uint8(101), advice[0].Type)
	require.Equal(t, own6, advice[0].Quoted.Src)
}

func TestReceivedErrors6(t *testing.T) { // ICMP6-003: Linux's errors, also behind extension headers
	l := newLab6(t, ip.Config{}, Config{})
	for _, c := range []struct {
		typ, code byte
		kind      ip.Kind
		errno     syscall.Errno
		hard      bool
	}{
		{Unreachable6, 0, ip.NetUnreachable, syscall.ENETUNREACH, false},
		{Unreachable6, 1, ip.Prohibited, syscall.EACCES, true},
		{Unreachable6, 2, ip.BeyondScope, syscall.EHOSTUNREACH, false},
		{Unreachable6, 3, ip.HostUnreachable, syscall.EHOSTUNREACH, false},
		{Unreachable6, 4, ip.PortUnreachable, syscall.ECONNREFUSED, true},
		{Unreachable6, 5, ip.Prohibited, syscall.EACCES, true},
		{Unreachable6, 6, ip.Prohibited, syscall.EACCES, true},
		{Unreachable6, 7, ip.OtherError, syscall.EPROTO, true},
		{PacketTooBig, 0, ip.TooBig, syscall.EMSGSIZE, false},
		{TimeExceeded6, 0, ip.TTLExceeded, syscall.EHOSTUNREACH, false},
		{TimeExceeded6, 1, ip.ReassemblyTimeout, syscall.EHOSTUNREACH, false},
		{ParameterProblem6, 0, ip.BadParameter, syscall.EPROTO, true},
		{ParameterProblem6, 1, ip.ProtocolUnreachable, syscall.EPROTO, true},
		{ParameterProblem6, 2, ip.BadParameter, syscall.EPROTO, true},
	} {
		for _, quote := range [][]byte{fromUDP(far6, 20), withOptions(fromUDP(far6, 20))} {
			advice := l.fails(c.typ, c.code, 1400, quote)
			require.Len(t, advice, 1)
			e := advice[0]
			require.Equal(t, c.kind, e.Kind)
			require.Equal(t, c.errno, e.Errno)
			require.Equal(t, c.hard, e.Hard)
			require.Equal(t, uint8(ip.ProtocolUDP), e.Quoted.Protocol)
			require.Equal(t, quote, e.Datagram)
		}
	}
	for _, quote := range [][]byte{fromUDP(far6, 20)[:47], datagram6(far6, own6, ip.ProtocolUDP, pattern(20)), pattern(60)} {
		require.Empty(t, l.fails(Unreachable6, 4, 0, quote))
	}
	require.Equal(t, uint64(3), l.stats.DropQuote.Value())
}

// withOptions is a datagram with a Destination Options header.
func withOptions(b []byte) []byte {
	c := append([]byte(nil), b[:ipv6.HeaderLen]...)
	c = append(c, b[6], 0, 1, 4, 0, 0, 0, 0)
	c[6] = 60
	binary.BigEndian.PutUint16(c[4:], uint16(len(b)-ipv6.HeaderLen+8))
	return append(c, b[ipv6.HeaderLen:]...)
}

func TestPortUnreachable6(t *testing.T) { // ICMP6-005, ICMP6-009
	l := newLab6(t, ip.Config{}, Config{PeerInterval: -1})
	for _, n := range []int{20, 1452} {
		b := datagram6(peer6, other6, ip.ProtocolUDP, pattern(n))
		r := l.recv(b)
		require.Len(t, r, 1)
		require.Equal(t, [2]byte{Unreachable6, CodePort6}, [2]byte(r[0].icmp))
		require.Equal(t, [2]netip.Addr{other6, peer6}, [2]netip.Addr{r[0].h.Src, r[0].h.Dst})
		require.Equal(t, b[:min(len(b), 1232)], r[0].icmp[8:])
		require.LessOrEqual(t, r[0].h.TotalLen, 1280)
	}
}

func TestParameterProblem6(t *testing.T) { // the pointer and the code
	l := newLab6(t, ip.Config{}, Config{})
	r := l.recv(datagram6(peer6, own6, 253, pattern(8)))
	require.Len(t, r, 1)
	require.Equal(t, []byte{ParameterProblem6, 1}, r[0].icmp[:2])
	require.Equal(t, uint32(6), binary.BigEndian.Uint32(r[0].icmp[4:]))
	r = l.recv(datagram6(peer6, own6, 60, []byte{ip.ProtocolUDP, 0, 0x9e, 2, 0, 0, 0, 0}))
	require.Equal(t, []byte{ParameterProblem6, 2}, r[0].icmp[:2])
	require.Equal(t, uint32(42), binary.BigEndian.Uint32(r[0].icmp[4:]))
}

func TestSilence6(t *testing.T) { // ICMP6-006, ICMP6-007
	l := newLab6(t, ip.Config{}, Config{})
	badOption := []byte{ip.ProtocolICMPv6, 0, 0x9e, 2, 0, 0, 0, 0}
	for _, kind := range []byte{1, 4, 100, 127, 137} {
		require.Empty(t, l.recv(datagram6(peer6, own6, 60, append(badOption, kind, 0, 0, 0, 0, 0, 0, 0))))
	}
	require.Equal(t, uint64(5), l.stats.SilentError.Value())
	require.Len(t, l.recv(datagram6(peer6, own6, 60, append(badOption, EchoRequest6, 0, 0, 0, 0, 0, 0, 0))), 1)

	any, all := netip.IPv6Unspecified(), netip.MustParseAddr("ff02::1")
	require.Empty(t, l.recv(datagram6(any, own6, ip.ProtocolUDP, pattern(20))))
	require.Equal(t, uint64(1), l.stats.SilentSource.Value())
	require.Empty(t, l.recv(datagram6(peer6, all, ip.ProtocolUDP, pattern(20))))
	require.Equal(t, uint64(1), l.stats.SilentMulticast.Value())
	require.Len(t, l.recv(datagram6(peer6, all, 60, append(badOption, EchoRequest6, 0, 0, 0, 0, 0, 0, 0))), 1, "but for an option that asks for it")
}

func TestRateLimit6(t *testing.T) { // ICMP6-008: one budget with IPv4
	l := newLab6(t, ip.Config{}, Config{Rate: 10, Burst: 10, PeerInterval: -1})
	errors := func() (n int) {
		for range 100 {
			n += len(l.recv(datagram6(peer6, own6, ip.ProtocolUDP, pattern(20))))
		}
		return n
	}
	require.InDelta(t, 10, errors(), 8)
	require.Zero(t, errors())
	require.Equal(t, l.v4.limit, l.limit)
	l.now += 10 * time.Second
	require.NotZero(t, errors())

	peer := newLab6(t, ip.Config{}, Config{})
	for range 100 {
		peer.recv(datagram6(peer6, own6, ip.ProtocolUDP, pattern(20)))
	}
	require.Equal(t, uint64(6), peer.stats.OutErrors.Value())
	require.Equal(t, uint64(94), peer.stats.SilentRate.Value())
}

func TestPacketTooBig(t *testing.T) { // ICMP6-015, ICMP6-017: the estimate falls and never rises
	l := newLab6(t, ip.Config{}, Config{})
	mtu := func() int {
		r, err := l.ip.Route(far6, netip.Addr{})
		require.NoError(t, err)
		return r.MTU()
	}
	tooBig := func(size uint32) {
		for _, e := range l.fails(PacketTooBig, 0, size, fromUDP(far6, 1400)) {
			l.ip.ApplyIfSent(l.now, &e, e.Datagram[ipv6.HeaderLen:])
		}
	}
	tooBig(1400)
	require.Equal(t, 1500, mtu(), "about a datagram that was not sent")
	require.Len(t, l.sendUDP(far6, 1400), 1)
	tooBig(1400)
	require.Equal(t, 1400, mtu())
	sent := l.sendUDP(far6, 1400)
	require.Len(t, sent, 2, "in fragments from now on")
	require.LessOrEqual(t, len(sent[0].out.Data), 1400)
	tooBig(1450)
	require.Equal(t, 1400, mtu())
	tooBig(1300)
	require.Equal(t, 1300, mtu())
}

func TestPacketTooBigFloor(t *testing.T) { // ICMP6-016
	l := newLab6(t, ip.Config{}, Config{})
	for _, mtu := range []uint32{0, 68, 1279} {
		require.Empty(t, l.fails(PacketTooBig, 0, mtu, fromUDP(far6, 1400)))
	}
	require.Equal(t, uint64(3), l.stats.DropMTU.Value())
	require.Len(t, l.fails(PacketTooBig, 0, 1280, fromUDP(far6, 1400)), 1)
}

func TestPathMTUAges6(t *testing.T) { // ICMP6-018, ICMP6-019: per destination, from the link's
	l := newLab6(t, ip.Config{}, Config{})
	mtu := func(dst netip.Addr) int {
		r, err := l.ip.Route(dst, netip.Addr{})
		require.NoError(t, err)
		return r.MTU()
	}
	e := ip.Error{Kind: ip.TooBig, MTU: 1300, Quoted: ip.Datagram{Src: own6, Dst: far6}}
	l.ip.UpdatePMTU(l.now, &e)
	require.Equal(t, 1300, mtu(far6))
	require.Equal(t, 1500, mtu(netip.MustParseAddr("2a00::8")))
	l.timers.Advance(l.now + 6*time.Minute)
	require.Equal(t, 1300, mtu(far6))
	l.timers.Advance(l.now + 11*time.Minute)
	require.Equal(t, 1500, mtu(far6))
}

func TestFamiliesKeepTheirICMP(t *testing.T) { // protocol 1 is nothing in IPv6, and 58 nothing in IPv4
	l := newLab6(t, ip.Config{}, Config{})
	r := l.recv(datagram6(peer6, own6, ip.ProtocolICMP, ping(8)))
	require.Equal(t, []byte{ParameterProblem6, CodeUnknownNextHeader}, r[0].icmp[:2])
	peer4 := netip.MustParseAddr("10.0.0.1")
	l.eth0.Input(l.now, packet.From(datagram(from(peer4, netip.MustParseAddr("10.0.0.2"), ip.ProtocolICMPv6), pattern(16))))
	out := l.wire.Take()
	require.Len(t, out, 1)
	require.Equal(t, []byte{Unreachable, CodeProtocol}, out[0].Data[20:22])
}

func TestErrorsOfRouter6(t *testing.T) { // ICMP6-010, ICMP6-011
	l := newLab6(t, ip.Config{Forwarding: true}, Config{PeerInterval: -1})
	eth1, err := l.ip.AddInterface("eth1", wiretest.New(1300, packet.Features{}))
	require.NoError(t, err)
	require.NoError(t, eth1.AddAddress(netip.MustParsePrefix("2001:db8:1::2/64")))
	behind := netip.MustParseAddr("2001:db8:1::9")
	require.NoError(t, l.ip.DelRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("::/0")}))
	for _, c := range []struct {
		b    []byte
		want [2]byte
		word uint32
	}{
		{datagram6(peer6, far6, ip.ProtocolUDP, pattern(20)), [2]byte{Unreachable6, CodeNoRoute}, 0},
		{datagram6(netip.MustParseAddr("fe80::1"), behind, ip.ProtocolUDP, pattern(20)), [2]byte{Unreachable6, CodeBeyondScope}, 0},
		{datagram6(peer6, behind, ip.ProtocolUDP, pattern(1400)), [2]byte{PacketTooBig, 0}, 1300},
	} {
		r := l.recv(c.b)
		require.Len(t, r, 1)
		require.Equal(t, c.want, [2]byte(r[0].icmp))
		require.Equal(t, c.word, binary.BigEndian.Uint32(r[0].icmp[4:]))
	}
	eth1.Unreachable(l.now, packet.From(datagram6(peer6, behind, ip.ProtocolUDP, pattern(20))))
	r := l.take()
	require.Equal(t, [2]byte{Unreachable6, CodeAddress}, [2]byte(r[0].icmp))
}

func FuzzError6(f *testing.F) { // what a received error quotes is anything
	for _, quote := range [][]byte{fromUDP(far6, 20), withOptions(fromUDP(far6, 20)), pattern(60)} {
		f.Add(byte(PacketTooBig), byte(0), uint32(1300), quote)
		f.Add(byte(ParameterProblem6), byte(1), uint32(40), quote)
	}
	l := newLab6(&testing.T{}, ip.Config{}, Config{})
	f.Fuzz(func(t *testing.T, kind, code byte, word uint32, quote []byte) {
		l.t = t
		kind &= 0x7f
		before := l.stats.InErrors.Value() + l.stats.DropQuote.Value() + l.stats.DropMTU.Value()
		for _, e := range l.fails(kind, code, word, quote[:min(len(quote), 1232)]) {
			require.True(t, l.ip.IsLocal(e.Quoted.Src))
			require.GreaterOrEqual(t, len(e.Datagram), e.Quoted.HeaderLen+quotedLen)
		}
		require.Equal(t, before+1, l.stats.InErrors.Value()+l.stats.DropQuote.Value()+l.stats.DropMTU.Value())
	})
}

// The checksum that a device has left incomplete is complete in the quote.
func TestQuotedChecksum(t *testing.T) {
	l := newLab6(t, ip.Config{}, Config{})
	b := datagram6(peer6, own6, ip.ProtocolUDP, []byte{0x10, 1, 0x20, 2, 0, 12, 0, 0, 1, 2, 3, 4})
	checksum.Put(b[46:], checksum.Pseudo(peer6, own6, ip.ProtocolUDP, 12))
	p := packet.From(b)
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Start: 40, Offset: 6}
	l.eth0.Input(l.now, p)
	quoted := l.take()[0].icmp[HeaderLen:]
	require.Equal(t, uint16(0xffff), checksum.Sum(quoted[40:], checksum.Pseudo(peer6, own6, ip.ProtocolUDP, 12)))

	h := from(peerAddr, netip.MustParseAddr("10.0.0.2"), ip.ProtocolUDP)
	b4 := datagram(h, b[40:])
	checksum.Put(b4[26:], checksum.Pseudo(h.Src, h.Dst, ip.ProtocolUDP, 12))
	p = packet.From(b4)
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Start: 20, Offset: 6}
	l.eth0.Input(l.now, p)
	quoted = l.wire.Take()[0].Data[28:]
	require.Equal(t, uint16(0xffff), checksum.Sum(quoted[20:], checksum.Pseudo(h.Src, h.Dst, ip.ProtocolUDP, 12)))
}
