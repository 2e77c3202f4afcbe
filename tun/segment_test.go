package tun

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

// outbox is a driver that records the packets to send.
type outbox struct {
	sent []*packet.Buffer
	err  error
}

func (o *outbox) send(p *packet.Buffer) error {
	if o.err != nil {
		p.Free()
		return o.err
	}
	o.sent = append(o.sent, p.Own())
	return nil
}

// verify checks both checksums and the lengths of an ordinary packet and returns its transport header and payload.
func verify(t *testing.T, p *packet.Buffer) []byte {
	t.Helper()
	ip := p.Bytes()
	require.Equal(t, packet.ChecksumNone, p.Offload.Checksum)
	require.Equal(t, packet.SegmentNone, p.Offload.Segmentation)
	require.Equal(t, len(ip), int(binary.BigEndian.Uint16(ip[2:])))
	require.Equal(t, uint16(0xffff), checksum.Sum(ip[:ipv4HeaderLen], 0), "IP checksum")
	h := ip[ipv4HeaderLen:]
	pseudo := checksum.PseudoOf(ip[12:20], ip[9], len(h))
	require.Equal(t, uint16(0xffff), checksum.Sum(h, pseudo), "transport checksum")
	return h
}

func TestSegmentTCP(t *testing.T) {
	const mss = 1000
	for _, size := range []int{1, mss, mss + 1, 5 * mss, 64000} {
		payload := randomBytes(size)
		f := segmentFields{srcPort: 7, dstPort: 8, seq: 0xffffff00, ack: 99, flags: tcpFIN | tcpPSH | tcpCWR | 0x10}
		out := &outbox{}
		require.NoError(t, deliver(out, TUN, packet.Features{}, super(buildTCP(f, payload), packet.SegmentTCP, mss)))
		require.Len(t, out.sent, (size+mss-1)/mss)
		var got []byte
		for i, p := range out.sent {
			h := verify(t, p)
			flags := byte(0x10)
			if i == 0 {
				flags |= tcpCWR
			}
			if i == len(out.sent)-1 {
				flags |= tcpFIN | tcpPSH
			}
			require.Equal(t, flags, h[13])
			require.Equal(t, f.seq+uint32(len(got)), binary.BigEndian.Uint32(h[4:]))
			require.Equal(t, uint16(0xfffe+i), binary.BigEndian.Uint16(p.Bytes()[4:]), "identification")
			require.LessOrEqual(t, len(h)-tcpHeaderLen, mss)
			got = append(got, h[tcpHeaderLen:]...)
			p.Free()
		}
		requireSame(t, payload, got)
	}
}

// Borrowed payload is cut, also in the middle of a segment that has data of both spans.
func TestSegmentBorrowed(t *testing.T) {
	payload := randomBytes(4500)
	for _, at := range []int{0, 1, 999, 1000, 1700, 4500} {
		p := buildTCP(segmentFields{srcPort: 7, dstPort: 8, flags: 0x10}, nil)
		p.Borrow([2][]byte{payload[:at], payload[at:]})
		out := &outbox{}
		require.NoError(t, deliver(out, TUN, packet.Features{}, super(p, packet.SegmentTCP, 1000)))
		require.Len(t, out.sent, 5)
		var got []byte
		for _, q := range out.sent {
			got = append(got, verify(t, q)[tcpHeaderLen:]...)
			q.Free()
		}
		requireSame(t, payload, got)
	}
}

func TestSegmentUDP(t *testing.T) {
	payload := randomBytes(2500)
	out := &outbox{}
	require.NoError(t, deliver(out, TUN, packet.Features{Checksum: true, TSO: 65535}, super(buildUDP(7, 8, payload), packet.SegmentUDP, 1000)))
	require.Len(t, out.sent, 3)
	var got []byte
	for _, p := range out.sent {
		require.Equal(t, packet.Offload{Checksum: packet.ChecksumPartial, Start: 20, Offset: 6}, p.Offload)
		completeChecksum(p, TUN)
		h := verify(t, p)
		require.Equal(t, len(h), int(binary.BigEndian.Uint16(h[4:])))
		got = append(got, h[udpHeaderLen:]...)
	}
	requireSame(t, payload, got)
}

// RFC 768: zero means that there is no checksum, so a sum of zero is sent as all ones.
func TestSegmentUDPChecksumOfZero(t *testing.T) {
	payload := make([]byte, 4)
	p := buildUDP(7, 8, payload)
	completeChecksum(p, TUN)
	// This payload brings the sum to 0xffff, whose complement is zero.
	copy(payload, p.Bytes()[26:28])
	out := &outbox{}
	require.NoError(t, deliver(out, TUN, packet.Features{}, super(buildUDP(7, 8, payload), packet.SegmentUDP, 4)))
	require.Equal(t, []byte{0xff, 0xff}, verify(t, out.sent[0])[6:8])

	plain := &outbox{}
	require.NoError(t, deliver(plain, TUN, packet.Features{}, buildUDP(7, 8, payload)))
	require.Equal(t, []byte{0xff, 0xff}, verify(t, plain.sent[0])[6:8])
}

