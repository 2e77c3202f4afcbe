package ipv6

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// sink is a transport that frees all.
type sink struct{}

func (sink) Input(_ time.Duration, _ *ip.Datagram, p *packet.Buffer) { p.Free() }
func (sink) HandleError(time.Duration, *ip.Error, []byte)            {}

// A datagram's way from the link to its protocol.
func BenchmarkInput(b *testing.B) {
	l := newLab(&testing.T{}, config{})
	h := unicast()
	h.Protocol++
	l.Register(h.Protocol, sink{})
	data := dgram(h, make([]byte, 100))
	b.ReportAllocs()
	for b.Loop() {
		l.recv(data)
	}
	require.Equal(b, l.v6.stats.InPackets.Value(), l.v6.stats.InDelivers.Value())
}

func BenchmarkSend(b *testing.B) {
	l := newLab(&testing.T{}, config{})
	l.wire0.Discard = true
	r, err := l.Route(peerAddr, netip.Addr{})
	require.NoError(b, err)
	payload := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		p := packet.New(0)
		p.Borrow([2][]byte{payload})
		if l.Send(l.now, r, ip.Outgoing{Protocol: ip.ProtocolUDP}, p) != nil {
			b.Fatal("not sent")
		}
	}
}
