package ports

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// newTable has a range of ports and repeatable randomness.
func newTable(low, high uint16) *Table {
	return New(Config{Low: low, High: high, Rand: rand.NewChaCha8([32]byte{1})})
}

func always(uint16) bool { return true }

// SOCK-001, SOCK-030, SOCK-031: the addresses and ports that two sockets can share by bind(2).
func TestBindConflict(t *testing.T) {
	tests := []struct {
		name          string
		first, second string
		f1, f2        Flags
		err           error
	}{
		{"same address", "10.0.0.2:7", "10.0.0.2:7", 0, 0, syscall.EADDRINUSE},
		{"other address", "10.0.0.2:7", "10.0.0.3:7", 0, 0, nil},
		{"other port", "10.0.0.2:7", "10.0.0.2:8", 0, 0, nil},
		{"wildcard second", "10.0.0.2:7", "0.0.0.0:7", 0, 0, syscall.EADDRINUSE},
		{"wildcard first", "0.0.0.0:7", "10.0.0.2:7", 0, 0, syscall.EADDRINUSE},
		{"same IPv6 address", "[2001:db8::1]:7", "[2001:db8::1]:7", 0, 0, syscall.EADDRINUSE},
		{"other IPv6 address", "[2001:db8::1]:7", "[2001:db8::2]:7", 0, 0, nil},
		{"IPv6's wildcard and an IPv6 address", "[::]:7", "[2001:db8::1]:7", 0, 0, syscall.EADDRINUSE},
		{"IPv6's wildcard and an IPv4 address", "10.0.0.2:7", "[::]:7", 0, 0, syscall.EADDRINUSE},
		{"both wildcards", "[::]:7", "0.0.0.0:7", 0, 0, syscall.EADDRINUSE},
		{"IPv6's wildcard alone, then IPv4's", "[::]:7", "0.0.0.0:7", V6Only, 0, nil},
		{"IPv4's wildcard, then IPv6's alone", "0.0.0.0:7", "[::]:7", 0, V6Only, nil},
		{"IPv6's wildcard alone and an IPv4 address", "10.0.0.2:7", "[::]:7", 0, V6Only, nil},
		{"IPv6's wildcard alone and an IPv6 address", "[2001:db8::1]:7", "[::]:7", 0, V6Only, syscall.EADDRINUSE},
		{"IPv6's wildcard alone and with IPv4", "[::]:7", "[::]:7", V6Only, 0, syscall.EADDRINUSE},
		{"IPv4's wildcard and an IPv6 address", "0.0.0.0:7", "[2001:db8::1]:7", 0, 0, nil},
		{"both reuse address", "0.0.0.0:7", "10.0.0.2:7", ReuseAddr, ReuseAddr, nil},
		{"one reuses address", "0.0.0.0:7", "10.0.0.2:7", 0, ReuseAddr, syscall.EADDRINUSE},
		{"both reuse port", "10.0.0.2:7", "10.0.0.2:7", ReusePort, ReusePort, nil},
		{"one reuses port", "10.0.0.2:7", "10.0.0.2:7", ReusePort, 0, syscall.EADDRINUSE},
		{"nothing in common", "10.0.0.2:7", "10.0.0.2:7", ReusePort, ReuseAddr, syscall.EADDRINUSE},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := newTable(0, 0)
			r, err := table.Bind(ap(tt.first), tt.f1)
			require.NoError(t, err)
			require.Equal(t, ap(tt.first), r.Local())
			second, err := table.Bind(ap(tt.second), tt.f2)
			require.Equal(t, tt.err, err)
			table.Release(r)
			table.Release(second)
			_, err = table.Bind(ap(tt.second), 0)
			require.NoError(t, err, "a released port is free")
		})
	}
}

// SOCK-030: SO_REUSEADDR does not take over an active listener, at bind and at listen.
func TestListener(t *testing.T) {
	table := newTable(0, 0)
	a, err := table.Bind(ap("0.0.0.0:80"), ReuseAddr)
	require.NoError(t, err)
	b, err := table.Bind(ap("0.0.0.0:80"), ReuseAddr)
	require.NoError(t, err)
	a, err = table.Listen(a)
	require.NoError(t, err)
	b, err = table.Listen(b)
	require.Equal(t, syscall.EADDRINUSE, err)
	_, err = table.Bind(ap("0.0.0.0:80"), ReuseAddr)
	require.Equal(t, syscall.EADDRINUSE, err)

	table.Release(a)
	b, err = table.Listen(b)
	require.NoError(t, err)
	table.Release(b)
	require.Empty(t, table.stripe(80).ports)
}

