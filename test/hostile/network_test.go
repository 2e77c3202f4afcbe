package hostile

import (
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
	return append([]byte{131, 7, 8}, four.attacker.AsSlice()...)
}

// SEC-018: a source route sends the answers to a forged source address to the attacker. No layer may follow one.
func TestSourceRoutedSegments(t *testing.T) {
	l, victim := newLab(t, four, nil), four.victim
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
			payload = udp(netip.AddrPortFrom(forged, 999), victim, []byte("to a closed port"))
		case ip.ProtocolICMP:
			payload = sum(h.Protocol, h.Src, h.Dst, []byte{8, 0, 0, 0, 0, 1, 0, 1}, 2)
		}
		l.inject(datagram4(h, payload))
		require.Empty(t, l.sent, "protocol %d", h.Protocol)
	}
	require.Equal(t, 4, l.counter("ipv4.drop.source_routed"))
	require.Zero(t, l.connections())
}

// SEC-010: an error about a datagram that was not sent changes no path MTU, even if a socket could have sent it.
func TestFragNeededAboutNothing(t *testing.T) { eachFamily(t, testFragNeededAboutNothing) } // ICMP6-015

func testFragNeededAboutNothing(t *testing.T, f *family) {
	l := newLab(t, f, nil)
	fd := l.socket(socketapi.SOCK_DGRAM)
	require.NoError(t, l.Bind(fd, f.victim))
	about := func(protocol uint8, payload []byte) {
		quoted := f.quotable(protocol, f.honest.Addr(), payload)
		l.inject(f.tooBig(1300, quoted[:min(len(quoted), 1232)]))
	}
	about(ip.ProtocolUDP, udp(f.victim, f.honest, make([]byte, 1400)))
	require.NoError(t, l.Connect(fd, f.honest))
	about(ip.ProtocolUDP, udp(f.victim, f.honest, make([]byte, 1400)))
	about(f.icmp, sum(f.icmp, f.victim.Addr(), f.honest.Addr(), make([]byte, 1400), 2))
	about(ip.ProtocolTCP, make([]byte, 1400))
	require.Zero(t, l.counter("ip.pmtu.lowered"))
	require.Equal(t, 3, l.counter("ip.icmp.ignored"))
	var mtu int
	_, err := l.GetSockOpt(fd, f.level, f.mtu, &mtu)
	require.NoError(t, err)
	require.Equal(t, 1500, mtu)
}

// SEC-010: a Redirect about a datagram that was not sent does not redirect a destination to the attacker's gateway.
func TestRedirectAboutNothing(t *testing.T) {
	l, victim := newLab(t, four, nil), four.victim
	far, router := netip.MustParseAddrPort("198.51.100.1:9"), netip.MustParseAddr("10.0.0.1")
	redirect := func(protocol uint8, payload []byte) {
		quote := datagram(protocol, victim.Addr(), far.Addr(), payload)
		l.inject(l.message(router, victim.Addr(), append([]byte{icmp.Redirect, 1, 0, 0, 10, 0, 0, 66}, quote...)))
	}
	fd := l.socket(socketapi.SOCK_DGRAM)
	require.NoError(t, l.Bind(fd, victim))
	about := udp(victim, far, make([]byte, 20))
	redirect(ip.ProtocolUDP, about)
	redirect(ip.ProtocolICMP, sum(ip.ProtocolICMP, router, router, make([]byte, 64), 2))
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
