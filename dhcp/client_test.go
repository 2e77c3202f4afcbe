package dhcp

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/dhcp/server"
	"tunstack/internal/stats"
	"tunstack/link"
	"tunstack/socketapi"
	"tunstack/tun"
)

var (
	serverAddr = netip.MustParsePrefix("10.0.0.1/24")
	first      = netip.MustParsePrefix("10.0.0.155/24") // of the server's pool
)

// lab is a stack without an address and another one, both on an Ethernet, in the virtual time of a bubble.
type lab struct {
	t      *testing.T
	stack  *socketapi.Stack
	peer   *socketapi.Stack
	server *server.Server
	device string
}

// names are the name servers of a source, and its search list.
func names(s *socketapi.Stack, source socketapi.NameSource) (servers []string, search []string) {
	for _, n := range s.NameServers() {
		for _, a := range n.Servers {
			if n.Source == source {
				servers, search = append(servers, a.Addr().String()), n.Search
			}
		}
	}
	return servers, search
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, defence link.Defence, test func(t *testing.T, l *lab)) {
	synctest.Test(t, func(t *testing.T) {
		one, two := tun.Pipe(1500, tun.TAP, tun.Features{})
		host := func(d tun.Device, acd link.ACD, addrs ...netip.Prefix) *socketapi.Stack {
			s, err := socketapi.New(socketapi.Config{
				Interfaces: []socketapi.Interface{{Device: d, Addrs: addrs, ACD: acd}}, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		}
		l := &lab{t: t, device: one.Name()}
		l.stack = host(one, link.ACD{Defence: defence})
		l.peer = host(two, link.ACD{ProbeNum: -1}, serverAddr)
		test(t, l)
	})
}

// serve starts the server on the peer until stop is called.
func (l *lab) serve() (stop func()) {
	s, err := server.New(server.Config{
		Addr: serverAddr, Routers: []netip.Addr{serverAddr.Addr()}, DNS: []netip.Addr{serverAddr.Addr()}, Domain: "example.org", MTU: 1400,
	})
	require.NoError(l.t, err)
	l.server = s
	p, err := l.peer.ListenPacket("udp", ":67")
	require.NoError(l.t, err)
	done := make(chan bool)
	go func() {
		s.Serve(p)
		close(done)
	}()
	stop = func() {
		p.Close()
		<-done
	}
	l.t.Cleanup(stop)
	return stop
}

// start starts the client.
func (l *lab) start(cfg Config) *Client {
	cfg.Delay, cfg.Logger = -1, slog.New(slog.DiscardHandler)
	c, err := Start(l.stack, l.device, cfg)
	require.NoError(l.t, err)
	l.t.Cleanup(func() { c.Stop(false) })
	return c
}

// passes lets time pass.
func (l *lab) passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// addresses are those of the interface, without the tentative ones.
func (l *lab) addresses() (list []netip.Prefix) {
	for _, i := range l.stack.Interfaces() {
		for _, a := range i.Addresses {
			if i.Name == l.device && !a.Tentative && a.Prefix.Addr().Is4() {
				list = append(list, a.Prefix)
			}
		}
	}
	return list
}

func (l *lab) count(name string) uint64 { return stats.Count(name, l.server.Stats()) }

// DHCP-008, DHCP-009, DHCP-010, DHCP-012, SOCK-055: a lease is taken into use, renewed for days, and given back.
func TestLease(t *testing.T) {
	bubble(t, link.Keep, func(t *testing.T, l *lab) {
		l.serve()
		c := l.start(Config{})
		l.passes(time.Second)
		require.Empty(t, l.addresses(), "it is being probed for")
		require.Equal(t, "PROBING", c.Info().State)
		l.passes(10 * time.Second)
		require.Equal(t, []netip.Prefix{first}, l.addresses())
		servers, search := names(l.stack, socketapi.NamesDHCP)
		require.Equal(t, []string{"10.0.0.1"}, servers)
		require.Equal(t, []string{"example.org"}, search)
		require.True(t, slices.ContainsFunc(l.stack.Routes(), func(r socketapi.Route) bool {
			return r.Prefix.Bits() == 0 && r.Gateway == serverAddr.Addr() && r.Interface == l.device
		}))
		info := c.Info()
		require.Equal(t, "BOUND", info.State)
		require.Equal(t, "10.0.0.1", info.Server)
		require.InDelta(t, time.Hour, info.Expires, float64(time.Minute))

		conn, err := l.stack.Dial("udp", "192.0.2.1:7")
		require.NoError(t, err)
		defer conn.Close()
		mtu, err := getInt(l.stack, conn.(*socketapi.PacketConn).Descriptor(), socketapi.IPPROTO_IP, socketapi.IP_MTU)
		require.NoError(t, err)
		require.Equal(t, 1400, mtu)

		l.passes(48 * time.Hour)
		require.Equal(t, []netip.Prefix{first}, l.addresses())
		require.InDelta(t, 96, l.count("dhcp.server.granted"), 8)

		c.Stop(true)
		synctest.Wait()
		require.Empty(t, l.addresses())
		servers, _ = names(l.stack, socketapi.NamesDHCP)
		require.Empty(t, servers)
		require.Len(t, l.stack.Routes(), 1, "of the loopback")
		require.EqualValues(t, 1, l.count("dhcp.server.released"))
		_, err = conn.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.ENETUNREACH)
		c.Stop(true)
	})
}

func getInt(s *socketapi.Stack, fd, level, name int) (int, error) {
	var v int
	_, err := s.Berkeley().GetSockOpt(fd, level, name, &v)
	return v, err
}

// DHCP-008, DHCP-019: when the server has gone the lease ends, and a link-local address takes its place until a server is back.
func TestServerGoesAndComes(t *testing.T) {
	bubble(t, link.Keep, func(t *testing.T, l *lab) {
		stop := l.serve()
		c := l.start(Config{LinkLocal: true})
		l.passes(10 * time.Second)
		require.Equal(t, []netip.Prefix{first}, l.addresses())
		listener, err := l.peer.Listen("tcp", ":9")
		require.NoError(t, err)
		defer listener.Close()
		conn, err := l.stack.Dial("tcp", "10.0.0.1:9")
		require.NoError(t, err)
		defer conn.Close()
		stop()
		l.passes(59 * time.Minute)
		require.Equal(t, []netip.Prefix{first}, l.addresses())
		_, err = conn.Write([]byte("with the lease"))
		require.NoError(t, err)
		l.passes(2 * time.Minute)
		_, err = conn.Write([]byte("without"))
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, 1))
		require.Error(t, err, "the connection has no address any more, and ends")
		own := l.addresses()
		require.Len(t, own, 1)
		require.True(t, own[0].Addr().IsLinkLocalUnicast())
		require.Equal(t, own[0], c.Info().LinkLocal)
		require.Empty(t, c.Info().Server)
		l.serve()
		l.passes(3 * time.Minute)
		require.Len(t, l.addresses(), 1)
		require.Equal(t, "BOUND", c.Info().State)
		require.False(t, c.Info().LinkLocal.IsValid())
		require.False(t, l.addresses()[0].Addr().IsLinkLocalUnicast())
	})
}