func TestSegmentUDPWithoutChecksum(t *testing.T) {
	p := super(buildUDP(7, 8, randomBytes(300)), packet.SegmentUDP, 200)
	p.Offload.Checksum = packet.ChecksumNone
	checksum.Put(p.Bytes()[26:], 0)
	out := &outbox{}
	require.NoError(t, deliver(out, TUN, packet.Features{}, p))
	require.Len(t, out.sent, 2)
	for _, p := range out.sent {
		require.Equal(t, []byte{0, 0}, p.Bytes()[26:28])
	}
}

// A super-packet with borrowed payload behind a link header is cut like any other, and each segment has the link header.
func TestSegmentSpansOnTAP(t *testing.T) {
	payload := randomBytes(3001)
	p := super(buildTCP(segmentFields{}, payload), packet.SegmentTCP, 1000)
	p.Truncate(ipv4HeaderLen + tcpHeaderLen)
	p.Borrow([2][]byte{payload[:1501], payload[1501:]})
	out := &outbox{}
	require.NoError(t, deliver(out, TAP, packet.Features{}, frame(p, []byte{1, 2, 3, 4, 5, 6})))
	require.Len(t, out.sent, 4)
	var got []byte
	for _, p := range out.sent {
		require.Equal(t, []byte{1, 2, 3, 4, 5, 6, 2, 0, 0, 0, 0, 9, 8, 0}, p.Bytes()[:etherHeaderLen])
		p.TrimFront(etherHeaderLen)
		got = append(got, verify(t, p)[tcpHeaderLen:]...)
	}
	requireSame(t, payload, got)
}

func TestDeliverLeavesToTheDeviceWhatItTakes(t *testing.T) {
	features := packet.Features{Checksum: true, TSO: 3000, USO: 3000}
	for _, size := range []int{2960, 2961} {
		out := &outbox{}
		require.NoError(t, deliver(out, TUN, features, super(buildTCP(segmentFields{}, make([]byte, size)), packet.SegmentTCP, 1460)))
		want := 1
		if size+40 > features.TSO {
			want = 3
		}
		require.Len(t, out.sent, want)
	}
	out := &outbox{}
	require.NoError(t, deliver(out, TUN, features, buildTCP(segmentFields{}, nil)))
	require.Equal(t, packet.ChecksumPartial, out.sent[0].Offload.Checksum)
}

func TestDeliverStopsAtTheFirstError(t *testing.T) {
	out := &outbox{err: errTest}
	err := deliver(out, TUN, packet.Features{}, super(buildTCP(segmentFields{}, make([]byte, 5000)), packet.SegmentTCP, 1460))
	require.ErrorIs(t, err, errTest)
}

// No super-packet makes the Segmenter panic or return a packet that is not shorter.
func FuzzSegment(f *testing.F) {
	f.Add(buildTCP(segmentFields{}, make([]byte, 100)).Bytes(), uint16(10), true)
	f.Add(buildUDP(1, 2, make([]byte, 100)).Bytes(), uint16(10), false)
	f.Add([]byte{0x4f}, uint16(0), true)
	f.Fuzz(func(t *testing.T, data []byte, size uint16, tcp bool) {
		if len(data) > packet.MaxSize {
			t.Skip()
		}
		s := packet.SegmentUDP
		if tcp {
			s = packet.SegmentTCP
		}
		out := &outbox{}
		if deliver(out, TUN, packet.Features{}, super(packet.From(data), s, int(size))) != nil {
			require.Empty(t, out.sent)
			return
		}
		for _, p := range out.sent {
			require.LessOrEqual(t, p.Len(), len(data))
			p.Free()
		}
	})
}

func BenchmarkSegment(b *testing.B) {
	payload := randomBytes(44 * 1448)
	p := super(buildTCP(segmentFields{flags: 0x10}, nil), packet.SegmentTCP, 1448)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		q := p.Clone()
		q.Borrow([2][]byte{payload})
		if err := deliver(sink{}, TUN, packet.Features{Checksum: true}, q); err != nil {
			b.Fatal(err)
		}
	}
}

// sink is a driver that frees the packets to send.
type sink struct{}

func (sink) send(p *packet.Buffer) error { p.Free(); return nil }
