package dhcp

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/stretchr/testify/require"

	"tunstack/link/nd"
	"tunstack/socketapi"
)

// lab6 is a stack on a link with a router, which the test plays, and another stack with the test's DHCPv6 server.
type lab6 struct {
	t      *testing.T
	stack  *socketapi.Stack
	peer   *socketapi.Stack
	conn   net.PacketConn
	silent atomic.Bool

	mu    sync.Mutex
	asked []dhcpv6.MessageType
}

var (
	routerAddr = netip.MustParseAddr("fe80::1")
	leased6    = netip.MustParsePrefix("2001:db8::7/128")
	duid       = &dhcpv6.DUIDEN{EnterpriseNumber: 9, EnterpriseIdentifier: []byte("server")}
)

func bubble6(t *testing.T, test func(t *testing.T, l *lab6)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab6{t: t}
		var stack, peer atomic.Pointer[socketapi.Stack]
		to := func(s *atomic.Pointer[socketapi.Stack], device string) func(time.Duration, []byte) {
			return func(_ time.Duration, d []byte) {
				if s := s.Load(); s != nil {
					_ = s.Inject(device, bytes.Clone(d))
				}
			}
		}
		host := func(i socketapi.Interface) *socketapi.Stack {
			s, err := socketapi.New(socketapi.Config{Interfaces: []socketapi.Interface{i}, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		}
		l.peer = host(socketapi.Interface{
			Name: "net", Addrs: []netip.Prefix{netip.PrefixFrom(routerAddr, 64)}, Autoconf: socketapi.Autoconf{Mode: socketapi.AutoconfOff},
			Output: to(&stack, "eth0"),
		})
		l.stack = host(socketapi.Interface{
			Name: "eth0", Autoconf: socketapi.Autoconf{Mode: socketapi.AutoconfOn},
			Output: to(&peer, "net"),
		})
		stack.Store(l.stack)
		peer.Store(l.peer)
		l.serve()
		test(t, l)
	})
}

// serve runs a server that gives leased6 for an hour.
func (l *lab6) serve() {
	var err error
	l.conn, err = l.peer.ListenPacket("udp6", "[::]:547")
	require.NoError(l.t, err)
	group := socketapi.IPv6Mreq{Multiaddr: [16]byte(allServers.AsSlice())}
	require.NoError(l.t, l.peer.Berkeley().SetSockOpt(l.conn.(*socketapi.PacketConn).Descriptor(), socketapi.IPPROTO_IPV6, socketapi.IPV6_JOIN_GROUP, group))
	done := make(chan bool)
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			n, from, err := l.conn.ReadFrom(b)
			if err != nil {
				return
			}
			l.answer(b[:n], from.(*net.UDPAddr))
		}
	}()
	l.t.Cleanup(func() {
		l.conn.Close()
		<-done
	})
}

func (l *lab6) answer(b []byte, from *net.UDPAddr) {
	m, err := dhcpv6.MessageFromBytes(b)
	require.NoError(l.t, err)
	require.Equal(l.t, 546, from.Port)
	require.True(l.t, from.IP.IsLinkLocalUnicast(), from)
	l.mu.Lock()
	l.asked = append(l.asked, m.MessageType)
	l.mu.Unlock()
	if l.silent.Load() {
		return
	}
	r := &dhcpv6.Message{MessageType: dhcpv6.MessageTypeReply, TransactionID: m.TransactionID}
	if m.MessageType == dhcpv6.MessageTypeSolicit {
		r.MessageType = dhcpv6.MessageTypeAdvertise
	}
	r.AddOption(dhcpv6.OptClientID(m.Options.ClientID()))
	r.AddOption(dhcpv6.OptServerID(duid))
	r.AddOption(dhcpv6.OptDNS(net.IP(routerAddr.AsSlice()), net.ParseIP("2001:db8::53")))
	if ia := m.Options.OneIANA(); ia != nil {
		granted := &dhcpv6.OptIANA{IaId: ia.IaId}
		granted.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: leased6.Addr().AsSlice(), PreferredLifetime: time.Hour, ValidLifetime: 2 * time.Hour})
		r.AddOption(granted)
	}
	_, err = l.conn.WriteTo(r.ToBytes(), from)
	require.NoError(l.t, err)
}

