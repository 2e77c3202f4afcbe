package icmp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/ip"
	"tunstack/ipv4"
)

func TestEcho(t *testing.T) { // ICMP-016, ICMP-017, ICMP-018, IP-034
	l := newLab(t, ipv4.Config{}, Config{})
	for _, dst := range []netip.Addr{ownAddr, otherAddr} {
		for _, n := range []int{0, 1, 56, 57, 1472} {
			h := from(peerAddr, dst, ip.ProtocolICMP)
			h.TOS, h.TTL = 0x48, 1 // IP-010
			out := l.recv(datagram(h, ping(n)))
			require.Len(t, out, 1)
			require.Equal(t, msg(EchoReply, 0, idSeq, pattern(n)), out[0].icmp)
			require.Equal(t, [2]netip.Addr{dst, peerAddr}, [2]netip.Addr{out[0].h.Src, out[0].h.Dst})
			require.Equal(t, [2]uint8{0x48, 64}, [2]uint8{out[0].h.TOS, out[0].h.TTL})
		}
	}
}

func TestEchoChecksumAllOnes(t *testing.T) { // the checksum field passes through both zeros
	l := newLab(t, ipv4.Config{}, Config{})
	for v := range 1 << 16 {
		rest := idSeq
		binary.BigEndian.PutUint16(rest[2:], uint16(v))
		require.Equal(t, uint16(v), binary.BigEndian.Uint16(l.recv(datagram(from(peerAddr, ownAddr, 1), msg(EchoRequest, 0, rest, nil)))[0].icmp[6:]))
	}
}

func TestLargeEcho(t *testing.T) { // ICMP-017, IP-017
	l := newLab(t, ipv4.Config{}, Config{})
	for _, n := range []int{4000, 65507} {
		request := ping(n)
		var payload []byte
		for at := 0; at < len(request); at += 1480 {
			h := from(peerAddr, ownAddr, ip.ProtocolICMP)
			end := min(at+1480, len(request))
			h.Offset, h.MF = uint16(at), end < len(request)
			for _, f := range l.recv(datagram(h, request[at:end])) {
				require.Equal(t, len(payload), int(f.h.Offset))
				payload = append(payload, f.icmp...)
			}
		}
		require.Equal(t, msg(EchoReply, 0, idSeq, pattern(n)), payload)
	}
}

func TestEchoWithOptions(t *testing.T) { // RFC 1122 section 3.2.2.6, IP-014
	l := newLab(t, ipv4.Config{AcceptSourceRouted: true}, Config{})
	h := from(peerAddr, ownAddr, ip.ProtocolICMP)
	h.Options = []byte{7, 11, 8, 1, 1, 1, 1, 0, 0, 0, 0, 0}
	out := l.recv(datagram(h, ping(9)))
	require.Equal(t, []byte{7, 11, 12, 1, 1, 1, 1, 10, 0, 0, 2, 0}, out[0].h.Options)

	h.Options = []byte{131, 11, 12, 10, 0, 0, 8, 10, 0, 0, 9, 0}
	out = l.recv(datagram(h, ping(9)))
	require.Equal(t, netip.MustParseAddr("10.0.0.9"), out[0].h.Dst, "back by the last hop first")
	require.Equal(t, []byte{131, 11, 4, 10, 0, 0, 8, 10, 0, 0, 1, 0}, out[0].h.Options)
}

func TestEchoReplyThatDoesNotFit(t *testing.T) { // ICMP-017: truncated to the maximum size
	l := newLab(t, ipv4.Config{}, Config{})
	p := packet.From(ping(65500))
	h := from(peerAddr, ownAddr, ip.ProtocolICMP)
	h.Options, h.In, h.HeaderLen = []byte{7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}, l.eth0, 32
	l.Input(l.now, &h.Datagram, p)
	var payload []byte
	for _, f := range l.take() {
		payload = append(payload, f.icmp...)
	}
	require.Equal(t, msg(EchoReply, 0, idSeq, pattern(65535-32-8)), payload)
}

