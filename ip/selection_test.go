package ip

import (
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/addrkey"
	"tunstack/internal/timer"
)

// family6 is what the tables ask of IPv6.
type family6 struct{ family }

func (family6) MinMTU() int                       { return 1280 }
func (family6) MinPMTU() int                      { return 1280 }
func (family6) Loopback() netip.Prefix            { return netip.MustParsePrefix("::1/128") }
func (family6) AllHosts() netip.Addr              { return addr("ff02::1") }
func (family6) Broadcast(netip.Prefix) netip.Addr { return netip.Addr{} }

func (family6) AddressGroup(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 12: 0xff, b[13], b[14], b[15]})
}

// dual is a stack of both families with a loopback and interfaces, each given as a name and its addresses.
func dual(t testing.TB, interfaces ...string) *Stack {
	s := New(Config{Timers: new(timer.Queue)})
	s.AddFamily(family{})
	s.AddFamily(family6{})
	_, err := s.AddLoopback("lo", null{})
	require.NoError(t, err)
	for _, line := range interfaces {
		words := strings.Fields(line)
		i, err := s.AddInterface(words[0], null{})
		require.NoError(t, err)
		for _, a := range words[1:] {
			a, deprecated := strings.CutSuffix(a, "!")
			p := netip.MustParsePrefix(a)
			require.NoError(t, i.AddAddress(p))
			if deprecated {
				require.NoError(t, i.SetLifetimes(0, p.Addr(), 0, Forever))
			}
		}
	}
	return s
}

// through adds routes to everything by an interface.
func through(t testing.TB, s *Stack, device string) {
	for _, p := range []string{"::/0", "0.0.0.0/0"} {
		require.NoError(t, s.AddRoute(RouteEntry{Prefix: netip.MustParsePrefix(p), Interface: device}))
	}
}

