package ipv4

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/ip"
)

func TestSentHeader(t *testing.T) { // IP-004, IP-009, IP-011, IP-023, IP-026
	l := newLab(t, config{})
	out, err := l.send(peerAddr, Header{}, 33)
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.True(t, validChecksum(out[0].Data))
	h := out[0].h
	h.ID, h.Options = 0, nil
	require.Equal(t, Header{Datagram: ip.Datagram{TotalLen: 53, HeaderLen: 20, TTL: 64, Protocol: testProtocol, Src: ownAddr, Dst: peerAddr}}, h)
	require.Equal(t, pattern(33), out[0].Data[20:])
	require.Equal(t, peerAddr, out[0].NextHop)

	out, err = l.send(peerAddr, Header{Datagram: ip.Datagram{TOS: 0xb8, TTL: 3}, DF: true}, 8)
	require.NoError(t, err)
	require.Equal(t, [2]uint8{0xb8, 3}, [2]uint8{out[0].h.TOS, out[0].h.TTL})
	require.True(t, out[0].h.DF)
}

func TestDefaultTTL(t *testing.T) { // IP-009
	out, err := newLab(t, config{TTL: 255}).send(peerAddr, Header{}, 8)
	require.NoError(t, err)
	require.Equal(t, uint8(255), out[0].h.TTL)
}

func TestFragmentation(t *testing.T) { // IP-022
	l := newLab(t, config{})
	out, err := l.send(peerAddr, Header{}, 4000)
	require.NoError(t, err)
	require.Len(t, out, 3)
	var payload []byte
	for i, f := range out {
		require.True(t, validChecksum(f.Data))
		require.LessOrEqual(t, len(f.Data), 1500)
		require.Equal(t, out[0].h.ID, f.h.ID)
		require.Equal(t, int(f.h.Offset), len(payload))
		require.Equal(t, i < 2, f.h.MF)
		payload = append(payload, f.Data[20:]...)
	}
	require.Equal(t, pattern(4000), payload)
}

func TestFragmentsCarryCopiedOptions(t *testing.T) { // RFC 791 section 3.1
	l := newLab(t, config{})
	alert, unknown := []byte{148, 4, 0, 0}, []byte{30, 4, 1, 2}
	out, err := l.send(peerAddr, Header{Datagram: ip.Datagram{Options: append(append([]byte{1}, unknown...), alert...)}}, 3000)
	require.NoError(t, err)
	require.Len(t, out, 3)
	require.Equal(t, append(append([]byte{1}, unknown...), append(alert, 0, 0, 0)...), out[0].h.Options)
	require.Equal(t, alert, out[1].h.Options)
	require.Equal(t, alert, out[2].h.Options)
}

func TestDFIsNeverFragmented(t *testing.T) { // IP-023
	l := newLab(t, config{})
	out, err := l.send(peerAddr, Header{DF: true}, 1480)
	require.NoError(t, err)
	require.Len(t, out, 1)
	out, err = l.send(peerAddr, Header{DF: true}, 1481)
	require.Equal(t, syscall.EMSGSIZE, err)
	require.Empty(t, out)
	_, err = l.send(peerAddr, Header{}, MaxDatagram-HeaderLen+1)
	require.Equal(t, syscall.EMSGSIZE, err)
}

func TestFragmentsOfBorrowedPayload(t *testing.T) {
	l := newLab(t, config{})
	r, err := l.Route(peerAddr, netip.Addr{})
	require.NoError(t, err)
	p := packet.From(pattern(2000)[:13])
	p.Borrow([2][]byte{pattern(2000)[13:1501], pattern(2000)[1501:]})
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Offset: 4}
	require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol}, p))
	var payload []byte
	for _, f := range l.wire0.take() {
		require.Equal(t, packet.ChecksumNone, f.Offload.Checksum)
		payload = append(payload, f.Data[20:]...)
	}
	want := pattern(2000)
	checksum.Put(want[4:], ^checksum.Sum(want, 0))
	require.Equal(t, want, payload)
}

func TestChecksumIsLeftToLinksThatTakeIt(t *testing.T) {
	for _, takes := range []bool{false, true} {
		l := newLab(t, config{features: packet.Features{Checksum: takes}})
		r, err := l.Route(peerAddr, netip.Addr{})
		require.NoError(t, err)
		p := packet.From(pattern(100))
		p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Offset: 6}
		require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol}, p))
		out := l.wire0.take()[0]
		if takes {
			require.Equal(t, packet.Offload{Checksum: packet.ChecksumPartial, Start: 20, Offset: 6}, out.Offload)
			require.Equal(t, pattern(100), out.Data[20:])
		} else {
			require.Equal(t, packet.ChecksumNone, out.Offload.Checksum)
			want := pattern(100)
			checksum.Put(want[6:], ^checksum.Sum(want, 0))
			require.Equal(t, want, out.Data[20:])
		}
	}
}

