package ipv6

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
)

func TestSend(t *testing.T) { // IP6-035: the traffic class can be set
	l := newLab(t, config{})
	out, err := l.send(peerAddr, ip.Outgoing{TOS: 0xb9}, 10)
	require.NoError(t, err)
	require.Len(t, out, 1)
	h := out[0].h
	require.Equal(t, ip.Datagram{
		Src: ownAddr, Dst: peerAddr, Protocol: testProtocol, TOS: 0xb9, TTL: 64, TotalLen: 50, HeaderLen: HeaderLen, FlowLabel: h.FlowLabel,
	}, h.Datagram)
	require.Equal(t, pattern(10), out[0].payload())
	out, err = l.send(peerAddr, ip.Outgoing{TTL: 3}, 10)
	require.NoError(t, err)
	require.Equal(t, uint8(3), out[0].h.TTL)
	out, err = l.send(addr("ff02::9"), ip.Outgoing{}, 10)
	require.NoError(t, err)
	require.Equal(t, uint8(1), out[0].h.TTL)
	require.Equal(t, packet.Multicast, out[0].Cast)
}

func TestBadDestinations(t *testing.T) { // IP6-038, IP6-041, IP6-043
	l := newLab(t, config{})
	for _, dst := range []string{"ff00::1", "fe80:1::1"} {
		_, err := l.Route(addr(dst), netip.Addr{})
		require.Equal(t, syscall.EINVAL, err, dst)
	}
	for _, dst := range []string{"::1", "::"} { // which is the stack itself
		_, err := l.Route(addr(dst), netip.Addr{})
		require.Equal(t, syscall.ENETUNREACH, err, "IP6-039: without a loopback nothing goes there")
	}
	require.Equal(t, syscall.EINVAL, l.eth0.AddAddress(prefix("::/64")))
	require.Equal(t, syscall.EINVAL, l.eth0.AddAddress(prefix("ff02::5/64")))
}

func TestZones(t *testing.T) { // IP6-047, IP6-048
	l := newLab(t, config{})
	_, wire1 := l.attach("eth1", 1500, packet.Features{}, "fe80::2/64")
	_, err := l.send(addr("fe80::1"), ip.Outgoing{}, 8)
	require.Equal(t, syscall.EINVAL, err, "two links could be meant")
	_, err = l.send(addr("fe80::1%eth7"), ip.Outgoing{}, 8)
	require.Equal(t, syscall.ENODEV, err)
	for _, zone := range []string{"eth1", "2"} {
		_, err = l.send(addr("fe80::1%"+zone), ip.Outgoing{}, 8)
		require.NoError(t, err)
		out := wire1.take(t)
		require.Len(t, out, 1)
		require.Equal(t, addr("fe80::2"), out[0].h.Src)
		require.Equal(t, addr("fe80::1"), out[0].NextHop, "the link knows no zones")
		_, err = l.send(addr("ff02::9%"+zone), ip.Outgoing{}, 8)
		require.NoError(t, err)
		require.Len(t, wire1.take(t), 1)
	}
	r, err := l.Route(addr("fe80::1"), addr("fe80::2%eth1"))
	require.NoError(t, err)
	require.Equal(t, addr("fe80::1%eth1"), r.Dst, "the source's")
}

func TestFragments(t *testing.T) { // IP6-018
	l := newLab(t, config{})
	out, err := l.send(peerAddr, ip.Outgoing{}, 4000)
	require.NoError(t, err)
	require.Len(t, out, 3)
	var payload []byte
	for i, s := range out {
		require.LessOrEqual(t, len(s.Data), 1500)
		require.Equal(t, len(payload), s.h.Offset)
		require.Equal(t, i < 2, s.h.More)
		require.Equal(t, out[0].h.ID, s.h.ID)
		require.Equal(t, out[0].h.FlowLabel, s.h.FlowLabel)
		require.Equal(t, uint8(testProtocol), s.h.Protocol)
		payload = append(payload, s.payload()...)
	}
	require.Equal(t, pattern(4000), payload)
	_, err = l.send(peerAddr, ip.Outgoing{DontFragment: true}, 1461)
	require.Equal(t, syscall.EMSGSIZE, err)
	_, err = l.send(peerAddr, ip.Outgoing{}, MaxPayload+1)
	require.Equal(t, syscall.EMSGSIZE, err)
	out, err = l.send(peerAddr, ip.Outgoing{}, MaxPayload)
	require.NoError(t, err)
	require.Len(t, out, 46)
}

func TestIdentifications(t *testing.T) { // IP6-020, IP6-021
	l := newLab(t, config{Config: Config{Secret: [16]byte{1, 2, 3}}})
	other := addr("2001:db8::9")
	seen, differences := make(map[uint32]bool), make(map[uint32]bool)
	for range 1000 {
		a, b := l.v6.ids.next(ownAddr, peerAddr), l.v6.ids.next(ownAddr, other)
		require.False(t, seen[a])
		seen[a], differences[b-a] = true, true
	}
	require.Greater(t, len(differences), 990)
}

func TestPermutationIsOne(t *testing.T) { // IP6-020: rounds that can be undone map no two values to one
	for _, key := range []uint64{0, 1, 0x0123456789abcdef, ^uint64(0)} {
		for v := uint32(1); v != 0; v *= 2 {
			w := permute(key, v)
			left, right := uint16(w>>16), uint16(w)
			for round := 3; round >= 0; round-- {
				k := uint32(key >> (16 * round) & 0xffff)
				f := (uint32(left)*0x9e3779b1 ^ k*0x85ebca6b) * 0xc2b2ae35
				left, right = right^uint16(f>>16), left
			}
			require.Equal(t, v, uint32(left)<<16|uint32(right))
		}
	}
}