// DHCP-019: link-local addresses that other hosts have, before it is used and later.
func TestLinkLocalConflicts(t *testing.T) {
	bubble(t, link.Yield, func(t *testing.T, l *lab) {
		c := l.start(Config{LinkLocal: true})
		l.passes(30 * time.Second)
		own := l.addresses()
		require.Len(t, own, 1)
		require.NoError(t, l.peer.AddAddress(t.Context(), "pipe1", own[0]))
		l.passes(30 * time.Second)
		other := l.addresses()
		require.Len(t, other, 1)
		require.NotEqual(t, own, other)
		c.Stop(true)
		l.start(Config{LinkLocal: true}) // which tries the same address first
		l.passes(30 * time.Second)
		require.Equal(t, other, l.addresses())
	})
}

// DHCP-009, SOCK-058: an address that another host has is declined, and the next one is used.
func TestDeclined(t *testing.T) {
	bubble(t, link.Yield, func(t *testing.T, l *lab) {
		require.NoError(t, l.peer.AddAddress(t.Context(), "pipe1", first))
		l.serve()
		l.start(Config{})
		l.passes(time.Minute)
		require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.156/24")}, l.addresses())
		require.EqualValues(t, 1, l.count("dhcp.server.declined"))

		require.NoError(t, l.peer.AddAddress(t.Context(), "pipe1", l.addresses()[0]))
		l.passes(time.Second)
		require.Empty(t, l.addresses())
		l.passes(time.Minute)
		require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.157/24")}, l.addresses())
		require.EqualValues(t, 2, l.count("dhcp.server.declined"))
	})
}