// The winner comes with whatever order the addresses have.
func TestSourceSelection(t *testing.T) { // IP6-049, IP6-051, IP6-052, IP6-055
	for _, c := range []struct{ rule, dst, better, worse string }{
		{"2: no smaller scope than the destination's", "2001:db8:9::1", "2001:db8:1::2/64", "fe80::2/64"},
		{"2: the smallest that is enough", "fe80::1%eth0", "fe80::2/64", "2001:db8:1::2/64"},
		{"2: of a group, too", "ff02::9%eth0", "fe80::2/64", "2001:db8:1::2/64"},
		{"2: a wider group", "ff0e::9%eth0", "2001:db8:1::2/64", "fe80::2/64"},
		{"2: site", "fec0::9", "fec0::2/64", "2001:db8:1::2/64"},
		{"3: deprecated only if there is no other", "2001:db8:1::1", "2001:db8:2::2/64", "2001:db8:1::2/64!"},
		{"6: a global source for a global destination", "2001:db8:9::1", "2001:db8:1::2/64", "fd00::2/64"},
		{"6: a local source for a local destination", "fd00:9::1", "fd00::2/64", "2001:db8:1::2/64"},
		{"6: 6to4", "2002:c633:6401::1", "2002:c633:6402::2/64", "2001:db8:1::2/64"},
		{"8: the longest common prefix", "2001:db8:1::1", "2001:db8:1::2/64", "2001:db8:2::2/64"},
		{"8: a longer own prefix counts for more", "2001:db8:1::ff", "2001:db8:1::fe/128", "2001:db8:1:8000::fd/48"},
	} {
		for _, order := range [][]string{{c.better, c.worse}, {c.worse, c.better}} {
			s := dual(t, "eth0 "+strings.Join(order, " "))
			through(t, s, "eth0")
			r, err := s.Route(addr(c.dst), netip.Addr{})
			require.NoError(t, err, c.rule)
			require.Equal(t, netip.MustParsePrefix(strings.TrimSuffix(c.better, "!")).Addr(), r.Src.WithZone(""), c.rule)
		}
	}
	s := dual(t, "eth0 2001:db8:1::2/64 2001:db8:1::3/64")
	r, err := s.Route(addr("2001:db8:1::7"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, addr("2001:db8:1::2"), r.Src, "rule 8: bits beyond the prefix do not count, and the first stays")
	r, err = s.Route(addr("2001:db8:1::3"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, addr("2001:db8:1::3"), r.Src, "rule 1")
}

func TestSourcesOfOtherInterfaces(t *testing.T) { // IP6-049, IP6-052: rule 5
	s := dual(t, "eth0 2001:db8:1::2/64 fe80::2/64", "eth1 2001:db8:2::2/64 fe80::3/64", "eth2")
	through(t, s, "eth1")
	src := func(dst string) netip.Addr {
		r, err := s.Route(addr(dst), netip.Addr{})
		require.NoError(t, err)
		return r.Src
	}
	require.Equal(t, addr("2001:db8:2::2"), src("2001:db8:8001::9"))
	require.Equal(t, addr("fe80::2%eth0"), src("fe80::9%eth0"))
	require.Equal(t, addr("fe80::3%eth1"), src("fe80::9%eth1"))
	require.Equal(t, addr("fe80::3%eth1"), src("ff02::9%eth1"))
	_, err := s.Route(addr("fe80::9%eth2"), netip.Addr{})
	require.Equal(t, syscall.EADDRNOTAVAIL, err, "none of that link")
	require.NoError(t, s.AddRoute(RouteEntry{Prefix: netip.MustParsePrefix("2001:db8:3::/64"), Interface: "eth2"}))
	require.Contains(t, []netip.Addr{addr("2001:db8:1::2"), addr("2001:db8:2::2")}, src("2001:db8:3::9"), "the weak model")
}

func TestSourceOfTheApplication(t *testing.T) { // IP6-050
	s := dual(t, "eth0 2001:db8:1::2/64 fe80::2/64", "eth1 2001:db8:2::2/64 fe80::3/64")
	through(t, s, "eth0")
	for _, c := range []struct {
		dst, src string
		err      error
	}{
		{"2001:db8:9::1", "2001:db8:2::2", nil},
		{"2001:db8:9::1", "2001:db8:9::2", syscall.EADDRNOTAVAIL},
		{"2001:db8:9::1", "fe80::2%eth0", nil},
		{"2001:db8:9::1", "fe80::3%eth1", syscall.EINVAL},
		{"fe80::1%eth0", "fe80::3%eth1", syscall.EINVAL},
		{"fe80::1%eth0", "2001:db8:2::2", syscall.EINVAL},
		{"ff02::1%eth0", "2001:db8:2::2", syscall.EINVAL},
		{"ff02::1%eth1", "2001:db8:2::2", nil},
		{"2001:db8:9::1", "::1", syscall.EINVAL},
	} {
		r, err := s.Route(addr(c.dst), addr(c.src))
		require.Equal(t, c.err, err, "%s > %s", c.src, c.dst)
		if err == nil {
			require.Equal(t, addr(c.src), r.Src)
		}
	}
}

func TestPolicyTable(t *testing.T) { // IP6-056
	for a, want := range map[string][2]uint8{
		"::1": {50, 0}, "2a00::1": {40, 1}, "10.0.0.1": {35, 4}, "2002::1": {30, 2}, "2001::1": {5, 5}, "2001:1::": {40, 1},
		"fd00::1": {3, 13}, "::2": {1, 3}, "fec0::1": {1, 11}, "3ffe::1": {1, 12},
	} {
		p := policyOf(DefaultPolicy(), addr(a))
		require.Equal(t, want, [2]uint8{p.Precedence, p.Label}, a)
	}
	require.Len(t, DefaultPolicy(), 9)
	s := dual(t, "eth0 2001:db8::2/32 10.0.0.2/24")
	through(t, s, "eth0")
	list := func() []netip.Addr {
		l := []netip.Addr{addr("192.0.2.1"), addr("2a00::1")}
		s.SortDestinations(l)
		return l
	}
	require.Equal(t, addr("2a00::1"), list()[0])
	s.cfg.Policy = slices.Clone(s.cfg.Policy)
	s.cfg.Policy[2].Precedence = 100
	require.Equal(t, addr("192.0.2.1"), list()[0], "as configured")
}

func TestDestinationOrder(t *testing.T) { // IP6-057, IP6-058
	global := "eth0 2001:db8:1::2/64 fe80::2/64 10.0.0.2/24"
	for _, c := range []struct{ rule, stack, better, worse string }{
		{"1: usable", "eth0 10.0.0.2/24", "192.0.2.1", "2a00::1"},
		{"2: matching scope", "eth0 2001:db8:1::2/64 169.254.0.2/16", "2a00::1", "192.0.2.1"},
		{"2: link-local IPv4", "eth0 169.254.0.2/16 fd00::2/64", "169.254.0.9", "192.0.2.1"},
		{"3: source not deprecated", "eth0 2001:db8:1::2/64! 10.0.0.2/24", "192.0.2.1", "2a00::1"},
		{"5: matching label", "eth0 2002:c633:6401::2/16 10.0.0.2/24", "2002:c633:6401::1", "2a00::1"},
		{"5: matching label before precedence", "eth0 2002:c633:6401::2/16 10.0.0.2/24", "192.0.2.1", "2a00::1"},
		{"6: higher precedence", global, "2a00::1", "192.0.2.1"},
		{"6: private IPv4 addresses are global", global, "10.9.9.9", "fd00::1"},
		{"6: loopback", global, "::1", "2a00::1"},
		{"8: smaller scope", global, "fe80::1%eth0", "2a00::1"},
		{"9: longest common prefix", global, "2001:db8:1::9", "2001:db8:2::9"},
		{"10: as they were", global, "192.0.2.1", "192.0.2.9"},
	} {
		s := dual(t, c.stack)
		through(t, s, "eth0")
		orders := [][]netip.Addr{{addr(c.better), addr(c.worse)}, {addr(c.worse), addr(c.better)}}
		if strings.HasPrefix(c.rule, "10") {
			orders = orders[:1]
		}
		for _, list := range orders {
			s.SortDestinations(list)
			require.Equal(t, addr(c.better), list[0], c.rule)
		}
	}
}

func TestKeysKeepZones(t *testing.T) { // IP6-048
	_ = dual(t, "eth0", "eth1")
	for _, a := range []string{"fe80::1%eth0", "fe80::1%eth1", "fe80::1", "10.0.0.1", "2001:db8::1", "ff02::1", "::1"} {
		require.Equal(t, addr(a), addrkey.Of(addr(a)).Addr())
	}
	require.NotEqual(t, addrkey.Of(addr("fe80::1%eth0")), addrkey.Of(addr("fe80::1%eth1")))
	one := NewFourTuple(netip.AddrPortFrom(addr("fe80::2%eth0"), 1), netip.AddrPortFrom(addr("fe80::1%eth0"), 2))
	two := NewFourTuple(netip.AddrPortFrom(addr("fe80::2%eth1"), 1), netip.AddrPortFrom(addr("fe80::1%eth1"), 2))
	require.NotEqual(t, one, two)
	require.Equal(t, addr("fe80::1%eth1"), two.RemoteAddr())
}

func TestGatewaysOfOneLink(t *testing.T) { // a router is known by its link-local address
	s := dual(t, "eth0 2001:db8:1::2/64 fe80::2/64", "eth1 2001:db8:2::2/64 fe80::2/64")
	all := netip.MustParsePrefix("::/0")
	require.Equal(t, syscall.EINVAL, s.AddRoute(RouteEntry{Prefix: all, Gateway: addr("fe80::1")}), "of which link?")
	require.Equal(t, syscall.ENETUNREACH, s.AddRoute(RouteEntry{Prefix: all, Gateway: addr("fe80::1%eth0"), Interface: "eth1"}))
	require.NoError(t, s.AddRoute(RouteEntry{Prefix: all, Gateway: addr("fe80::1"), Interface: "eth1"}))
	r, err := s.Route(addr("2a00::1"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, addr("fe80::1"), r.Path().NextHop)
	require.Equal(t, s.InterfaceNamed("eth1"), r.Interface())
	require.Equal(t, addr("2001:db8:2::2"), r.Src)
	require.NoError(t, s.DelRoute(RouteEntry{Prefix: all, Gateway: addr("fe80::1%eth1")}))
}

func TestFamiliesOfSmallLinks(t *testing.T) { // IP6-031: IPv4 goes on without IPv6
	s := dual(t)
	i, err := s.AddInterface("eth0", small{})
	require.NoError(t, err)
	require.NoError(t, i.AddAddress(netip.MustParsePrefix("10.0.0.2/24")))
	require.Equal(t, syscall.EINVAL, i.AddAddress(netip.MustParsePrefix("2001:db8::2/64")))
}

// small is a link that is too small for IPv6.
type small struct{ null }

func (small) MTU() int { return 1279 }