func TestIdentifications(t *testing.T) { // IP-024, IP-025, SEC-014
	l := newLab(t, config{Config: Config{Secret: [16]byte{1, 2, 3}}})
	seen := make(map[uint16]bool)
	var steps [2]int
	last := uint16(0)
	for i := range 30000 {
		out, err := l.send(peerAddr, Header{}, 8)
		require.NoError(t, err)
		id := out[0].h.ID
		require.False(t, seen[id], "repeated after %d", i)
		seen[id] = true
		if id-last < 1<<15 {
			steps[0]++
		} else {
			steps[1]++
		}
		last = id
	}
	require.InDelta(t, steps[0], steps[1], 2000, "the order does not tell the next one")

	other := newLab(t, config{Config: Config{Secret: [16]byte{9}}}).v4
	require.NotEqual(t, l.v4.ids.next(ownAddr, peerAddr, 6), other.ids.next(ownAddr, peerAddr, 6), "the secret matters")
	require.NotEqual(t, l.v4.ids.next(ownAddr, addr("10.0.0.7"), 6), l.v4.ids.next(ownAddr, addr("10.0.0.8"), 6))
}

func TestPermutationIsOne(t *testing.T) { // IP-025: within 65,536 datagrams of a flow no value comes twice
	for _, key := range []uint64{0, 1, 0x0123456789abcdef, ^uint64(0)} {
		var seen [1 << 16]bool
		for v := range 1 << 16 {
			id := permute(key, uint16(v))
			require.False(t, seen[id])
			seen[id] = true
		}
	}
}

func TestSendRaw(t *testing.T) { // SOCK-047
	l := newLab(t, config{})
	r, err := l.Route(peerAddr, netip.Addr{})
	require.NoError(t, err)
	raw := func(h Header, n int) ([]sent, error) {
		b := dgram(h, pattern(n))
		b[2], b[3], b[10], b[11] = 0, 0, 0xaa, 0xaa // filled in by the stack
		err := l.SendRaw(l.now, r, packet.From(b))
		return l.wire0.take(), err
	}
	out, err := raw(Header{Datagram: ip.Datagram{Src: netip.IPv4Unspecified(), Dst: peerAddr, TTL: 9, Protocol: 77, TOS: 4}}, 12)
	require.NoError(t, err)
	require.True(t, validChecksum(out[0].Data))
	require.Equal(t, 32, out[0].h.TotalLen)
	require.Equal(t, ownAddr, out[0].h.Src)
	require.NotZero(t, out[0].h.ID)
	require.Equal(t, [3]uint8{9, 77, 4}, [3]uint8{out[0].h.TTL, out[0].h.Protocol, out[0].h.TOS})

	out, err = raw(Header{Datagram: ip.Datagram{Src: farAddr, Dst: peerAddr, Options: []byte{1, 1, 1, 1}}, ID: 5}, 12)
	require.NoError(t, err)
	require.Equal(t, farAddr, out[0].h.Src, "the caller's source stands")
	require.Equal(t, uint16(5), out[0].h.ID)
	require.True(t, validChecksum(out[0].Data))

	_, err = raw(Header{Datagram: ip.Datagram{Src: ownAddr, Dst: peerAddr}}, 1481)
	require.Equal(t, syscall.EMSGSIZE, err)
	require.Equal(t, syscall.EINVAL, l.SendRaw(l.now, r, packet.From([]byte{4<<4 | 6})))
}

func TestSendAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	l := newLab(t, config{})
	i, err := l.AddInterface("null", null{})
	require.NoError(t, err)
	require.NoError(t, i.AddAddress(prefix("10.7.0.2/24")))
	r, err := l.Route(addr("10.7.0.1"), netip.Addr{})
	require.NoError(t, err)
	for _, size := range []int{100, 4000} { // whole and in fragments
		require.Zero(t, testing.AllocsPerRun(100, func() {
			p := packet.New(size)
			p.Extend(size)
			_ = l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol}, p)
		}))
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = l.Route(addr("10.7.0.1"), netip.Addr{}) }))
}

func BenchmarkSend(b *testing.B) {
	l := newLab(&testing.T{}, config{})
	_, err := l.AddInterface("null", null{})
	require.NoError(b, err)
	require.NoError(b, l.AddRoute(ip.RouteEntry{Prefix: prefix("198.51.100.0/24"), Interface: "null"}))
	r, err := l.Route(addr("198.51.100.1"), netip.Addr{})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		p := packet.New(100)
		p.Extend(100)
		_ = l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol, DontFragment: true}, p)
	}
}