func TestEchoToBroadcast(t *testing.T) { // ICMP-019
	for _, answer := range []bool{false, true} {
		l := newLab(t, ipv4.Config{}, Config{EchoBroadcast: answer})
		for _, dst := range []string{"10.0.0.255", "255.255.255.255", "224.0.0.1"} {
			out := l.recvAs(datagram(from(peerAddr, netip.MustParseAddr(dst), 1), ping(8)), packet.Broadcast)
			if answer {
				require.Equal(t, ownAddr, out[0].h.Src)
			} else {
				require.Empty(t, out, dst)
			}
		}
	}
}

func TestBadMessages(t *testing.T) { // ICMP-001, ICMP-002, ICMP-015, ICMP-021
	l := newLab(t, ipv4.Config{}, Config{})
	bad := ping(8)
	bad[9]++
	for _, m := range [][]byte{
		bad, nil, bad[:7],
		msg(99, 0, idSeq, pattern(20)), msg(15, 0, idSeq, nil), msg(17, 0, idSeq, pattern(4)), // information, address mask
		msg(Timestamp, 0, idSeq, pattern(12)), msg(10, 0, idSeq, nil), msg(SourceQuench, 0, idSeq, pattern(28)),
		msg(EchoReply, 0, idSeq, pattern(8)), msg(TimestampReply, 0, idSeq, pattern(12)),
	} {
		require.Empty(t, l.recv(datagram(from(peerAddr, ownAddr, 1), m)))
	}
	require.Equal(t, uint64(1), l.stats.DropChecksum.Value())
	require.Equal(t, uint64(2), l.stats.DropTruncated.Value())
	require.Equal(t, uint64(5), l.stats.DropUnknown.Value())
	require.Equal(t, uint64(1), l.stats.DropSourceQuench.Value())
	require.Equal(t, uint64(2), l.stats.InReplies.Value())
}

// tap remembers the types of the messages that a raw socket sees.
type tap struct{ types []byte }

func (t *tap) HandleError(time.Duration, *ip.Error, []byte) {}

func (t *tap) Tap(_ time.Duration, d *ip.Datagram, p *packet.Buffer) {
	t.types = append(t.types, p.Bytes()[d.HeaderLen])
}

func TestRepliesReachRawSockets(t *testing.T) { // ICMP-020
	l := newLab(t, ipv4.Config{}, Config{})
	var seen tap
	defer l.ip.AddTap(ip.ProtocolICMP, &seen)()
	l.recv(datagram(from(peerAddr, ownAddr, 1), msg(EchoReply, 0, idSeq, pattern(8))))
	require.Len(t, l.recv(datagram(from(peerAddr, ownAddr, 1), ping(8))), 1, "the tap takes nothing away")
	require.Equal(t, []byte{EchoReply, EchoRequest}, seen.types)
}

func TestTimestamp(t *testing.T) { // ICMP-022
	l := newLab(t, ipv4.Config{}, Config{TimeOfDay: func() time.Duration { return 12 * time.Hour }})
	request := msg(Timestamp, 0, idSeq, []byte{1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 99})
	out := l.recv(datagram(from(peerAddr, otherAddr, 1), request))
	noon := []byte{0x02, 0x93, 0x2e, 0x00} // 43,200,000 ms
	require.Equal(t, msg(TimestampReply, 0, idSeq, append(append([]byte{1, 2, 3, 4}, noon...), noon...)), out[0].icmp)
	require.Equal(t, otherAddr, out[0].h.Src)

	require.Empty(t, l.recvAs(datagram(from(peerAddr, netip.MustParseAddr("10.0.0.255"), 1), request), packet.Broadcast))
	require.Empty(t, l.recv(datagram(from(peerAddr, ownAddr, 1), msg(Timestamp, 0, idSeq, pattern(11)))))
}

func TestEchoAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	l := newLab(t, ipv4.Config{}, Config{})
	l.wire.Discard = true
	request := datagram(from(peerAddr, ownAddr, 1), ping(56))
	require.Zero(t, testing.AllocsPerRun(100, func() { l.eth0.Input(l.now, packet.From(request)) }))
	require.NotZero(t, l.stats.OutEchos.Value())
}

func BenchmarkEcho(b *testing.B) {
	l := newLab(&testing.T{}, ipv4.Config{}, Config{})
	l.wire.Discard = true
	request := datagram(from(peerAddr, ownAddr, 1), ping(56))
	b.ReportAllocs()
	for b.Loop() {
		l.eth0.Input(l.now, packet.From(request))
	}
}
