package ip

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// hop requires the source and the next hop of datagrams from src, which may be "", to dst.
func hop(t *testing.T, s *Stack, dst, src string, via Via) (source, next string) {
	t.Helper()
	var from netip.Addr
	if src != "" {
		from = addr(src)
	}
	r, err := s.RouteVia(addr(dst), from, via)
	require.NoError(t, err)
	return r.Src.String(), r.Path().NextHop.String()
}

// DHCP-020: a destination of 169.254/16 is a neighbour, and so is every destination of a source of 169.254/16.
func TestLinkLocalIsOnLink(t *testing.T) {
	s := dual(t, "eth0 10.0.0.2/24 169.254.7.7/16")
	require.NoError(t, s.AddRoute(RouteEntry{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: addr("10.0.0.1")}))
	for _, tt := range []struct{ dst, src, source, next string }{
		{"192.0.2.1", "", "10.0.0.2", "10.0.0.1"},
		{"192.0.2.1", "169.254.7.7", "169.254.7.7", "192.0.2.1"},
		{"169.254.9.9", "", "169.254.7.7", "169.254.9.9"},
		{"169.254.9.9", "10.0.0.2", "10.0.0.2", "169.254.9.9"},
		{"10.0.0.9", "169.254.7.7", "169.254.7.7", "10.0.0.9"},
	} {
		source, next := hop(t, s, tt.dst, tt.src, Via{})
		require.Equal(t, tt.source, source, tt)
		require.Equal(t, tt.next, next, tt)
	}
	require.NoError(t, s.InterfaceNamed("eth0").RemoveAddress(addr("169.254.7.7")))
	_, next := hop(t, s, "169.254.9.9", "", Via{})
	require.Equal(t, "169.254.9.9", next, "the host needs no such address of its own")

	two := dual(t, "eth0 10.0.0.2/24", "eth1 10.1.0.2/24")
	require.NoError(t, two.AddRoute(RouteEntry{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: addr("10.0.0.1")}))
	_, err := two.Route(addr("169.254.9.9"), netip.Addr{})
	require.Equal(t, syscall.ENETUNREACH, err, "on which link?")
	_, next = hop(t, two, "169.254.9.9", "", Via{Device: two.InterfaceNamed("eth1")})
	require.Equal(t, "169.254.9.9", next)
}

// DHCP-014: a gateway outside of the connected networks, with a route of its own.
func TestGatewayWithARouteOfItsOwn(t *testing.T) {
	s := dual(t, "eth0 10.0.0.2/32", "eth1 10.1.0.2/24")
	all := RouteEntry{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: addr("192.0.2.1")}
	require.Equal(t, syscall.ENETUNREACH, s.AddRoute(all))
	require.NoError(t, s.AddRoute(RouteEntry{Prefix: netip.MustParsePrefix("192.0.2.1/32"), Interface: "eth0"}))
	all.Interface = "eth1"
	require.Equal(t, syscall.ENETUNREACH, s.AddRoute(all), "its route leads elsewhere")
	all.Interface = ""
	require.NoError(t, s.AddRoute(all))
	source, next := hop(t, s, "198.51.100.1", "", Via{})
	require.Equal(t, "10.0.0.2", source)
	require.Equal(t, "192.0.2.1", next)

	self := RouteEntry{Prefix: all.Prefix, Gateway: addr("10.0.0.2"), Metric: 1}
	require.NoError(t, s.AddRoute(RouteEntry{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Interface: "eth0"}))
	require.Equal(t, syscall.ENETUNREACH, s.AddRoute(self), "the stack is not its own gateway")
}

// DHCP-001: a client's limited broadcasts leave from 0.0.0.0 although the interface has addresses, and nothing else does.
func TestNoAddr(t *testing.T) {
	s := dual(t, "eth0 10.0.0.2/24")
	ask := Via{Device: s.InterfaceNamed("eth0"), NoAddr: true}
	for range 2 { // the second is from the cache
		source, _ := hop(t, s, "255.255.255.255", "", ask)
		require.Equal(t, "0.0.0.0", source)
		source, _ = hop(t, s, "255.255.255.255", "", Via{})
		require.Equal(t, "10.0.0.2", source)
	}
	for _, dst := range []string{"10.0.0.9", "10.0.0.255", "224.0.0.1"} {
		source, _ := hop(t, s, dst, "", ask)
		require.Equal(t, "10.0.0.2", source, dst)
	}
	r, err := s.RouteVia(addr("255.255.255.255"), netip.Addr{}, ask)
	require.NoError(t, err)
	require.NoError(t, s.InterfaceNamed("eth0").AddAddress(netip.MustParsePrefix("10.0.0.3/24")))
	require.NoError(t, r.Path().Err, "looked up again")
}

// DHCP-012: the MTU of IPv4 alone.
func TestLinkMTU4(t *testing.T) {
	s := dual(t, "eth0 10.0.0.2/24 2001:db8::2/64")
	eth0 := s.InterfaceNamed("eth0")
	four, err := s.Route(addr("10.0.0.9"), netip.Addr{})
	require.NoError(t, err)
	six, err := s.Route(addr("2001:db8::9"), netip.Addr{})
	require.NoError(t, err)
	eth0.SetLinkMTU4(1400)
	require.Equal(t, 1400, four.MTU())
	require.Equal(t, eth0.MTU(), six.MTU())
	eth0.SetLinkMTU4(100000)
	require.Equal(t, eth0.MTU(), four.MTU())
	eth0.SetLinkMTU4(0)
	require.Equal(t, eth0.MTU(), four.MTU())
}
