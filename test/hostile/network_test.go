package hostile

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/ipv4"
	"tunstack/tcp"
)

// viaAttacker is a loose source route that is completed and recorded the attacker as its last hop.
func viaAttacker() []byte {
	return append([]byte{131, 7, 8}, attacker.AsSlice()...)
}

// SEC-018: a source route lets the attacker receive the answers to a forged source address. No layer may follow one.
func TestSourceRoutedSegments(t *testing.T) {
	l := newLab(t, nil)
	l.listen()
	forged := netip.MustParseAddr("99.1.2.3")
	syn := segment(netip.AddrPortFrom(forged, 999), victim, tcp.Segment{Flags: tcp.SYN, Seq: 5, Wnd: 65535})
	for _, h := range []ipv4.Header{{Protocol: ipv4.ProtocolTCP}, {Protocol: ipv4.ProtocolUDP}, {Protocol: ipv4.ProtocolICMP}, {Protocol: 199}} {
		h.Src, h.Dst, h.Options = forged, victim.Addr(), viaAttacker()
		payload := syn[ipv4.HeaderLen:]
		switch h.Protocol {
		case ipv4.ProtocolUDP:
			payload = udp(999, 9, []byte("to a closed port"))
		case ipv4.ProtocolICMP:
			payload = sumICMP([]byte{8, 0, 0, 0, 0, 1, 0, 1})
		}
		l.inject(datagram(h, payload))
		require.Empty(t, l.sent, "protocol %d", h.Protocol)
	}
	require.Equal(t, 4, l.counter("ipv4.drop.source_routed"))
	require.Zero(t, l.connections())
}