// SOCK-031: listeners with SO_REUSEPORT share a port.
func TestListenersReusePort(t *testing.T) {
	table := newTable(0, 0)
	for range 3 {
		r, err := table.Bind(ap("0.0.0.0:80"), ReusePort)
		require.NoError(t, err)
		_, err = table.Listen(r)
		require.NoError(t, err)
	}
}

// SOCK-030: a server restarts while its old connections live or wait out TIME-WAIT.
func TestRestart(t *testing.T) {
	tests := []struct {
		name     string
		old      Flags
		restart  Flags
		timeWait bool
		err      error
	}{
		{"established, both reuse", ReuseAddr, ReuseAddr, false, nil},
		{"established, neither", 0, 0, false, syscall.EADDRINUSE},
		{"established, only the new one", 0, ReuseAddr, false, syscall.EADDRINUSE},
		{"time-wait, only the new one", 0, ReuseAddr, true, nil},
		{"time-wait, neither", 0, 0, true, syscall.EADDRINUSE},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := newTable(0, 0)
			l, err := table.Bind(ap("0.0.0.0:80"), tt.old)
			require.NoError(t, err)
			l, err = table.Listen(l)
			require.NoError(t, err)
			c := table.Accept(l, netip.MustParseAddr("10.0.0.2"))
			table.Release(l)
			if tt.timeWait {
				c = table.TimeWait(c)
			}
			l, err = table.Bind(ap("0.0.0.0:80"), tt.restart)
			require.Equal(t, tt.err, err)
			if err == nil {
				l, err = table.Listen(l)
				require.NoError(t, err)
			}
			table.Release(l)
			table.Release(c)
			require.Empty(t, table.stripe(80).ports)
		})
	}
}

// SOCK-004, SOCK-005, UDP-015: port 0 is a free port of the range, 49152-65535 by default.
func TestEphemeralRange(t *testing.T) {
	table := New(Config{})
	seen := map[uint16]bool{}
	for range DefaultHigh - DefaultLow + 1 {
		r, err := table.Bind(ap("0.0.0.0:0"), ReuseAddr|ReusePort)
		require.NoError(t, err)
		require.GreaterOrEqual(t, r.Port(), uint16(DefaultLow))
		require.False(t, seen[r.Port()], "port 0 never shares a port")
		seen[r.Port()] = true
	}
	_, err := table.Bind(ap("0.0.0.0:0"), ReuseAddr|ReusePort)
	require.Equal(t, syscall.EADDRINUSE, err)

	small := newTable(4000, 4001)
	for range 2 {
		r, err := small.Bind(ap("0.0.0.0:0"), 0)
		require.NoError(t, err)
		require.Contains(t, []uint16{4000, 4001}, r.Port())
	}
	require.Panics(t, func() { New(Config{Low: 2, High: 1}) })
	require.Panics(t, func() { New(Config{Rand: bytes.NewReader(nil)}) })
}

// SEC-004, UDP-015: an observer of one port cannot predict the next. Over 1000 choices the ports spread evenly, and successive
// ones are not adjacent.
func TestEphemeralUnpredictable(t *testing.T) {
	table := newTable(0, 0)
	buckets := make([]int, 16)
	near := 0
	last := uint16(0)
	for range 1000 {
		r, err := table.Bind(ap("0.0.0.0:0"), 0)
		require.NoError(t, err)
		buckets[(r.Port()-DefaultLow)/1024]++
		if d := int(r.Port()) - int(last); -64 < d && d < 64 {
			near++
		}
		last = r.Port()
		table.Release(r)
	}
	for i, n := range buckets {
		require.InDelta(t, 62.5, n, 40, "bucket %d", i)
	}
	require.Less(t, near, 30, "0.8 % are expected by chance")
}

