package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
	"tunstack/tcp"
)

func printRows(t *testing.T, table *socketTable, rows []socketapi.SocketInfo) {
	t.Helper()
	for _, r := range rows {
		require.NoError(t, table.add(r))
	}
	require.NoError(t, table.end())
}

// Rows may number a million: rows beyond the first do not wait for the last, and keep the columns.
func TestSocketsArePrintedAsTheyCome(t *testing.T) {
	end := netip.MustParseAddrPort
	row := socketapi.SocketInfo{Protocol: "tcp", State: "ESTAB", Local: end("10.0.0.2:7"), Remote: end("10.0.0.1:40000"), Info: &tcp.Info{Congestion: "reno"}}
	var out strings.Builder
	table := &socketTable{w: &out}
	for range tableRows - 1 {
		require.NoError(t, table.add(row))
	}
	require.Zero(t, out.Len())
	require.NoError(t, table.add(row))
	before := out.Len()
	require.Equal(t, 1+2*tableRows, strings.Count(out.String(), "\n"))
	require.NoError(t, table.add(row))
	require.Equal(t, "ESTAB 0      0           10.0.0.2:7        10.0.0.1:40000\n\t reno rto:0\n", out.String()[before:])
	require.NoError(t, table.end())
	require.Equal(t, 1, strings.Count(out.String(), "Recv-Q"))
}

// Printing row by row makes the same JSON as printing all at once.
func TestJSONRows(t *testing.T) {
	rows := []socketapi.Counter{{Name: "a", Value: 1}, {Name: "b"}}
	for n := range len(rows) + 1 {
		var out, all strings.Builder
		j := &jsonRows[socketapi.Counter]{w: &out}
		for _, r := range rows[:n] {
			require.NoError(t, j.add(r))
		}
		require.NoError(t, j.end())
		require.NoError(t, printJSON(&all, rows[:n]))
		require.Equal(t, all.String(), out.String())
	}
}

func TestPrintSockets(t *testing.T) {
	end := netip.MustParseAddrPort
	rows := []socketapi.SocketInfo{
		{Protocol: "tcp", State: "LISTEN", SendQ: 128, Local: end("0.0.0.0:7")},
		{Protocol: "tcp", State: "ESTAB", RecvQ: 12, SendQ: 34567, Local: end("10.0.0.2:1414"), Remote: end("10.0.0.1:40000")},
		{Protocol: "udp", State: "UNCONN", Local: end("0.0.0.0:54321")},
	}
	var out strings.Builder
	printRows(t, &socketTable{w: &out}, rows)
	require.Equal(t, `State  Recv-Q Send-Q Local Address:Port  Peer Address:Port
LISTEN 0      128          0.0.0.0:7          0.0.0.0:*
ESTAB  12     34567       10.0.0.2:1414      10.0.0.1:40000
UNCONN 0      0            0.0.0.0:54321      0.0.0.0:*
`, out.String())

	out.Reset()
	printRows(t, &socketTable{w: &out, withProtocol: true}, rows[2:])
	require.Equal(t, `Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port
udp   UNCONN 0      0            0.0.0.0:54321      0.0.0.0:*
`, out.String())
}

func TestPrintSockets6(t *testing.T) {
	end := netip.MustParseAddrPort
	var out strings.Builder
	printRows(t, &socketTable{w: &out, withProtocol: true}, []socketapi.SocketInfo{
		{Protocol: "tcp", State: "LISTEN", SendQ: 128, Local: end("[::]:7")},
		{Protocol: "tcp", State: "ESTAB", Local: end("[fd00::2]:7"), Remote: end("[fd00::1]:40000")},
		{Protocol: "udp", State: "UNCONN", Local: end("0.0.0.0:53")},
		{Protocol: "udp", State: "UNCONN", Local: end("[fe80::2%tap0]:546")},
	})
	require.Equal(t, `Netid State  Recv-Q Send-Q  Local Address:Port Peer Address:Port
tcp6  LISTEN 0      128              [::]:7            [::]:*
tcp6  ESTAB  0      0           [fd00::2]:7       [fd00::1]:40000
udp   UNCONN 0      0             0.0.0.0:53        0.0.0.0:*
udp6  UNCONN 0      0      [fe80::2]%tap0:546          [::]:*
`, out.String())
}

