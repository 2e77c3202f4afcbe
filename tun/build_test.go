package tun

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

const (
	ipv4HeaderLen = 20

	protocolTCP = 6
	protocolUDP = 17

	tcpFIN = 0x01
	tcpPSH = 0x08
	tcpACK = 0x10
)

var (
	hostIP  = [4]byte{10, 9, 0, 1}
	stackIP = [4]byte{10, 9, 0, 2}
)

// segmentFields are the fields of a TCP segment that these tests vary.
type segmentFields struct {
	srcPort, dstPort uint16
	seq, ack         uint32
	flags            byte
}

// buildTCP returns a packet from the stack to the host with a partial checksum, as TCP sends it.
func buildTCP(f segmentFields, payload []byte) *packet.Buffer {
	p := packet.From(payload)
	h := p.Prepend(tcpHeaderLen)
	clear(h)
	binary.BigEndian.PutUint16(h[0:], f.srcPort)
	binary.BigEndian.PutUint16(h[2:], f.dstPort)
	binary.BigEndian.PutUint32(h[4:], f.seq)
	binary.BigEndian.PutUint32(h[8:], f.ack)
	h[12], h[13] = 5<<4, f.flags
	binary.BigEndian.PutUint16(h[14:], 65535)
	checksum.Put(h[16:], checksum.Pseudo(netip.AddrFrom4(stackIP), netip.AddrFrom4(hostIP), protocolTCP, p.Len()))
	buildIP(p, protocolTCP)
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Start: ipv4HeaderLen, Offset: 16}
	return p
}

// buildUDP is the same for UDP.
func buildUDP(srcPort, dstPort uint16, payload []byte) *packet.Buffer {
	p := packet.From(payload)
	h := p.Prepend(udpHeaderLen)
	binary.BigEndian.PutUint16(h[0:], srcPort)
	binary.BigEndian.PutUint16(h[2:], dstPort)
	binary.BigEndian.PutUint16(h[4:], uint16(p.Len()))
	checksum.Put(h[6:], checksum.Pseudo(netip.AddrFrom4(stackIP), netip.AddrFrom4(hostIP), protocolUDP, p.Len()))
	buildIP(p, protocolUDP)
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Start: ipv4HeaderLen, Offset: 6}
	return p
}

func buildIP(p *packet.Buffer, protocol byte) {
	h := p.Prepend(ipv4HeaderLen)
	clear(h)
	h[0], h[8], h[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(h[2:], uint16(p.Len()))
	binary.BigEndian.PutUint16(h[4:], 0xfffe)
	copy(h[12:], stackIP[:])
	copy(h[16:], hostIP[:])
	checksum.Put(h[10:], ^checksum.Sum(h, 0))
}

// frame puts an Ethernet header from the peer to dst in front of p.
func frame(p *packet.Buffer, dst []byte) *packet.Buffer {
	h := p.Prepend(etherHeaderLen)
	copy(h, dst)
	copy(h[6:], []byte{2, 0, 0, 0, 0, 9, 8, 0})
	return p
}

// super makes p a super-packet.
func super(p *packet.Buffer, s packet.Segmentation, size int) *packet.Buffer {
	p.Offload.Segmentation, p.Offload.Size = s, uint16(size)
	return p
}

// randomBytes returns n bytes, the same in every run.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// requireSame compares long payloads, without printing them.
func requireSame(t *testing.T, want, got []byte) {
	t.Helper()
	require.Len(t, got, len(want))
	require.True(t, bytes.Equal(want, got), "same length, other bytes")
}
