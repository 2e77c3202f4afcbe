package ipv4

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// silent reports that the next hop to dst does not answer, and returns the datagrams that waited for it.
func (l *lab) silent(dst netip.Addr) {
	p, err := l.NextHop(dst)
	require.NoError(l.t, err)
	l.eth0.Silent(l.now, p.NextHop)
	l.returned(dst)
}

// returned returns a datagram that waited for its next hop.
func (l *lab) returned(dst netip.Addr) {
	l.eth0.Unreachable(l.now, packet.From(dgram(Header{Datagram: ip.Datagram{Src: ownAddr, Dst: dst, Protocol: testProtocol}}, pattern(8))))
}

func TestGatewayFailure(t *testing.T) { // IP-028
	l := newLab(t, config{})
	l.route("0.0.0.0/0", "10.0.0.1", 1)
	l.route("0.0.0.0/0", "10.0.0.3", 2)
	require.Equal(t, "eth0 10.0.0.1", l.nextHop("192.0.2.9"))
	l.silent(farAddr)
	for range 3 { // several datagrams waited for the gateway
		l.returned(farAddr)
	}
	require.Equal(t, "eth0 10.0.0.3", l.nextHop("192.0.2.9"), "traffic moves, and the alternate is not blamed")
	require.True(t, l.Routes()[1].Failed)

	l.advance(5 * time.Second)
	l.silent(farAddr)
	require.Equal(t, "eth0 10.0.0.1", l.nextHop("192.0.2.9"), "all gateways have failed: the first is used")
	l.advance(55 * time.Second)
	require.False(t, l.Routes()[1].Failed, "it is tried again")
	require.True(t, l.Routes()[2].Failed)
	l.advance(5 * time.Second)
	require.False(t, l.Routes()[2].Failed)

	l.silent(addr("10.0.0.9"))
	require.False(t, l.Routes()[1].Failed, "a neighbour that is no gateway")
	l.silent(peerAddr)
	require.True(t, l.Routes()[1].Failed, "whatever it was asked for")
}

func TestGatewayKnownToBeDead(t *testing.T) { // IP-028: the link refuses at once
	l := newLab(t, config{})
	l.route("0.0.0.0/0", "10.0.0.1", 1)
	l.route("0.0.0.0/0", "10.0.0.3", 2)
	l.wire0.Err = syscall.EHOSTUNREACH
	_, err := l.send(farAddr, Header{}, 8)
	require.Equal(t, syscall.EHOSTUNREACH, err)
	l.wire0.Err = nil
	out, err := l.send(farAddr, Header{}, 8)
	require.NoError(t, err)
	require.Equal(t, addr("10.0.0.3"), out[0].NextHop)
}

func TestRedirect(t *testing.T) { // ICMP-013, ICMP-014
	l := newLab(t, config{})
	eth1, _ := l.add("eth1", "10.1.0.2/24", 1500)
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	redirect := func(i *ip.Interface, from, gateway string) {
		l.Redirect(l.now, &ip.Error{In: i, Kind: ip.Redirect, Gateway: addr(gateway), From: addr(from), Quoted: ip.Datagram{Src: ownAddr, Dst: farAddr}})
	}
	redirect(l.eth0, "10.0.0.66", "10.0.0.3") // not from the first hop
	redirect(l.eth0, "10.0.0.1", "192.0.2.1") // gateway not on a connected network
	redirect(l.eth0, "10.0.0.1", "10.1.0.1")  // gateway on another network
	redirect(l.eth0, "10.0.0.1", "10.0.0.2")  // gateway is this stack
	redirect(l.eth0, "10.0.0.1", "10.0.0.1")  // no change
	redirect(eth1, "10.0.0.1", "10.0.0.3")    // arrived by another interface
	require.Equal(t, "eth0 10.0.0.1", l.nextHop("192.0.2.9"))
	require.Equal(t, uint64(6), l.count("ip.redirect.ignored"))

	redirect(l.eth0, "10.0.0.1", "10.0.0.3")
	require.Equal(t, "eth0 10.0.0.3", l.nextHop("192.0.2.9"))
	require.Equal(t, "eth0 10.0.0.1", l.nextHop("192.0.2.10"), "one host only")
	redirect(l.eth0, "10.0.0.3", "10.0.0.4")
	require.Equal(t, "eth0 10.0.0.4", l.nextHop("192.0.2.9"), "redirected on")
	require.Len(t, l.Routes(), 4)

	l.advance(10 * time.Minute)
	require.Equal(t, "eth0 10.0.0.1", l.nextHop("192.0.2.9"))
	redirect(l.eth0, "10.0.0.1", "10.0.0.3")
	l.silent(farAddr)
	require.Equal(t, "eth0 10.0.0.1", l.nextHop("192.0.2.9"), "a gateway that fails is forgotten")
}

func TestRoutersIgnoreRedirects(t *testing.T) { // RFC 1812 section 5.2.7.2
	l := newLab(t, config{Forwarding: true})
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	l.Redirect(l.now, &ip.Error{In: l.eth0, Kind: ip.Redirect, Gateway: addr("10.0.0.3"), From: peerAddr, Quoted: ip.Datagram{Src: ownAddr, Dst: farAddr}})
	require.Equal(t, "eth0 10.0.0.1", l.nextHop("192.0.2.9"))
}

func TestRedirectsAreBounded(t *testing.T) { // SEC-015
	l := newLab(t, config{})
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	for i := range 2 * 256 {
		dst := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		l.Redirect(l.now, &ip.Error{In: l.eth0, Kind: ip.Redirect, Gateway: addr("10.0.0.3"), From: peerAddr, Quoted: ip.Datagram{Src: ownAddr, Dst: dst}})
	}
	require.Len(t, l.Routes(), 2+256)
}
