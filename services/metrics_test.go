package services

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
)

// observed is a stack without activity.
type observed struct{}

// Interfaces implements Observed.
func (observed) Interfaces() []socketapi.InterfaceInfo {
	return []socketapi.InterfaceInfo{{Name: "lo", MTU: 65535, Loopback: true}, {Name: "tun0", MTU: 1500}}
}

// AllSockets implements Observed.
func (observed) AllSockets(bool) iter.Seq[socketapi.SocketInfo] {
	end := netip.MustParseAddrPort
	return slices.Values([]socketapi.SocketInfo{
		{Protocol: "tcp", State: "LISTEN", Local: end("0.0.0.0:7")},
		{Protocol: "tcp", State: "ESTAB", Local: end("10.0.0.2:7"), Remote: end("10.0.0.1:4000")},
		{Protocol: "tcp", State: "ESTAB", Local: end("10.0.0.2:7"), Remote: end("10.0.0.1:4001")},
		{Protocol: "tcp", State: "TIME-WAIT", Local: end("10.0.0.2:7"), Remote: end("10.0.0.1:4002")},
		{Protocol: "udp", State: "UNCONN", Local: end("0.0.0.0:7")},
	})
}

// Counters implements Observed.
func (observed) Counters() []socketapi.Counter {
	return []socketapi.Counter{
		{Name: "link.in.bytes", Value: 1 << 40, Doc: "bytes received, link headers included"},
		{Name: "tcp.in.segments", Value: 12, Doc: "segments received, bad ones included"},
		{Name: "tcp.drop.paws", Value: 3, Doc: "timestamp older than the last", RFC: "RFC 7323 5.3"},
		{Name: "arp.drop.own", Value: 0, Doc: "our own packet came back", RFC: "RFC 5227 2.4"},
	}
}

const exposed = `# HELP tunstack_drops_total Packets dropped, by layer and reason; netstat -s lists their meanings.
# TYPE tunstack_drops_total counter
tunstack_drops_total{layer="arp",reason="own"} 0
tunstack_drops_total{layer="tcp",reason="paws"} 3
# HELP tunstack_interface_mtu_bytes Largest datagram that an interface carries.
# TYPE tunstack_interface_mtu_bytes gauge
tunstack_interface_mtu_bytes{interface="lo"} 65535
tunstack_interface_mtu_bytes{interface="tun0"} 1500
# HELP tunstack_link_in_bytes_total Bytes received, link headers included.
# TYPE tunstack_link_in_bytes_total counter
tunstack_link_in_bytes_total 1.099511627776e+12
# HELP tunstack_sockets Sockets by protocol, TCP's connections and listeners among them.
# TYPE tunstack_sockets gauge
tunstack_sockets{protocol="raw"} 0
tunstack_sockets{protocol="tcp"} 4
tunstack_sockets{protocol="udp"} 1
# HELP tunstack_tcp_connections TCP connections by state as ss names it, those without an owner among them.
# TYPE tunstack_tcp_connections gauge
tunstack_tcp_connections{state="CLOSE-WAIT"} 0
tunstack_tcp_connections{state="CLOSING"} 0
tunstack_tcp_connections{state="ESTAB"} 2
tunstack_tcp_connections{state="FIN-WAIT-1"} 0
tunstack_tcp_connections{state="FIN-WAIT-2"} 0
tunstack_tcp_connections{state="LAST-ACK"} 0
tunstack_tcp_connections{state="SYN-RECV"} 0
tunstack_tcp_connections{state="SYN-SENT"} 0
tunstack_tcp_connections{state="TIME-WAIT"} 1
# HELP tunstack_tcp_in_segments_total Segments received, bad ones included.
# TYPE tunstack_tcp_in_segments_total counter
tunstack_tcp_in_segments_total 12
`

func TestMetrics(t *testing.T) {
	require.NoError(t, testutil.CollectAndCompare(collector{observed{}}, strings.NewReader(exposed)))
}

// All metrics of a real stack pass Prometheus' own linter, and each counter is one of them.
func TestMetricsOfAStack(t *testing.T) {
	s := newStack(t)
	problems, err := testutil.CollectAndLint(collector{s})
	require.NoError(t, err)
	require.Empty(t, problems)
	others := len(tcpStates) + 3 + len(s.Interfaces())
	require.Equal(t, len(s.Counters())+others, testutil.CollectAndCount(collector{s}))
	require.NoError(t, prometheus.NewPedanticRegistry().Register(collector{s}))
}
