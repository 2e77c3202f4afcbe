package socketapi

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/link"
)

// WatchLost tells a program which address another host has taken.
func TestWatchLost(t *testing.T) { // LINK-021
	var clk VirtualClock
	a, b := ethernet(t, &clk, link.Yield)
	var lost []netip.Addr
	stop := a.WatchLost(func(c *link.Conflict) { lost = append(lost, c.Addr) })
	require.NoError(t, b.AddAddress(t.Context(), b.Interfaces()[1].Name, netip.PrefixFrom(addrA, 24)))
	rest(clk.Now()+time.Second, a, b)
	require.Equal(t, []netip.Addr{addrA}, lost)
	stop()
}

// What a lease sets: lifetimes and the MTU of IPv4.
func TestLeaseSettings(t *testing.T) { // DHCP-008, DHCP-012
	var clk VirtualClock
	a, b := ethernet(t, &clk, link.Keep)
	dev := b.Interfaces()[1].Name
	mac, err := b.MAC(dev)
	require.NoError(t, err)
	require.NotZero(t, mac)
	_, err = b.MAC("lo")
	require.ErrorIs(t, err, syscall.ENODEV)
	require.ErrorIs(t, b.SetMTU4("none", 1400), syscall.ENODEV)
	require.ErrorIs(t, b.SetMTU4(dev, 67), syscall.EINVAL)
	require.ErrorIs(t, b.SetLifetimes("none", addrB, 0, 0), syscall.ENODEV)
	require.ErrorIs(t, b.SetLifetimes(dev, addrA, 0, 0), syscall.EADDRNOTAVAIL)

	require.NoError(t, b.SetMTU4(dev, 600))
	fd := b.socket(SOCK_DGRAM, 0)
	require.NoError(t, b.Connect(fd, ap("10.0.0.1:7")))
	require.Equal(t, 600, b.get(fd, IPPROTO_IP, IP_MTU))

	require.NoError(t, b.SetLifetimes(dev, addrB, time.Minute, time.Hour))
	rest(clk.Now()+2*time.Minute, a, b)
	require.True(t, b.Interfaces()[1].Addresses[0].Deprecated)
	rest(clk.Now()+time.Hour, a, b)
	require.Empty(t, b.Interfaces()[1].Addresses)
}
