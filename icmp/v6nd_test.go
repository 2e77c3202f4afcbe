package icmp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
)

// ndLink is an ip.Discoverer, and an ip.RouterListener.
type ndLink struct {
	*wiretest.Wire
	types []uint8
	from  []netip.Addr
	last  *nd.RouterAdvertisement
}

func (l *ndLink) Discover(_ time.Duration, m *nd.Message) { l.types = append(l.types, m.Type()) }
func (l *ndLink) SetNeighborTimes(_, _ time.Duration)     {}
func (l *ndLink) NotRouter(time.Duration, netip.Addr)     {}
func (l *ndLink) AddressRemoved()                         {}
func (l *ndLink) Input(_ time.Duration, from netip.Addr, a *nd.RouterAdvertisement) {
	l.from, l.last = append(l.from, from), a
}

// newNDLab returns a lab whose interface eth1 has the link.
func newNDLab(t *testing.T, shared ip.Config) (*lab6, *ip.Interface, *ndLink) {
	l, wire := newLab6(t, shared, Config{}), &ndLink{Wire: wiretest.New(1500, packet.Features{})}
	eth1, err := l.ip.AddInterface("eth1", wire)
	require.NoError(t, err)
	eth1.SetRouterListener(wire)
	require.NoError(t, eth1.AddAddress(netip.MustParsePrefix("fe80::5/64")))
	return l, eth1, wire
}

var (
	gateway6 = netip.MustParseAddr("fe80::1")
	eth1LL   = netip.MustParseAddr("fe80::5")
)

// SEC-015: every message goes to the link that received it, and advertisements of routers to the listener.
func TestDiscoveryReachesTheLink(t *testing.T) {
	for _, router := range []bool{false, true} {
		l, eth1, link := newNDLab(t, ip.Config{Forwarding: router})
		for _, m := range []nd.Appender{
			&nd.RouterSolicitation{}, &nd.RouterAdvertisement{MTU: 1400}, &nd.NeighborSolicitation{Target: eth1LL},
			&nd.NeighborAdvertisement{Target: gateway6}, &nd.Redirect{Target: gateway6, Destination: far6},
		} {
			eth1.Input(0, nd.New(gateway6, eth1LL, m))
		}
		require.Equal(t, []uint8{133, 134, 135, 136, 137}, link.types)
		require.Empty(t, link.Take())
		require.Equal(t, []netip.Addr{gateway6}, link.from, "of a router, too: the listener decides")
		require.Equal(t, &nd.RouterAdvertisement{MTU: 1400}, link.last)
		eth1.SetRouterListener(nil)
		eth1.Input(0, nd.New(gateway6, eth1LL, &nd.RouterAdvertisement{}))
		require.Len(t, link.from, 1)
		l.recv(nd.New(gateway6, netip.MustParseAddr("fe80::2"), &nd.RouterAdvertisement{}).Bytes()) // on a link that does not discover
	}
}

// ND-004, ND-007: what the ICMPv6 and IPv6 layers know of a message reaches its check.
func TestInvalidDiscovery(t *testing.T) {
	solicitation := func() []byte {
		return nd.New(gateway6, eth1LL, &nd.NeighborSolicitation{Target: eth1LL}).Bytes()
	}
	_, eth1, link := newNDLab(t, ip.Config{})
	for name, change := range map[string]func(b []byte) []byte{
		"checksum":  func(b []byte) []byte { b[ipv6.HeaderLen+2]++; return b },
		"hop limit": func(b []byte) []byte { b[7]--; return b },
		"atomic fragment": func(b []byte) []byte {
			b = append(b[:ipv6.HeaderLen:ipv6.HeaderLen], append([]byte{b[6], 0, 0, 0, 0, 0, 0, 1}, b[ipv6.HeaderLen:]...)...)
			b[6] = 44
			binary.BigEndian.PutUint16(b[4:], uint16(len(b)-ipv6.HeaderLen))
			return b
		},
	} {
		eth1.Input(0, packet.From(change(solicitation())))
		require.Empty(t, link.types, name)
	}
	for at := range 2 { // real fragments
		b := solicitation()
		body := b[ipv6.HeaderLen:]
		part := body[:16]
		offset := byte(1)
		if at == 1 {
			part, offset = body[16:], 16
		}
		f := append(b[:ipv6.HeaderLen:ipv6.HeaderLen], append([]byte{b[6], 0, 0, offset, 0, 0, 0, 9}, part...)...)
		f[6] = 44
		binary.BigEndian.PutUint16(f[4:], uint16(len(f)-ipv6.HeaderLen))
		eth1.Input(0, packet.From(f))
	}
	require.Empty(t, link.types)
	eth1.Input(0, packet.From(solicitation()))
	require.Len(t, link.types, 1)
}