// SEC-004: connections to different remotes share a port; connections to the same remote never do.
func TestConnectShares(t *testing.T) {
	table := newTable(5000, 5003)
	local := netip.MustParseAddr("10.0.0.2")
	tuples := map[netip.AddrPort]map[uint16]bool{}
	connect := func(remote netip.AddrPort) (Reservation, error) {
		return table.Connect(local, remote, 0, func(port uint16) bool {
			if tuples[remote][port] {
				return false
			}
			if tuples[remote] == nil {
				tuples[remote] = map[uint16]bool{}
			}
			tuples[remote][port] = true
			return true
		})
	}
	var held []Reservation
	for _, remote := range []string{"10.0.0.1:80", "10.0.0.1:81", "10.0.0.9:80"} {
		for range 4 {
			r, err := connect(ap(remote))
			require.NoError(t, err)
			held = append(held, r)
		}
		_, err := connect(ap(remote))
		require.Equal(t, syscall.EADDRNOTAVAIL, err)
	}
	_, err := table.Bind(ap("0.0.0.0:5000"), ReuseAddr)
	require.Equal(t, syscall.EADDRINUSE, err, "a connection's port is not to be had by number")
	for _, r := range held {
		table.Release(r)
	}
	for i := range table.stripes {
		require.Empty(t, table.stripes[i].ports)
	}
}

// SEC-004: connections do not use bound ports.
func TestConnectAvoidsBound(t *testing.T) {
	table := newTable(5000, 5001)
	_, err := table.Bind(ap("0.0.0.0:5000"), ReuseAddr|ReusePort)
	require.NoError(t, err)
	for range 10 {
		r, err := table.Connect(netip.MustParseAddr("10.0.0.2"), ap("10.0.0.1:80"), ReuseAddr|ReusePort, always)
		require.NoError(t, err)
		require.Equal(t, uint16(5001), r.Port())
	}
}

// SEC-004, RFC 6056 section 3.3.4: each remote has its own sequence, which runs through the range before a four-tuple repeats.
func TestConnectSequence(t *testing.T) {
	table := newTable(0, 0)
	local := netip.MustParseAddr("10.0.0.2")
	ports := func(remote string, n int) []uint16 {
		out := make([]uint16, n)
		for i := range out {
			r, err := table.Connect(local, ap(remote), 0, always)
			require.NoError(t, err)
			table.Release(r)
			out[i] = r.Port()
		}
		return out
	}
	seen := map[uint16]bool{}
	for _, p := range ports("10.0.0.1:80", 4000) {
		require.False(t, seen[p], "port %d came again too soon", p)
		seen[p] = true
	}
	a, b := ports("10.0.0.1:81", 2), ports("10.0.0.1:82", 2)
	require.NotEqual(t, a, b)

	again := New(Config{Rand: rand.NewChaCha8([32]byte{2})})
	r, err := again.Connect(local, ap("10.0.0.1:80"), 0, always)
	require.NoError(t, err)
	require.NotEqual(t, ports("10.0.0.1:80", 1)[0], r.Port(), "another secret, another sequence")
}

// A port with very many holders takes no more time than a port with one.
func TestManyHolders(t *testing.T) {
	table := newTable(0, 0)
	l, err := table.Bind(ap("0.0.0.0:80"), ReuseAddr)
	require.NoError(t, err)
	l, err = table.Listen(l)
	require.NoError(t, err)
	local := netip.MustParseAddr("10.0.0.2")
	var r Reservation
	for range 100_000 {
		r = table.Accept(l, local)
	}
	require.Len(t, table.stripe(80).ports[80], 2)
	require.Zero(t, testing.AllocsPerRun(100, func() { table.Release(table.Accept(l, local)) }))
	for range 100_000 {
		table.Release(r)
	}
	table.Release(l)
	require.Empty(t, table.stripe(80).ports)
	require.Panics(t, func() { table.Release(l) })
}

func TestConcurrent(t *testing.T) {
	table := newTable(5000, 5063)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				r, err := table.Bind(ap("10.0.0.2:0"), 0)
				c, err2 := table.Connect(netip.MustParseAddr("10.0.0.2"), ap("10.0.0.1:80"), 0, always)
				if err != nil || err2 != nil {
					t.Error(err, err2)
					return
				}
				table.Release(table.TimeWait(c))
				table.Release(r)
			}
		})
	}
	wg.Wait()
	for i := range table.stripes {
		require.Empty(t, table.stripes[i].ports)
	}
}
