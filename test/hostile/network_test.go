package hostile

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/socketapi"
	"tunstack/tcp"
)

// viaAttacker is a completed loose source route with the attacker as its last hop.
func viaAttacker() []byte {
	return append([]byte{131, 7, 8}, attacker.AsSlice()...)
}

// SEC-018: a source route sends the answers to a forged source address to the attacker. No layer may follow one.
func TestSourceRoutedSegments(t *testing.T) {
	l := newLab(t, nil)
	l.listen()
	forged := netip.MustParseAddr("99.1.2.3")
	syn := segment(netip.AddrPortFrom(forged, 999), victim, tcp.Segment{Flags: tcp.SYN, Seq: 5, Wnd: 65535})
	for _, protocol := range []uint8{ip.ProtocolTCP, ip.ProtocolUDP, ip.ProtocolICMP, 199} {
		var h ipv4.Header
		h.Protocol = protocol
		h.Src, h.Dst, h.Options = forged, victim.Addr(), viaAttacker()
		payload := syn[ipv4.HeaderLen:]
		switch h.Protocol {
		case ip.ProtocolUDP:
			payload = udp(999, 9, []byte("to a closed port"))
		case ip.ProtocolICMP:
			payload = sumICMP([]byte{8, 0, 0, 0, 0, 1, 0, 1})
		}
		l.inject(datagram(h, payload))
		require.Empty(t, l.sent, "protocol %d", h.Protocol)
	}
	require.Equal(t, 4, l.counter("ipv4.drop.source_routed"))
	require.Zero(t, l.connections())
}

// tooBig is the attacker's Fragmentation Needed about a datagram of the victim.
func tooBig(protocol uint8, dst netip.Addr, payload []byte) []byte {
	quote := datagram(ipv4.Header{Datagram: ip.Datagram{Protocol: protocol, Src: victim.Addr(), Dst: dst}}, payload)
	binary.BigEndian.PutUint16(quote[6:], 0x4000) // DF
	b := append([]byte{icmp.Unreachable, icmp.CodeFragNeeded, 0, 0, 0, 0, 2, 64}, quote...)
	return datagram(ipv4.Header{Datagram: ip.Datagram{Protocol: ip.ProtocolICMP, Src: attacker, Dst: victim.Addr()}}, sumICMP(b))
}

// SEC-010: an error about a datagram that was not sent changes no path MTU, even if a socket could have sent it.
func TestFragNeededAboutNothing(t *testing.T) {
	l := newLab(t, nil)
	fd := l.socket(socketapi.SOCK_DGRAM)
	require.NoError(t, l.Bind(fd, victim))
	l.inject(tooBig(ip.ProtocolUDP, honest.Addr(), udp(victim.Port(), honest.Port(), make([]byte, 1400))))
	require.NoError(t, l.Connect(fd, honest))
	l.inject(tooBig(ip.ProtocolUDP, honest.Addr(), udp(victim.Port(), honest.Port(), make([]byte, 1400))))
	l.inject(tooBig(ip.ProtocolICMP, honest.Addr(), sumICMP(make([]byte, 1400))))
	l.inject(tooBig(ip.ProtocolTCP, honest.Addr(), make([]byte, 1400)))
	require.Zero(t, l.counter("ip.pmtu.lowered"))
	require.Equal(t, 3, l.counter("ip.icmp.ignored"))
	var mtu int
	_, err := l.GetSockOpt(fd, socketapi.IPPROTO_IP, socketapi.IP_MTU, &mtu)
	require.NoError(t, err)
	require.Equal(t, 1500, mtu)
}

// SEC-010: a Redirect about a datagram that was not sent does not redirect a destination to the attacker's gateway.
func TestRedirectAboutNothing(t *testing.T) {
	l := newLab(t, nil)
	far, router := netip.MustParseAddrPort("198.51.100.1:9"), netip.MustParseAddr("10.0.0.1")
	redirect := func(protocol uint8, payload []byte) {
		quote := datagram(ipv4.Header{Datagram: ip.Datagram{Protocol: protocol, Src: victim.Addr(), Dst: far.Addr()}}, payload)
		b := append([]byte{icmp.Redirect, 1, 0, 0, 10, 0, 0, 66}, quote...)
		l.inject(datagram(ipv4.Header{Datagram: ip.Datagram{Protocol: ip.ProtocolICMP, Src: router, Dst: victim.Addr()}}, sumICMP(b)))
	}
	fd := l.socket(socketapi.SOCK_DGRAM)
	require.NoError(t, l.Bind(fd, victim))
	about := udp(victim.Port(), far.Port(), make([]byte, 20))
	redirect(ip.ProtocolUDP, about)
	redirect(ip.ProtocolICMP, sumICMP(make([]byte, 64)))
	redirect(ip.ProtocolTCP, make([]byte, 20))
	require.Zero(t, l.counter("ip.redirect.accepted"))
	require.Equal(t, 2, l.counter("ip.icmp.ignored"))

	require.NoError(t, l.Connect(fd, far))
	redirect(ip.ProtocolUDP, about)
	require.Equal(t, 1, l.counter("ip.redirect.accepted"), "a connected socket could have sent it")
	conn := l.socket(socketapi.SOCK_STREAM)
	require.Equal(t, syscall.EINPROGRESS, l.Connect(conn, netip.AddrPortFrom(far.Addr(), 10)))
	syn := l.sent[len(l.sent)-1]
	redirect(ip.ProtocolTCP, syn[ipv4.HeaderLen:])
	require.Equal(t, 1, l.counter("ip.redirect.accepted"), "the first hop is now 10.0.0.66")
	require.Equal(t, 1, l.counter("ip.redirect.ignored"), "but TCP believed that it sent it")
	syn[ipv4.HeaderLen+4]++ // the sequence number
	redirect(ip.ProtocolTCP, syn[ipv4.HeaderLen:])
	require.Equal(t, 1, l.counter("ip.redirect.ignored"))
}
