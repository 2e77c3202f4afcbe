package tun

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/gso"
	"tunstack/internal/packet"
)

// frames is the input of a queue.
type frames [][]byte

// read is the read function for gso.Join.
func (w *frames) read(b []byte) int {
	if len(*w) == 0 {
		return 0
	}
	n := copy(b, (*w)[0])
	*w = (*w)[1:]
	return n
}

// joinAll reads everything as a queue does.
func joinAll(w frames, kind Kind, frameLen int) (out []*packet.Buffer) {
	for p := (*packet.Buffer)(nil); p != nil || len(w) > 0; {
		if p == nil {
			p = packet.New(packet.MaxSize)
			b := p.Extend(packet.MaxSize)
			p.Truncate(w.read(b))
		}
		held := gso.Join(p, kind.headerLen(), frameLen, w.read)
		out = append(out, p)
		p = held
	}
	return out
}

// arriving is a segment as Linux sends it: complete, and with DF.
func arriving(f segmentFields, payload []byte) []byte {
	p := buildTCP(f, payload)
	p.CompleteChecksum()
	b := p.Bytes()
	b[6] = 0x40
	return sealIP(b)
}

func sealIP(b []byte) []byte {
	checksum.Put(b[10:], 0)
	checksum.Put(b[10:], ^checksum.Sum(b[:ipv4HeaderLen], 0))
	return b
}

func sealTCP(b []byte) []byte {
	tcp := b[ipv4HeaderLen:]
	checksum.Put(tcp[16:], 0)
	checksum.Put(tcp[16:], ^checksum.Sum(tcp, checksum.PseudoOf(b[12:20], protocolTCP, len(tcp))))
	return b
}

// burst is data in segments of size bytes, the last with PSH.
func burst(seq uint32, payload []byte, size int) (w frames) {
	for len(payload) > 0 {
		n := min(size, len(payload))
		f := segmentFields{srcPort: 7, dstPort: 8, seq: seq, ack: 99, flags: tcpACK}
		if n == len(payload) {
			f.flags |= tcpPSH
		}
		w = append(w, arriving(f, payload[:n]))
		seq, payload = seq+uint32(n), payload[n:]
	}
	return w
}

// Consecutive segments become one packet with their data and flags.
func TestJoin(t *testing.T) {
	for _, kind := range []Kind{TUN, TAP} {
		payload := randomBytes(10500)
		w := burst(0xfffff000, payload, 1000)
		if kind == TAP {
			for i := range w {
				w[i] = frame(packet.From(w[i]), []byte{1, 2, 3, 4, 5, 6}).Bytes()
			}
		}
		out := joinAll(w, kind, 1518)
		require.Len(t, out, 1)
		p := out[0]
		require.Equal(t, packet.Offload{Checksum: packet.ChecksumPartial, Start: 20, Offset: 16, Segmentation: packet.SegmentTCP, Size: 1000}, p.Offload)
		p.TrimFront(kind.headerLen())
		p.CompleteChecksum()
		p.Offload.Segmentation = packet.SegmentNone
		h := verify(t, p)
		require.EqualValues(t, 0xfffff000, binary.BigEndian.Uint32(h[4:]))
		require.EqualValues(t, tcpACK|tcpPSH, h[13])
		requireSame(t, payload, h[tcpHeaderLen:])
	}
}

// A super-packet is at most as large as an IP datagram can be.
func TestJoinFillsADatagram(t *testing.T) {
	payload := randomBytes(200_000)
	var got []byte
	out := joinAll(burst(1, payload, 1460), TUN, 1504)
	require.Len(t, out, 4)
	for _, p := range out {
		require.LessOrEqual(t, p.Len(), 65535)
		got = append(got, p.Bytes()[ipv4HeaderLen+tcpHeaderLen:]...)
	}
	requireSame(t, payload, got)
}

// A lone segment is not changed, and its checksum is marked valid.
func TestJoinNothing(t *testing.T) {
	b := arriving(segmentFields{seq: 1, flags: tcpACK}, randomBytes(100))
	out := joinAll(frames{b}, TUN, 1504)
	require.Len(t, out, 1)
	require.Equal(t, packet.Offload{Checksum: packet.ChecksumValid}, out[0].Offload)
	requireSame(t, b, out[0].Bytes())
}

