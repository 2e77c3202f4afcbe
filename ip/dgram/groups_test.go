package dgram

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv6"
)

// An IPv6 socket joins groups on two interfaces, and its sources are those of the interface (RFC 4007 section 6).
func TestGroups6(t *testing.T) { // ICMP6-026
	stack := ip.New(ip.Config{Timers: new(timer.Queue)})
	ipv6.New(stack, ipv6.Config{})
	eth0, err := stack.AddInterface("eth0", wiretest.New(1500, packet.Features{}))
	require.NoError(t, err)
	eth1, err := stack.AddInterface("eth1", wiretest.New(1500, packet.Features{}))
	require.NoError(t, err)
	a := netip.MustParseAddr
	group, near := a("ff02::9"), a("fe80::1")

	var g Groups
	require.NoError(t, g.AddSource(Source{group, eth0, near}))
	require.Equal(t, syscall.EADDRNOTAVAIL, g.AddSource(Source{group.WithZone("eth0"), eth0, near.WithZone("eth0")}))
	require.True(t, g.Allows(eth0, group, near.WithZone("eth0"), false))
	require.False(t, g.Allows(eth0, group, near.WithZone("eth1"), false))
	require.False(t, g.Allows(eth1, group, near.WithZone("eth1"), false), "not joined there")
	require.True(t, g.Allows(eth1, group, near.WithZone("eth1"), true))
	require.NoError(t, g.Join(group, eth1))
	require.True(t, g.Allows(eth1, group, near.WithZone("eth1"), false))
	require.Equal(t, eth0, g.InterfaceOf(group))
	require.Nil(t, g.InterfaceOf(a("ff02::8")))
	require.True(t, eth0.Accepts(group, near.WithZone("eth0")))
	require.False(t, eth0.Accepts(group, a("fe80::2%eth0")))
	require.NoError(t, g.DropSource(Source{group, eth0, near}))
	require.False(t, eth0.Joined(group))

	for n := range byte(maxSources6) {
		require.NoError(t, g.Block(Source{group, eth1, netip.AddrFrom16([16]byte{0x20, 1, 15: n})}))
	}
	require.Equal(t, syscall.ENOBUFS, g.Block(Source{group, eth1, near}))
	for n := 1; n < maxGroups6; n++ {
		require.NoError(t, g.Join(netip.AddrFrom16([16]byte{0xff, 5, 14: byte(n >> 8), 15: byte(n)}), eth0))
	}
	require.Equal(t, syscall.ENOMEM, g.Join(a("ff02::8"), eth0))
	g.Close()
	require.False(t, eth1.Joined(group))
	require.Equal(t, syscall.EBADF, g.Join(group, eth0))
}
