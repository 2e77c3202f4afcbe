package socketapi

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/link"
	"tunstack/tun"
)

// ethernet is two stacks on an Ethernet, a at 10.0.0.1 and b at 10.0.0.2, which use their addresses without probing.
func ethernet(t *testing.T, clk *VirtualClock, defence link.Defence) (a, b host) {
	one, two := tun.Pipe(1500, tun.TAP, packet.Features{})
	start := func(d tun.Device, addr netip.Addr) host {
		cfg := device(d, addr)
		cfg.Clock, cfg.Logger = clk, slog.New(slog.NewTextHandler(io.Discard, nil))
		cfg.Interfaces[0].ACD = link.ACD{ProbeNum: -1, AnnounceWait: -1, Defence: defence}
		h := newHost(t, cfg)
		rest(clk.Now()+5*time.Second, h)
		return h
	}
	return start(one, addrA), start(two, addrB)
}

func TestAddressesComeAndGo(t *testing.T) {
	for name, hosts := range map[string]func(*testing.T, *VirtualClock) (a, b host){
		"ethernet": func(t *testing.T, clk *VirtualClock) (a, b host) { return ethernet(t, clk, link.Keep) },
		"ip":       pair,
	} {
		t.Run(name, func(t *testing.T) {
			var clk VirtualClock
			a, b := hosts(t, &clk)
			dev, more := b.Interfaces()[1].Name, netip.MustParsePrefix("10.0.0.7/24")
			require.NoError(t, b.AddAddress(t.Context(), dev, more))
			require.ErrorIs(t, b.AddAddress(t.Context(), dev, more), syscall.EEXIST)
			require.Len(t, b.Interfaces()[1].Addresses, 2)

			server, client := b.bound(SOCK_DGRAM, "0.0.0.0:7"), a.socket(SOCK_DGRAM, 0)
			reaches := func(addr string) bool {
				_, err := a.SendTo(client, []byte("x"), 0, ap(addr+":7"))
				require.NoError(t, err)
				rest(clk.Now()+time.Second, a, b)
				text, _ := b.recv(server, 10, MSG_DONTWAIT)
				return text == "x"
			}
			require.True(t, reaches("10.0.0.7"))
			require.NoError(t, b.RemoveAddress(dev, more.Addr()))
			require.Len(t, b.Interfaces()[1].Addresses, 1)
			require.False(t, reaches("10.0.0.7"))
			require.True(t, reaches("10.0.0.2"))

			require.ErrorIs(t, b.RemoveAddress(dev, more.Addr()), syscall.EADDRNOTAVAIL)
			require.ErrorIs(t, b.RemoveAddress("none", more.Addr()), syscall.ENODEV)
			require.ErrorIs(t, b.AddAddress(t.Context(), "none", more), syscall.ENODEV)
			require.ErrorIs(t, b.AddAddress(t.Context(), dev, netip.MustParsePrefix("224.0.0.1/24")), syscall.EINVAL)
		})
	}
}

// When the caller's context ends during the probing, the stack withdraws the address.
func TestAddAddressGivenUp(t *testing.T) {
	var clk VirtualClock
	a, _ := tapPair(t, &clk, addrB)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	dev := a.Interfaces()[1].Name
	require.ErrorIs(t, a.AddAddress(ended, dev, netip.MustParsePrefix("10.0.0.7/24")), context.Canceled)
	rest(clk.Now()+20*time.Second, a)
	require.Len(t, a.Interfaces()[1].Addresses, 1)
}

// LINK-021: a host that yields an address to another one stops using it.
func TestLostAddressIsRemoved(t *testing.T) {
	var clk VirtualClock
	a, b := ethernet(t, &clk, link.Yield)
	require.NoError(t, b.AddAddress(t.Context(), b.Interfaces()[1].Name, netip.PrefixFrom(addrA, 24)))
	rest(clk.Now()+time.Second, a, b)
	require.Empty(t, a.Interfaces()[1].Addresses)
	require.Len(t, b.Interfaces()[1].Addresses, 2)
}
