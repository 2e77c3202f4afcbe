package gso

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

// variant is a kind of packet.
type variant struct {
	version, link int
	udp           bool
}

func (v variant) String() string {
	return fmt.Sprintf("IPv%d behind %d bytes, UDP %v", v.version, v.link, v.udp)
}

// variants returns all kinds.
func variants() (all []variant) {
	for _, version := range []int{4, 6} {
		for _, link := range []int{0, 14} {
			for _, udp := range []bool{false, true} {
				all = append(all, variant{version, link, udp})
			}
		}
	}
	return all
}

// build returns a whole packet with the given flags and sequence number, as another stack would build it.
func (v variant) build(t testing.TB, seq uint32, psh bool, payload []byte) []byte {
	var list []gopacket.SerializableLayer
	src, dst := net.IP{10, 0, 0, 1}, net.IP{10, 0, 0, 2}
	etherType, protocol := layers.EthernetTypeIPv4, layers.IPProtocolTCP
	if v.udp {
		protocol = layers.IPProtocolUDP
	}
	var network gopacket.NetworkLayer
	v4 := &layers.IPv4{Version: 4, TTL: 64, Id: 0xfffe, Flags: layers.IPv4DontFragment, Protocol: protocol, SrcIP: src, DstIP: dst}
	network = v4
	if v.version == 6 {
		v6 := &layers.IPv6{Version: 6, HopLimit: 64, FlowLabel: 5, NextHeader: protocol, SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP("fd00::2")}
		etherType, network = layers.EthernetTypeIPv6, v6
	}
	if v.link > 0 {
		list = append(list, &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: etherType})
	}
	list = append(list, network.(gopacket.SerializableLayer))
	if v.udp {
		udp := &layers.UDP{SrcPort: 7, DstPort: 8}
		require.NoError(t, udp.SetNetworkLayerForChecksum(network))
		list = append(list, udp)
	} else {
		tcp := &layers.TCP{SrcPort: 7, DstPort: 8, Seq: seq, Ack: 99, ACK: true, PSH: psh, Window: 500,
			Options: []layers.TCPOption{{OptionType: 1}, {OptionType: 1}, {OptionType: 8, OptionLength: 10, OptionData: make([]byte, 8)}}}
		require.NoError(t, tcp.SetNetworkLayerForChecksum(network))
		list = append(list, tcp)
	}
	b := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	require.NoError(t, gopacket.SerializeLayers(b, options, append(list, gopacket.Payload(payload))...))
	return b.Bytes()
}

// super returns a super-packet, its payload borrowed in two spans.
func (v variant) super(t testing.TB, payload []byte, size int) *packet.Buffer {
	p := packet.From(v.build(t, 0xfffff000, true, payload))
	p.Truncate(p.Len() - len(payload))
	p.Borrow([2][]byte{payload[:len(payload)/3], payload[len(payload)/3:]})
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Segmentation: packet.SegmentTCP, Size: uint16(size)}
	if v.udp {
		p.Offload.Segmentation = packet.SegmentUDP
	}
	return p
}

// complete finishes the checksum of p, whose network header starts at link.
func complete(p *packet.Buffer, link int) []byte {
	p.TrimFront(link)
	p.CompleteChecksum()
	p.Prepend(link)
	return p.Bytes()
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{})
	r.Read(b)
	return b
}

// A super-packet of either family is cut into the packets that another stack would build from its payload.
func TestCut(t *testing.T) {
	payload := random(10_500)
	for _, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			p := v.super(t, payload, 1000)
			cut, ok := Cut(p, v.link)
			require.True(t, ok)
			for i := range 11 {
				part := payload[1000*i : min(1000*i+1000, len(payload))]
				want := v.build(t, 0xfffff000+uint32(1000*i), i == 10, part)
				if v.version == 4 {
					h := want[v.link:][:20]
					binary.BigEndian.PutUint16(h[4:], 0xfffe+uint16(i))
					checksum.Put(h[10:], 0)
					checksum.Put(h[10:], ^checksum.Sum(h, 0))
				}
				q := cut.Next()
				require.Equal(t, want, complete(q, v.link))
				q.Free()
			}
			require.Nil(t, cut.Next())
			p.Free()
		})
	}
}

// Consecutive segments of either family are joined to a super-packet; cut again it yields the same segments.
func TestJoinAndCut(t *testing.T) {
	payload := random(10_500)
	for _, v := range variants() {
		if v.udp {
			continue
		}
		t.Run(v.String(), func(t *testing.T) {
			var frames [][]byte
			for i := range 11 {
				frames = append(frames, v.build(t, uint32(1000*i), i == 10, payload[1000*i:min(1000*i+1000, len(payload))]))
			}
			p := packet.New(packet.MaxSize)
			copy(p.Extend(len(frames[0])), frames[0])
			next := 1
			require.Nil(t, Join(p, v.link, 1518, func(b []byte) int {
				next++
				return copy(b, frames[next-1])
			}))
			require.Equal(t, len(frames), next)
			require.Equal(t, packet.SegmentTCP, p.Offload.Segmentation)
			require.EqualValues(t, 1000, p.Offload.Size)
			cut, ok := Cut(p, v.link)
			require.True(t, ok)
			for _, want := range frames {
				got := complete(cut.Next(), v.link)
				if v.version == 4 { // the identification is different in each packet
					copy(got[v.link+4:v.link+12], want[v.link+4:])
				}
				require.Equal(t, want, got)
			}
			p.Free()
		})
	}
}

// A packet that differs from the first in any byte of the header is not joined to it, in either family.
func TestJoinNotWhatDiffers(t *testing.T) {
	for _, v := range variants() {
		if v.udp {
			continue
		}
		first, second := v.build(t, 1, false, random(100)), v.build(t, 101, false, random(100))
		for at := range len(second) - 100 {
			other := append([]byte(nil), second...)
			other[at] ^= 0x40
			p := packet.New(packet.MaxSize)
			copy(p.Extend(len(first)), first)
			read := false
			held := Join(p, v.link, 1518, func(b []byte) int { read = true; return copy(b, other) })
			require.True(t, read)
			require.NotNil(t, held, "%v, byte %d", v, at)
			require.Equal(t, other, held.Bytes())
			require.Equal(t, first, p.Bytes())
			held.Free()
			p.Free()
		}
	}
}

// A super-packet whose headers do not agree with its offload request is refused.
func TestCutNotWhatDisagrees(t *testing.T) { // SEC-015
	for _, v := range variants() {
		transport := v.link + 20
		if v.version == 6 {
			transport = v.link + 40
		}
		for name, change := range map[string]func(p *packet.Buffer){
			"no size":               func(p *packet.Buffer) { p.Offload.Size = 0 },
			"another protocol":      func(p *packet.Buffer) { p.Offload.Segmentation ^= packet.SegmentTCP ^ packet.SegmentUDP },
			"another version":       func(p *packet.Buffer) { p.Bytes()[v.link] = 0x55 },
			"nothing":               func(p *packet.Buffer) { p.Truncate(0) },
			"no IP header":          func(p *packet.Buffer) { p.Truncate(v.link) },
			"part of the IP header": func(p *packet.Buffer) { p.Truncate(transport - 1) },
			"no transport header":   func(p *packet.Buffer) { p.Truncate(transport) },
			"part of it":            func(p *packet.Buffer) { p.Truncate(transport + 7) },
		} {
			p := v.super(t, random(3000), 1000)
			change(p)
			_, ok := Cut(p, v.link)
			require.False(t, ok, "%v: %s", v, name)
			p.Free()
		}
	}
}