// heard are the messages that the server has received.
func (l *lab6) heard() []dhcpv6.MessageType {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

// advertises sends a router's advertisement.
func (l *lab6) advertises(managed, other bool) {
	p := nd.New(routerAddr, nd.AllNodes, &nd.RouterAdvertisement{RouterLifetime: time.Hour, Managed: managed, Other: other})
	defer p.Free()
	require.NoError(l.t, l.stack.Inject("eth0", p.Bytes()))
}

func (l *lab6) start() *Client6 {
	c, err := Start6(l.stack, "eth0", Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(l.t, err)
	l.t.Cleanup(func() { c.Stop(false) })
	return c
}

func (l *lab6) passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// has reports whether the stack uses the leased address.
func (l *lab6) has() bool {
	for _, a := range l.stack.Interfaces()[1].Addresses {
		if a.Prefix == leased6 && !a.Tentative {
			return true
		}
	}
	return false
}

// DHCP6-001, DHCP6-007, DHCP6-011, SLAAC-024: the flag M starts the client; the address is used, extended for days, and given back.
func TestManaged(t *testing.T) {
	bubble6(t, func(t *testing.T, l *lab6) {
		c := l.start()
		l.passes(time.Minute)
		require.Empty(t, l.heard(), "no router says so")
		require.Equal(t, "IDLE", c.Info().State)
		l.advertises(true, true)
		l.passes(5 * time.Second)
		require.True(t, l.has())
		info := c.Info()
		require.Equal(t, "BOUND", info.State)
		require.Equal(t, "DHCPv6", info.Protocol)
		require.Equal(t, []netip.Prefix{leased6}, info.Addresses)
		require.InDelta(t, 2*time.Hour, info.Expires, float64(10*time.Second))
		servers, _ := names(l.stack, socketapi.NamesDHCPv6)
		require.Equal(t, []string{"fe80::1%eth0", "2001:db8::53"}, servers)
		for _, r := range l.stack.Routes() {
			require.NotEqual(t, leased6.Masked(), r.Prefix, "no network is on the link because of the lease")
		}
		for range 24 {
			l.advertises(true, true)
			l.passes(time.Hour)
		}
		require.True(t, l.has())
		c.Stop(true)
		require.False(t, l.has())
		require.Equal(t, dhcpv6.MessageTypeRelease, l.heard()[len(l.heard())-1])
		require.Equal(t, "STOPPED", c.Info().State)
		servers, _ = names(l.stack, socketapi.NamesDHCPv6)
		require.Empty(t, servers)
		c.Stop(true)
	})
}

// DHCP6-014, SLAAC-024: the flag O gets the settings only.
func TestOtherConfiguration(t *testing.T) {
	bubble6(t, func(t *testing.T, l *lab6) {
		c := l.start()
		l.advertises(false, true)
		l.passes(5 * time.Second)
		require.Equal(t, []dhcpv6.MessageType{dhcpv6.MessageTypeInformationRequest}, l.heard())
		require.False(t, l.has())
		require.Equal(t, "INFORMED", c.Info().State)
		servers, _ := names(l.stack, socketapi.NamesDHCPv6)
		require.Equal(t, []string{"fe80::1%eth0", "2001:db8::53"}, servers)
	})
}

// A server that does not answer the Release does not keep the program from ending, and the address ends with its lifetime.
func TestServerIsGone(t *testing.T) {
	bubble6(t, func(t *testing.T, l *lab6) {
		l.advertises(true, false)
		c := l.start()
		l.passes(5 * time.Second)
		require.True(t, l.has())
		l.silent.Store(true)
		for range 3 {
			l.advertises(true, false)
			l.passes(time.Hour)
		}
		require.False(t, l.has())
		require.Equal(t, "SOLICITING", c.Info().State)
		l.silent.Store(false)
		l.passes(3 * time.Hour)
		require.True(t, l.has())
		l.silent.Store(true)
		begin := time.Now()
		c.Stop(true)
		require.Equal(t, releaseTime, time.Since(begin))
		require.False(t, l.has())
	})
}
