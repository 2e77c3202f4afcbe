package ipv4

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

// super is a TCP or UDP super-packet without its IP header.
func super(kind packet.Segmentation, payload, size int) *packet.Buffer {
	head := make([]byte, 8)
	offset := uint16(6)
	if kind == packet.SegmentTCP {
		head = make([]byte, 20)
		head[12], head[13] = 5<<4, 0x80|0x10|0x08|0x01 // CWR, ACK, PSH, FIN
		binary.BigEndian.PutUint32(head[4:], 1000)
		offset = 16
	}
	p := packet.From(head)
	p.Borrow([2][]byte{pattern(payload)})
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Segmentation: kind, Size: uint16(size), Offset: offset}
	return p
}

func (l *lab) sendSuper(p *packet.Buffer, df bool) ([]sent, error) {
	r, err := l.Route(peerAddr, netip.Addr{})
	require.NoError(l.t, err)
	o := ip.Outgoing{Protocol: ip.ProtocolTCP, DontFragment: df}
	if p.Offload.Segmentation == packet.SegmentUDP {
		o.Protocol = ip.ProtocolUDP
	}
	err = l.Send(l.now, r, o, p)
	return l.wire0.take(), err
}

func TestSuperPacketsGoWholeToLinksThatTakeThem(t *testing.T) {
	l := newLab(t, config{features: packet.Features{Checksum: true, TSO: 65535, USO: 65535}})
	for _, kind := range []packet.Segmentation{packet.SegmentTCP, packet.SegmentUDP} {
		out, err := l.sendSuper(super(kind, 40000, 1460), true)
		require.NoError(t, err)
		require.Len(t, out, 1)
		require.Equal(t, kind, out[0].Offload.Segmentation)
		require.Equal(t, uint16(20), out[0].Offload.Start)
		require.Equal(t, len(out[0].Data), int(out[0].h.TotalLen))
	}
	_, err := l.sendSuper(super(packet.SegmentTCP, 40000, 1461), true)
	require.Equal(t, syscall.EMSGSIZE, err, "the limit applies to each segment")
	out, err := l.sendSuper(super(packet.SegmentTCP, 100, 1460), true)
	require.NoError(t, err)
	require.Equal(t, packet.SegmentNone, out[0].Offload.Segmentation, "one segment is an ordinary packet")
}

func TestSoftwareSegmentation(t *testing.T) {
	l := newLab(t, config{})
	for _, kind := range []packet.Segmentation{packet.SegmentTCP, packet.SegmentUDP} {
		out, err := l.sendSuper(super(kind, 3000, 1400), true)
		require.NoError(t, err)
		require.Len(t, out, 3)
		var payload []byte
		for i, s := range out {
			require.True(t, validChecksum(s.Data))
			require.Equal(t, len(s.Data), int(s.h.TotalLen))
			b := s.Data[20:]
			require.Equal(t, uint16(0xffff), checksum.Sum(b, checksum.Pseudo(ownAddr, peerAddr, s.h.Protocol, len(b))))
			if kind == packet.SegmentUDP {
				require.Equal(t, len(b), int(binary.BigEndian.Uint16(b[4:])))
				payload = append(payload, b[8:]...)
				continue
			}
			require.Equal(t, uint32(1000+1400*i), binary.BigEndian.Uint32(b[4:]))
			require.Equal(t, [3]byte{0x90, 0x10, 0x19}[i], b[13], "CWR in the first, PSH and FIN in the last")
			payload = append(payload, b[20:]...)
		}
		require.Equal(t, pattern(3000), payload)
	}
}

func TestSegmentsAreFragmentedWithoutDF(t *testing.T) {
	l := newLab(t, config{features: packet.Features{Checksum: true, TSO: 65535, USO: 65535}})
	out, err := l.sendSuper(super(packet.SegmentUDP, 4000, 2000), false)
	require.NoError(t, err)
	require.Len(t, out, 4)
	require.NotEqual(t, out[0].h.ID, out[2].h.ID)
}

func TestDatagramsWithoutChecksumStayWithout(t *testing.T) { // RFC 768
	l := newLab(t, config{})
	p := super(packet.SegmentUDP, 3000, 1400)
	p.Offload.Checksum = packet.ChecksumNone
	out, err := l.sendSuper(p, true)
	require.NoError(t, err)
	for _, s := range out {
		require.Zero(t, binary.BigEndian.Uint16(s.Data[26:]))
	}
}

func TestImpossibleSuperPackets(t *testing.T) { // SEC-015
	l := newLab(t, config{})
	for name, change := range map[string]func(p *packet.Buffer){
		"no size":                 func(p *packet.Buffer) { p.Offload.Size = 0 },
		"header cut off":          func(p *packet.Buffer) { p.Truncate(19) },
		"header said to be large": func(p *packet.Buffer) { p.Bytes()[12] = 15 << 4 },
		"not the protocol's": func(p *packet.Buffer) {
			p.Offload.Segmentation = packet.SegmentUDP
			p.Bytes()[12] = 0
		},
	} {
		p := super(packet.SegmentTCP, 3000, 1400)
		change(p)
		r, err := l.Route(peerAddr, netip.Addr{})
		require.NoError(t, err)
		require.Equal(t, syscall.EMSGSIZE, l.Send(l.now, r, ip.Outgoing{Protocol: ip.ProtocolTCP}, p), name)
	}
	require.Empty(t, l.wire0.take())
}

func TestForwardedSuperPackets(t *testing.T) { // IP-045
	l, w := router(t, config{}, 576)
	for _, df := range []bool{false, true} {
		h := transit()
		h.Protocol, h.DF = ip.ProtocolTCP, df
		p := super(packet.SegmentTCP, 3000, 1400).Own()
		b := packet.From(dgram(h, p.Bytes()))
		b.Offload = p.Offload
		b.Offload.Start = 20
		p.Free()
		l.eth0.Input(l.now, b)
		out := w.take()
		if df {
			require.Empty(t, out)
			require.Equal(t, []ip.Error{{Kind: ip.TooBig, MTU: 576}}, l.up.takeReports())
		} else {
			require.Len(t, out, 3+3+1)
		}
	}
}

func TestForwardedChecksumVerdictEndsHere(t *testing.T) {
	l, w := router(t, config{}, 1500)
	p := packet.From(dgram(transit(), pattern(8)))
	p.Offload.Checksum = packet.ChecksumValid
	l.eth0.Input(l.now, p)
	require.Equal(t, packet.ChecksumNone, w.take()[0].Offload.Checksum)
}

// Sending a super-packet to a link without that feature.
func BenchmarkSegment(b *testing.B) {
	l := newLab(&testing.T{}, config{})
	_, err := l.AddInterface("null", null{})
	require.NoError(b, err)
	require.NoError(b, l.AddRoute(ip.RouteEntry{Prefix: prefix("198.51.100.0/24"), Interface: "null"}))
	r, err := l.Route(addr("198.51.100.1"), netip.Addr{})
	require.NoError(b, err)
	payload := pattern(44 * 1448)
	p := super(packet.SegmentTCP, 0, 1448)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		q := p.Clone()
		q.Borrow([2][]byte{payload})
		if err := l.Send(0, r, ip.Outgoing{Protocol: ip.ProtocolTCP, DontFragment: true}, q); err != nil {
			b.Fatal(err)
		}
	}
}