func TestFlowLabels(t *testing.T) { // IP6-032
	l := newLab(t, config{})
	label := func(dst netip.Addr, protocol uint8, port uint16) uint32 {
		var b [20]byte
		binary.BigEndian.PutUint16(b[:], port)
		r, err := l.Route(dst, netip.Addr{})
		require.NoError(t, err)
		require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: protocol}, packet.From(b[:])))
		return l.wire0.take(t)[0].h.FlowLabel
	}
	seen := make(map[uint32]bool)
	var quarters [4]int
	for port := range uint16(1000) {
		a := label(peerAddr, ip.ProtocolTCP, port)
		require.Equal(t, a, label(peerAddr, ip.ProtocolTCP, port), "one flow has one label")
		require.NotZero(t, a)
		seen[a] = true
		quarters[a>>18]++
	}
	require.Greater(t, len(seen), 990)
	for _, n := range quarters {
		require.InDelta(t, 250, n, 60)
	}
	require.NotEqual(t, label(peerAddr, ip.ProtocolTCP, 1), label(peerAddr, ip.ProtocolUDP, 1))
	require.Equal(t, label(peerAddr, testProtocol, 1), label(peerAddr, testProtocol, 2), "no ports")
	off := newLab(t, config{Config: Config{NoFlowLabels: true}})
	out, err := off.send(peerAddr, ip.Outgoing{}, 8)
	require.NoError(t, err)
	require.Zero(t, out[0].h.FlowLabel) // IP6-033
}

// super is a TCP or UDP super-packet without its IP header.
func super(kind packet.Segmentation, payload, size int) *packet.Buffer {
	head, offset := make([]byte, 8), uint16(6)
	if kind == packet.SegmentTCP {
		head, offset = make([]byte, 20), 16
		head[12], head[13] = 5<<4, 0x10|0x08
	}
	p := packet.From(head)
	p.Borrow([2][]byte{pattern(payload)})
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Segmentation: kind, Size: uint16(size), Offset: offset}
	return p
}

func TestSuperPackets(t *testing.T) {
	for kind, protocol := range map[packet.Segmentation]uint8{packet.SegmentTCP: ip.ProtocolTCP, packet.SegmentUDP: ip.ProtocolUDP} {
		l := newLab(t, config{features: packet.Features{Checksum: true, TSO: 65535, USO: 65535}})
		r, err := l.Route(peerAddr, netip.Addr{})
		require.NoError(t, err)
		require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: protocol, DontFragment: true}, super(kind, 40000, 1432)))
		out := l.wire0.take(t)
		require.Len(t, out, 1)
		require.Equal(t, kind, out[0].Offload.Segmentation)
		require.Equal(t, uint16(HeaderLen), out[0].Offload.Start)

		l = newLab(t, config{})
		r, err = l.Route(peerAddr, netip.Addr{})
		require.NoError(t, err)
		require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: protocol, DontFragment: true}, super(kind, 3000, 1400)))
		out = l.wire0.take(t)
		require.Len(t, out, 3)
		for _, s := range out {
			b := s.payload()
			require.Equal(t, uint16(0xffff), checksum.Sum(b, checksum.Pseudo(ownAddr, peerAddr, protocol, len(b))))
		}
		err = l.Send(l.now, r, ip.Outgoing{Protocol: protocol, DontFragment: true}, super(kind, 3000, 1460))
		require.Equal(t, syscall.EMSGSIZE, err, "the size of the segments counts")
	}
}

func TestSendRaw(t *testing.T) {
	l := newLab(t, config{})
	r, err := l.Route(peerAddr, netip.Addr{})
	require.NoError(t, err)
	b := dgram(between("::", "2001:db8::1"), pattern(20), destination())
	b[4], b[5] = 9, 9
	require.NoError(t, l.SendRaw(l.now, r, packet.From(b)))
	out := l.wire0.take(t)
	require.Equal(t, ownAddr, out[0].h.Src)
	require.Equal(t, pattern(20), out[0].payload())
	require.Equal(t, syscall.EINVAL, l.SendRaw(l.now, r, packet.From(b[:39])))
	require.Equal(t, syscall.EMSGSIZE, l.SendRaw(l.now, r, packet.From(dgram(unicast(), pattern(1461)))))
}

func TestSmallLinks(t *testing.T) { // IP6-031
	l := newLab(t, config{})
	_, err := l.AddInterface("eth1", &wire{newTestWire(1279)})
	require.Equal(t, syscall.EINVAL, err, "this stack has no other family")
	eth2, wire2 := l.attach("eth2", 9000, packet.Features{}, "2001:db8:2::2/64")
	r, err := l.Route(addr("2001:db8:2::1"), netip.Addr{})
	require.NoError(t, err)
	require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: testProtocol}, packet.From(pattern(8960))))
	require.Len(t, wire2.take(t), 1)
	h := between("2001:db8:2::1", "2001:db8:2::2")
	l.recvOn(eth2, dgram(h, pattern(8960)), packet.Unicast)
	require.Len(t, l.up.take(), 1)
}