func TestPrintCounters(t *testing.T) {
	var out strings.Builder
	printCounters(&out, []socketapi.Counter{
		{Name: "ipv4.in.packets", Value: 12, Doc: "packets received"},
		{Name: "ipv4.drop.bad_checksum", Value: 3, Doc: "header checksum wrong", RFC: "RFC 1122 3.2.1.2"},
	})
	require.Equal(t, `ipv4.in.packets                  12  packets received
ipv4.drop.bad_checksum            3  header checksum wrong (RFC 1122 3.2.1.2)
`, out.String())
}

func TestPrintInterfaces(t *testing.T) {
	address := func(s string) socketapi.AddressInfo {
		return socketapi.AddressInfo{Prefix: netip.MustParsePrefix(s), Preferred: socketapi.Forever, Valid: socketapi.Forever}
	}
	var out strings.Builder
	printInterfaces(&out, []socketapi.InterfaceInfo{
		{Name: "lo", Addresses: []socketapi.AddressInfo{address("127.0.0.1/8")}, MTU: 65535, Loopback: true},
		{Name: "tun0", Addresses: []socketapi.AddressInfo{address("10.0.0.2/24"), address("10.1.0.0/31")}, MTU: 1500,
			InPackets: 1, InBytes: 84, OutPackets: 2, OutBytes: 168},
	})
	require.Equal(t, `lo: flags=<UP,LOOPBACK>  mtu 65535
        inet 127.0.0.1  netmask 255.0.0.0
        RX packets 0  bytes 0
        TX packets 0  bytes 0

tun0: flags=<UP,BROADCAST,MULTICAST>  mtu 1500
        inet 10.0.0.2  netmask 255.255.255.0  broadcast 10.0.0.255
        inet 10.1.0.0  netmask 255.255.255.254
        RX packets 1  bytes 84
        TX packets 2  bytes 168
`, out.String())
}

// The addresses of IPv6 have their scopes, and those not in use for good their states.
func TestPrintInterfaces6(t *testing.T) {
	row := func(prefix string, valid, preferred time.Duration, a socketapi.AddressInfo) socketapi.AddressInfo {
		a.Prefix, a.Valid, a.Preferred = netip.MustParsePrefix(prefix), valid, preferred
		return a
	}
	const ever = socketapi.Forever
	var out strings.Builder
	printInterfaces(&out, []socketapi.InterfaceInfo{{Name: "tap0", MTU: 1500, Addresses: []socketapi.AddressInfo{
		row("::1/128", ever, ever, socketapi.AddressInfo{}), row("fe80::2/64", ever, ever, socketapi.AddressInfo{}),
		row("fd00::2/64", time.Hour, 0, socketapi.AddressInfo{Dynamic: true, Deprecated: true, Temporary: true}),
		row("2001:db8::2/64", ever, ever, socketapi.AddressInfo{Tentative: true}),
	}}})
	require.Equal(t, `tap0: flags=<UP,BROADCAST,MULTICAST>  mtu 1500
        inet6 ::1  prefixlen 128  scopeid 0x10<host>
        inet6 fe80::2  prefixlen 64  scopeid 0x20<link>
        inet6 fd00::2  prefixlen 64  scopeid 0x0<global>  flags <deprecated,temporary,dynamic>  valid 3600  preferred 0
        inet6 2001:db8::2  prefixlen 64  scopeid 0x0<global>  flags <tentative>
        RX packets 0  bytes 0
        TX packets 0  bytes 0
`, out.String())
}

func TestPrintNeighbors(t *testing.T) {
	var out strings.Builder
	printNeighbors(&out, nil)
	require.Equal(t, "Address  HWaddress  State  Flags  Age  Iface\n", out.String())

	out.Reset()
	printNeighbors(&out, []neighbor{
		{netip.MustParseAddr("10.0.0.1"), "02:00:5e:10:00:01", "reachable", false, 1499 * time.Millisecond, "tap0"},
		{netip.MustParseAddr("10.0.0.100"), "00:00:00:00:00:00", "incomplete", false, 90 * time.Second, "tap0"},
		{netip.MustParseAddr("fe80::1%tap1"), "02:00:5e:10:00:01", "stale", true, time.Hour, "tap1"},
	})
	require.Equal(t, `Address     HWaddress          State       Flags   Age     Iface
10.0.0.1    02:00:5e:10:00:01  reachable   -       1s      tap0
10.0.0.100  00:00:00:00:00:00  incomplete  -       1m30s   tap0
fe80::1     02:00:5e:10:00:01  stale       router  1h0m0s  tap1
`, out.String())
}

