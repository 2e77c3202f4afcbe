package hostile

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/link/nd"
	"tunstack/socketapi"
	"tunstack/tcp"
)

var (
	router6 = netip.MustParseAddr("fe80::1")
	prefix6 = netip.MustParsePrefix("2001:db8:1::/64")
)

// advertise injects a router advertisement.
func (l *lab) advertise(from netip.Addr, a *nd.RouterAdvertisement) {
	p := nd.New(from, nd.AllNodes, a)
	defer p.Free()
	l.inject(p.Bytes())
}

// forged is an advertisement of an attacker who poses as many routers. It also withdraws the prefix of the honest router.
func forged(r *rand.Rand) (from netip.Addr, a *nd.RouterAdvertisement) {
	var b [16]byte
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	b[0], b[1] = 0xfe, 0x80
	from = netip.AddrFrom16(b)
	b[0], b[1] = 0x20, 0x01
	binary.BigEndian.PutUint32(b[2:], r.Uint32())
	p := netip.PrefixFrom(netip.AddrFrom16(b), 64).Masked()
	lifetime := time.Duration(r.IntN(3)) * time.Hour
	return from, &nd.RouterAdvertisement{
		CurHopLimit: uint8(r.Uint32()), MTU: r.Uint32N(1280), Preference: 1, RouterLifetime: lifetime, RetransTimer: time.Hour,
		Prefixes: []nd.PrefixInformation{
			{Prefix: p, OnLink: true, Autonomous: true, Preferred: lifetime, Valid: lifetime}, {Prefix: prefix6, OnLink: true, Autonomous: true},
		},
		Routes: []nd.RouteInformation{{Prefix: p, Lifetime: lifetime, Preference: 1}},
		RDNSS:  []nd.RDNSS{{Servers: []netip.Addr{netip.AddrFrom16(b)}, Lifetime: lifetime}},
		DNSSL:  []nd.DNSSL{{Domains: []string{p.Addr().StringExpanded()[:4] + ".example"}, Lifetime: lifetime}},
	}
}

// SEC-015: a flood of router advertisements takes bounded memory, no address that the stack has, and no connection.
func TestAdvertisementFlood(t *testing.T) {
	l := newLab(t, six, func(c *socketapi.Config) { c.Interfaces[0].Autoconf.Mode = socketapi.AutoconfOn })
	listener := l.listen()
	p := l.open(six.honest, tcp.Options{})
	fd := l.accept(listener)
	l.after(2 * time.Second)
	good := nd.RouterAdvertisement{
		RouterLifetime: time.Hour, Prefixes: []nd.PrefixInformation{{Prefix: prefix6, Autonomous: true, Preferred: 24 * time.Hour, Valid: 24 * time.Hour}},
	}
	l.advertise(router6, &good)
	l.after(time.Second)
	own := l.Autoconf()[0].Addresses
	require.Len(t, own, 2)

	before := heap()
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 20000 {
		l.advertise(forged(r))
		if n%10 == 0 {
			l.after(time.Millisecond)
		}
		l.sent = nil
	}
	require.Less(t, heap()-before, 1<<20)
	require.Subset(t, l.Autoconf()[0].Addresses, own)
	require.Contains(t, l.Autoconf()[0].Routers, router6.WithZone("wire"))
	require.LessOrEqual(t, len(l.Routes()), 100)
	require.NotZero(t, l.counter("autoconf.drop.table_full"))
	for _, name := range []string{"hop_limit", "mtu", "time"} {
		require.NotZero(t, l.counter("autoconf.ignored."+name), name)
	}
	l.reaches(router6.WithZone("wire"))
	p.works(fd)

	for range 1000 {
		l.advertise(forged(r)) // faster than the timers
	}
	require.NotZero(t, l.counter("autoconf.drop.flood"))
	l.after(time.Second)
	l.advertise(router6, &good) // else the address ends two hours after its withdrawal
	l.after(3 * time.Hour)
	require.Equal(t, own, l.Autoconf()[0].Addresses, "nothing is left of the flood")
	require.Empty(t, l.Autoconf()[0].Routers)
}

// reaches requires that a datagram to a neighbour leaves with a hop limit and an MTU with which a host gets far.
func (l *lab) reaches(a netip.Addr) {
	l.t.Helper()
	fd, err := l.Socket(socketapi.AF_INET6, socketapi.SOCK_DGRAM|socketapi.SOCK_NONBLOCK, 0)
	require.NoError(l.t, err)
	require.NoError(l.t, l.Connect(fd, netip.AddrPortFrom(a, 9)))
	var mtu int
	_, err = l.GetSockOpt(fd, socketapi.IPPROTO_IPV6, socketapi.IPV6_MTU, &mtu)
	require.NoError(l.t, err)
	require.Equal(l.t, 1500, mtu)
	l.sent = nil
	_, err = l.Send(fd, []byte("x"), 0)
	require.NoError(l.t, err)
	require.Len(l.t, l.sent, 1)
	require.GreaterOrEqual(l.t, l.sent[0][7], byte(32))
	require.NoError(l.t, l.Close(fd))
}