// DHCP-005, DHCP-017: the lease file keeps the identifier, and the lease if it is not given back.
func TestLeaseFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "lease.json")
	read := func() (c content) {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &c))
		return c
	}
	bubble(t, link.Keep, func(t *testing.T, l *lab) {
		l.serve()
		c := l.start(Config{LeaseFile: path})
		id := read().ClientID
		require.Regexp(t, "^ff[0-9a-f]{8}0004[0-9a-f]{32}$", id)
		l.passes(10 * time.Second)
		require.Equal(t, first, read().Lease.Address)
		c.Stop(false)

		l.passes(time.Minute)
		c = l.start(Config{LeaseFile: path})
		synctest.Wait()
		require.Equal(t, "PROBING", c.Info().State, "the server confirms a remembered lease at once")
		l.passes(10 * time.Second)
		require.Equal(t, []netip.Prefix{first}, l.addresses())
		require.Equal(t, id, read().ClientID)
		require.EqualValues(t, 2, l.count("dhcp.server.granted"))
		c.Stop(true)
		require.Nil(t, read().Lease)
		require.Equal(t, id, read().ClientID)
	})
}

func TestLeaseFileErrors(t *testing.T) {
	bubble(t, link.Keep, func(t *testing.T, l *lab) {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"empty": "", "not JSON": "hello", "no identifier": "{}", "not hexadecimal": `{"client_id": "xy"}`,
			"another type": `{"client_id": "01020304"}`, "another DUID": `{"client_id": "ff000000010003000102"}`,
			"no address": `{"client_id": "ff00000001000400000000000000000000000000000000", "lease": {}}`,
		} {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			_, err := Start(l.stack, l.device, Config{LeaseFile: path})
			require.ErrorContains(t, err, "lease file "+path, name)
		}
		_, err := Start(l.stack, l.device, Config{LeaseFile: dir})
		require.Error(t, err)
		_, err = Start(l.stack, l.device, Config{LeaseFile: "/dev/null/lease"})
		require.Error(t, err)
		_, err = Start(l.stack, "lo", Config{})
		require.ErrorIs(t, err, syscall.ENODEV)
		_ = l.start(Config{})
		_, err = Start(l.stack, l.device, Config{})
		require.ErrorIs(t, err, syscall.EADDRINUSE)
	})
}

// DHCP-017: with a secret the identifier is the same at each start, and the DUID the same on all interfaces.
func TestIdentity(t *testing.T) {
	secret := []byte("0123456789abcdef")
	one, two := newIdentity(secret, "tap0"), newIdentity(secret, "tap1")
	require.Equal(t, one, newIdentity(secret, "tap0"))
	require.Equal(t, one.duid, two.duid)
	require.NotEqual(t, one.iaid, two.iaid)
	require.NotEqual(t, one.duid, newIdentity([]byte("another"), "tap0").duid)
	require.NotEqual(t, newIdentity(nil, "tap0"), newIdentity(nil, "tap0"))
	require.Len(t, one.client(), 23)
}

// The client ends with its stack, too.
func TestStopAfterClose(t *testing.T) {
	bubble(t, link.Keep, func(t *testing.T, l *lab) {
		l.serve()
		c := l.start(Config{})
		l.passes(10 * time.Second)
		require.NoError(t, l.stack.Close())
		c.Stop(true)
	})
}

// DHCP-001: DISCOVER leaves from 0.0.0.0, port 68, although the interface has an address.
func TestDiscoverFromNoAddress(t *testing.T) {
	bubble(t, link.Keep, func(t *testing.T, l *lab) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, l.stack.AddAddress(ctx, l.device, netip.MustParsePrefix("10.0.0.9/24")))
		p, err := l.peer.ListenPacket("udp4", ":67")
		require.NoError(t, err)
		defer p.Close()
		l.start(Config{})
		_, from, err := p.ReadFrom(make([]byte, 1500))
		require.NoError(t, err)
		require.Equal(t, "0.0.0.0:68", from.String())
	})
}