func TestPrintRoutes(t *testing.T) {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	var out strings.Builder
	printRoutes(&out, family{}, []socketapi.Route{
		{Prefix: prefix("10.9.9.9/32"), Gateway: addr("10.0.0.3"), Interface: "tun0", Redirect: true},
		{Prefix: prefix("10.0.0.0/24"), Interface: "tun0"},
		{Prefix: prefix("0.0.0.0/0"), Gateway: addr("10.0.0.1"), Interface: "tun0", Metric: 100, Failed: true},
	})
	require.Equal(t, `Destination  Gateway   Genmask          Flags  Metric  Iface
10.9.9.9     10.0.0.3  255.255.255.255  UGHD   0       tun0
10.0.0.0     0.0.0.0   255.255.255.0    U      0       tun0
0.0.0.0      10.0.0.1  0.0.0.0          G      100     tun0
`, out.String())
}

// Each family has a table of its own.
func TestPrintRoutes6(t *testing.T) {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	rows := []socketapi.Route{
		{Prefix: prefix("fd00::/64"), Interface: "tap0"},
		{Prefix: prefix("10.0.0.0/24"), Interface: "tap0"},
		{Prefix: prefix("2001:db8::9/128"), Gateway: addr("fe80::2%tap0"), Interface: "tap0", Redirect: true},
		{Prefix: prefix("::/0"), Gateway: addr("fe80::1%tap0"), Interface: "tap0", Metric: 1024, Advertised: true},
	}
	const want = `Destination      Next Hop  Flags  Metric  Iface
fd00::/64        ::        U      0       tap0
2001:db8::9/128  fe80::2   UGHD   0       tap0
::/0             fe80::1   UGA    1024    tap0
`
	var out strings.Builder
	printRoutes(&out, family{}, rows)
	require.Equal(t, `Destination  Gateway  Genmask        Flags  Metric  Iface
10.0.0.0     0.0.0.0  255.255.255.0  U      0       tap0

`+want, out.String())
	out.Reset()
	printRoutes(&out, family{}, slices.DeleteFunc(rows, func(r socketapi.Route) bool { return r.Prefix.Addr().Is4() }))
	require.Equal(t, want, out.String())
	out.Reset()
	printRoutes(&out, family{}, nil)
	require.Equal(t, "Destination  Gateway  Genmask  Flags  Metric  Iface\n", out.String())
	out.Reset()
	printRoutes(&out, family{v6: true}, nil)
	require.Equal(t, "Destination  Next Hop  Flags  Metric  Iface\n", out.String())
}

func TestPrintGroups(t *testing.T) {
	a := netip.MustParseAddr
	var out strings.Builder
	printGroups(&out, []groupRow{
		{"lo", socketapi.GroupInfo{Group: a("224.0.0.1"), Members: 1, Exclude: true}},
		{"tun0", socketapi.GroupInfo{Group: a("239.1.2.3"), Members: 2, Exclude: true, Sources: []netip.Addr{a("10.0.0.8"), a("10.0.0.9")}}},
		{"tun0", socketapi.GroupInfo{Group: a("ff02::1:ff00:2"), Members: 1, Sources: []netip.Addr{a("fe80::1")}}},
		{"tun0", socketapi.GroupInfo{Group: a("ff02::9"), Members: 1}},
	})
	require.Equal(t, strings.TrimPrefix(`
Interface       RefCnt Group                   Sources
lo              1      224.0.0.1               all
tun0            2      239.1.2.3               all but 10.0.0.8,10.0.0.9
tun0            1      ff02::1:ff00:2          fe80::1
tun0            1      ff02::9                 none
`, "\n"), out.String())
}