// A segment that differs in any other field than those of each segment is not joined, and arrives unchanged.
func TestJoinNotWhatDiffers(t *testing.T) {
	second := segmentFields{srcPort: 7, dstPort: 8, seq: 1101, ack: 99, flags: tcpACK}
	change := func(f func(b []byte)) []byte {
		b := arriving(second, randomBytes(100))
		f(b)
		return sealTCP(sealIP(b))
	}
	with := func(f func(s *segmentFields)) []byte {
		s := second
		f(&s)
		return arriving(s, randomBytes(100))
	}
	corrupt := func(at int) []byte {
		b := arriving(second, randomBytes(100))
		b[at] ^= 1
		return b
	}
	for name, b := range map[string][]byte{
		"a gap":           with(func(s *segmentFields) { s.seq++ }),
		"a repetition":    with(func(s *segmentFields) { s.seq = 1001 }),
		"source port":     with(func(s *segmentFields) { s.srcPort++ }),
		"port":            with(func(s *segmentFields) { s.dstPort++ }),
		"acknowledgment":  with(func(s *segmentFields) { s.ack++ }),
		"FIN":             with(func(s *segmentFields) { s.flags |= tcpFIN }),
		"CWR":             with(func(s *segmentFields) { s.flags |= tcpCWR }),
		"URG":             with(func(s *segmentFields) { s.flags |= 0x20 }),
		"window":          change(func(b []byte) { b[34]-- }),
		"urgent pointer":  change(func(b []byte) { b[39]++ }),
		"reserved bit":    change(func(b []byte) { b[32] |= 1 }),
		"options":         change(func(b []byte) { b[32] = 6 << 4 }),
		"type of service": change(func(b []byte) { b[1] = 3 }),
		"TTL":             change(func(b []byte) { b[8]-- }),
		"source":          change(func(b []byte) { b[15]++ }),
		"destination":     change(func(b []byte) { b[19]++ }),
		"may be in parts": change(func(b []byte) { b[6] = 0 }),
		"a fragment":      change(func(b []byte) { b[6] = 0x60 }),
		"IP options":      change(func(b []byte) { b[0] = 0x46 }),
		"padding":         append(arriving(second, randomBytes(90)), make([]byte, 10)...),
		"another version": change(func(b []byte) { b[0] = 0x65 }),
		"protocol":        change(func(b []byte) { b[9] = 17 }),
		"larger":          arriving(second, randomBytes(101)),
		"no data":         arriving(second, nil),
		"IP checksum":     corrupt(10),
		"data":            corrupt(60),
		"no header":       {0x45, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			first := arriving(segmentFields{srcPort: 7, dstPort: 8, seq: 1001, ack: 99, flags: tcpACK}, randomBytes(100))
			out := joinAll(frames{first, b}, TUN, 1504)
			require.Len(t, out, 2)
			requireSame(t, first, out[0].Bytes())
			requireSame(t, b, out[1].Bytes())
			require.Zero(t, out[1].Offload.Segmentation)
		})
	}
}

// PSH or a short segment ends a super-packet.
func TestJoinEndsWithPush(t *testing.T) {
	w := append(burst(1, randomBytes(3000), 1000), burst(3001, randomBytes(2500), 1000)...)
	out := joinAll(append(w, burst(5501, randomBytes(1000), 1000)...), TUN, 1504)
	require.Len(t, out, 3)
	require.Equal(t, []int{3040, 2540, 1040}, []int{out[0].Len(), out[1].Len(), out[2].Len()})
}

func TestJoinNoAllocations(t *testing.T) {
	w := burst(1, randomBytes(40000), 1460)
	requireNoAllocs(t, func() {
		rest := w
		p := packet.New(packet.MaxSize)
		b := p.Extend(packet.MaxSize)
		p.Truncate(rest.read(b))
		require.Nil(t, gso.Join(p, 0, 1504, rest.read))
		p.Free()
	})
}

// Joined packets that are cut again are the same, in order.
func FuzzJoin(f *testing.F) {
	seed := func(w frames) {
		var data []byte
		for _, b := range w {
			data = append(binary.BigEndian.AppendUint16(data, uint16(len(b)-1)), b...)
		}
		f.Add(data)
	}
	seed(burst(1, randomBytes(250), 100))
	seed(append(burst(1, randomBytes(200), 100), burst(1, randomBytes(200), 100)...))
	seed(frames{{0x45, 0}, buildUDP(1, 2, make([]byte, 10)).Bytes()})
	f.Fuzz(func(t *testing.T, data []byte) {
		var w frames
		for len(data) > 2 {
			size := int(binary.BigEndian.Uint16(data))
			n := min(size%1504+1, len(data)-2)
			b := append([]byte{}, data[2:2+n]...)
			if size < 1<<15 && n >= ipv4HeaderLen+tcpHeaderLen { // otherwise its checksums may be wrong
				b = sealTCP(sealIP(b))
			}
			w, data = append(w, b), data[2+n:]
		}
		sent := &outbox{}
		for _, p := range joinAll(w, TUN, 1504) {
			if p.Offload.Segmentation == packet.SegmentNone {
				p.Offload = packet.Offload{}
			}
			require.NoError(t, deliver(sent, TUN, packet.Features{}, p))
		}
		require.Len(t, sent.sent, len(w))
		for i, p := range sent.sent {
			requireSame(t, withoutOwn(w[i]), withoutOwn(p.Bytes()))
		}
	})
}

// withoutOwn clears the fields that joining and cutting do not keep: identification and checksums.
func withoutOwn(b []byte) []byte {
	b = append([]byte{}, b...)
	if len(b) >= ipv4HeaderLen+tcpHeaderLen && b[0] == 0x45 && b[9] == protocolTCP {
		clear(b[4:6])
		clear(b[10:12])
		clear(b[36:38])
	}
	return b
}

func BenchmarkJoin(b *testing.B) {
	w := burst(1, randomBytes(44*1448), 1448)
	b.SetBytes(44 * 1448)
	b.ReportAllocs()
	for b.Loop() {
		rest := w
		p := packet.New(packet.MaxSize)
		p.Truncate(rest.read(p.Extend(packet.MaxSize)))
		gso.Join(p, 0, 1504, rest.read)
		p.Free()
	}
}
