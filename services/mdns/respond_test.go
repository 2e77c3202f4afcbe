package mdns

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/socketapi"
	"tunstack/tun"
)

// pair returns two stacks joined by a wire, in both versions of IP.
func pair(t *testing.T) (a, b *socketapi.Stack) {
	one, two := tun.Pipe(1500, tun.TUN, packet.Features{})
	stack := func(d tun.Device, addrs ...string) *socketapi.Stack {
		i := socketapi.Interface{Name: "eth0", Device: d}
		for _, a := range addrs {
			i.Addrs = append(i.Addrs, netip.MustParsePrefix(a))
		}
		s, err := socketapi.New(socketapi.Config{Interfaces: []socketapi.Interface{i}, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		return s
	}
	return stack(one, "10.0.0.1/24", "fe80::a/64"), stack(two, "10.0.0.2/24", "fe80::b/64")
}

// lookUp asks the group for a name.
func lookUp(t *testing.T, s *socketapi.Stack, group, name string, qtype uint16) *dns.Msg {
	t.Helper()
	c, err := Dial(t.Context(), s, "udp", netip.MustParseAddrPort(group))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Second)))
	q := new(dns.Msg).SetQuestion(name, qtype)
	b, err := q.Pack()
	require.NoError(t, err)
	_, err = c.Write(b)
	require.NoError(t, err)
	b = make([]byte, maxMessage)
	n, err := c.Read(b)
	if err, ok := err.(net.Error); ok && err.Timeout() {
		return nil
	}
	require.NoError(t, err)
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(b[:n]))
	require.Equal(t, q.Id, m.Id)
	return m
}

// MDNS-003, MDNS-008, MDNS-013: Two stacks that want the same name get different ones, and find each other by both versions of IP.
func TestTwoStacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		first, err := Start(a, "tunstack", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		time.Sleep(5 * time.Second)
		second, err := Start(b, "tunstack", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{"tunstack.local"}, first.Names())
		require.Equal(t, []string{"tunstack-2.local"}, second.Names())
		for _, group := range []string{"224.0.0.251:5353", "[ff02::fb%eth0]:5353"} {
			m := lookUp(t, b, group, "tunstack.local.", dns.TypeA)
			require.NotNil(t, m, group)
			require.Equal(t, "10.0.0.1", m.Answer[0].(*dns.A).A.String())
			m = lookUp(t, a, group, "tunstack-2.local.", dns.TypeAAAA)
			require.NotNil(t, m, group)
			require.Equal(t, "fe80::b", m.Answer[0].(*dns.AAAA).AAAA.String())
			require.Nil(t, lookUp(t, a, group, "nobody.local.", dns.TypeA))
		}
		found, err := second.Lookup(t.Context(), "ip", "tunstack.local")
		require.NoError(t, err)
		require.ElementsMatch(t, []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::a%eth0")}, found)
		found, err = second.Lookup(t.Context(), "ip6", "tunstack-2.local.")
		require.NoError(t, err)
		require.Equal(t, []netip.Addr{netip.MustParseAddr("fe80::b%eth0")}, found, "its own")
		begin := time.Now()
		_, err = second.Lookup(t.Context(), "ip", "nobody.local")
		require.ErrorIs(t, err, ErrNotFound)
		require.Equal(t, lookupTime, time.Since(begin))
		require.NoError(t, a.AddAddress(t.Context(), "eth0", netip.MustParsePrefix("10.0.0.7/24")))
		time.Sleep(3 * time.Second)
		require.Len(t, lookUp(t, b, "224.0.0.251:5353", "tunstack.local.", dns.TypeA).Answer, 2)
		require.NoError(t, second.Close())
		require.Nil(t, lookUp(t, a, "224.0.0.251:5353", "tunstack-2.local.", dns.TypeA))
		require.NoError(t, first.Close())
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	})
}

// Messages of a stack to the group have TTL 255, go to the group of their version, and are no answers to itself.
func TestPacketsToTheGroup(t *testing.T) { // MDNS-013
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		defer b.Close()
		defer a.Close()
		var ports []*socketapi.PacketConn
		s := b.Berkeley()
		for _, six := range []bool{false, true} {
			r := &Responder{stack: b, links: []*link{{index: 2}}}
			p, err := r.open(six)
			require.NoError(t, err)
			defer p.Close()
			level, name := socketapi.IPPROTO_IP, socketapi.IP_RECVTTL
			if six {
				level, name = socketapi.IPPROTO_IPV6, socketapi.IPV6_RECVHOPLIMIT
			}
			require.NoError(t, s.SetSockOpt(p.Descriptor(), level, name, 1))
			ports = append(ports, p.PacketConn)
		}
		r, err := Start(a, "tunstack", slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		defer r.Close()
		for i, group := range []string{"224.0.0.251", "ff02::fb"} {
			_, m, err := ports[i].RecvMsg(make([]byte, maxMessage))
			require.NoError(t, err)
			require.Equal(t, group, m.Local.WithZone("").String())
			require.EqualValues(t, Port, m.Addr.Port())
			require.EqualValues(t, 255, m.TTL)
		}
	})
}
