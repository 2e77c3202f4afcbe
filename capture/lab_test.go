package capture

import (
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// serialize makes a packet of its layers.
func serialize(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return b.Bytes()
}

// ipHeader is a header from 10.0.0.1 to 10.0.0.2.
func ipHeader(protocol layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: protocol, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
}

// tcpPacket is a datagram from 10.0.0.1:4000 to 10.0.0.2:7 with a segment.
func tcpPacket(t testing.TB, seq uint32, payload string) []byte {
	h := ipHeader(layers.IPProtocolTCP)
	s := &layers.TCP{SrcPort: 4000, DstPort: 7, Seq: seq, Ack: 2000, ACK: true, PSH: true, Window: 500}
	require.NoError(t, s.SetNetworkLayerForChecksum(h))
	return serialize(t, h, s, gopacket.Payload(payload))
}
