package socketapi

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/link/nd"
	"tunstack/tcp"
)

var (
	addrA6 = netip.MustParseAddr("2001:db8::1")
	addrB6 = netip.MustParseAddr("2001:db8::2")
)

// dualStack gives the host of a wire the address 2001:db8::2, too.
func dualStack(cfg *Config) {
	i := &cfg.Interfaces[0]
	i.Addrs = append(i.Addrs, netip.PrefixFrom(addrB6, 64))
}

// recv6 puts in a datagram from 2001:db8::1 and returns the only one that is sent.
func (w *wire) recv6(protocol uint8, payload []byte) (ip.Datagram, []byte) {
	w.t.Helper()
	w.inject(packet6(protocol, payload))
	h, b := w.sent6()
	require.Len(w.t, h, 1)
	require.Equal(w.t, uint16(0xffff), checksum.Sum(b[0], h[0].PseudoSum(len(b[0]))))
	return h[0].Datagram, b[0]
}

// Sockets at 0.0.0.0 are IPv4's: a packet to their ports over IPv6 is refused like one to an unused port.
func TestSocketsOfIPv4HearNoIPv6(t *testing.T) {
	w := newWire(t, dualStack)
	listener, datagrams := w.listen("0.0.0.0:7"), w.bound(SOCK_DGRAM, "0.0.0.0:7")
	raw := w.socket(SOCK_RAW, IPPROTO_UDP)
	syn := tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000}
	d, b := w.recv6(ip.ProtocolTCP, segment(addrA6, addrB6, syn))
	require.Equal(t, [2]netip.Addr{addrB6, addrA6}, [2]netip.Addr{d.Src, d.Dst})
	var rst tcp.Segment
	require.NoError(t, rst.Parse(b))
	require.Equal(t, tcp.RST|tcp.ACK, rst.Flags)
	require.Equal(t, tcp.Seq(6), rst.Ack)

	datagram := []byte{3, 232, 0, 7, 0, 12, 0, 0, 1, 2, 3, 4}
	d, b = w.recv6(ip.ProtocolUDP, sum6(ip.ProtocolUDP, datagram, 6))
	require.Equal(t, uint8(ip.ProtocolICMPv6), d.Protocol)
	require.Equal(t, []byte{icmp.Unreachable6, icmp.CodePort6}, b[:2])
	for _, fd := range []int{datagrams, raw} {
		_, err := w.host.recv(fd, 100, MSG_DONTWAIT)
		require.Error(t, err)
	}
	_, _, err := w.Accept(listener)
	require.Error(t, err)
}

func TestLoopbackOfBothFamilies(t *testing.T) {
	loopback := alone(t).Interfaces()[0].Addresses
	require.Len(t, loopback, 2)
	require.Equal(t, netip.MustParsePrefix("127.0.0.1/8"), loopback[0].Prefix)
	require.Equal(t, netip.MustParsePrefix("::1/128"), loopback[1].Prefix)
}

// IP6-036: an interface with an IPv6 address has a link-local one, too. The stack answers at each of its addresses, and at its groups from one of
// them.
func TestAddressesOfAnInterface(t *testing.T) {
	w := newWire(t, dualStack)
	w.after(time.Minute)
	var own []netip.Addr
	for _, a := range w.Interfaces()[1].Addresses {
		if a.Prefix.Addr().Is6() {
			own = append(own, a.Prefix.Addr())
		}
	}
	require.Len(t, own, 2)
	require.True(t, slices.ContainsFunc(own, netip.Addr.IsLinkLocalUnicast))
	joined := netip.MustParseAddr("ff05::9")
	w.set6(w.socket6(SOCK_DGRAM, 0), IPV6_JOIN_GROUP, IPv6Mreq{joined.As16(), 2})
	groups := []netip.Addr{netip.MustParseAddr("ff02::1"), joined}
	for _, a := range own {
		groups = append(groups, nd.SolicitedNode(a))
	}
	for _, dst := range slices.Concat(own, groups, []netip.Addr{netip.MustParseAddr("2001:db8::99"), netip.MustParseAddr("ff05::99")}) {
		echo := []byte{icmp.EchoRequest6, 0, 0, 0, 0, 1, 0, 1}
		checksum.Put(echo[2:], ^checksum.Sum(echo, checksum.Pseudo(addrA6, dst, ip.ProtocolICMPv6, len(echo))))
		b := packet6(ip.ProtocolICMPv6, echo)
		copy(b[24:], dst.AsSlice())
		w.sent = nil
		w.inject(b)
		headers, payloads := w.sent6()
		if answers := slices.Contains(own, dst) || slices.Contains(groups, dst); !answers {
			require.Empty(t, headers, dst)
			continue
		}
		require.Len(t, headers, 1, dst)
		require.Equal(t, byte(icmp.EchoReply6), payloads[0][0])
		src := headers[0].Src.WithZone("")
		require.Contains(t, own, src)
		require.True(t, src == dst || dst.IsMulticast())
	}
}
