package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFailures(t *testing.T) {
	startLoopback(t)
	requireFailures(t, exitFailure, []failing{
		{"echo --port 9999 127.0.0.1 hello", "connection refused"},
		{"knock --port 9999 127.0.0.1", "connection refused"},
		{"nc 127.0.0.1 9999", "connection refused"},
		{"nc 10.9.9.9 7", "network is unreachable"},
		{"nc -l 7", "address already in use"},
		{"ping 10.9.9.9", "network is unreachable"},
		{"traceroute 10.9.9.9", "network is unreachable"},
		{"traceroute nowhere.invalid", "lookup nowhere.invalid: no such host (NXDOMAIN)"},
		{"ping nobody", "lookup nobody: no name server is known"},
		{"nc nobody 7", "lookup nobody: no name server is known"},
		{"knock -6 me", "lookup me: no name server is known"},
		{"nc -u -w 5 127.0.0.1 9999", "connection refused"},
	}...)
}

func TestNoStack(t *testing.T) {
	path := noStack(t)
	for _, line := range []string{"netstat", "netstat -s --json", "ifconfig", "neigh", "arp", "route", "ping 10.0.0.1", "ping fe80::1", "traceroute 10.0.0.1", "dig @10.0.0.1 x", "host x 10.0.0.1", "knock 10.0.0.1", "echo 10.0.0.1 x", "nc -l 5000"} {
		t.Run(line, func(t *testing.T) {
			requireOneLine(t, tunstack("", strings.Fields(line)...), exitFailure, "no stack is running behind "+path+"; start one with `tunstack up`")
		})
	}
}

// --json prints an array, also an empty one, and also in a row.
func TestJSON(t *testing.T) {
	startLoopback(t)
	for line, keys := range map[string][]string{
		"netstat":     {"protocol", "state", "recv_q", "send_q", "local", "remote"},
		"netstat -u":  {"protocol", "state", "local"},
		"netstat -w":  nil,
		"netstat -s":  {"name", "value", "doc"},
		"ifconfig":    {"name", "addresses", "mtu", "in_packets", "out_bytes"},
		"arp":         nil,
		"neigh":       nil,
		"route":       {"prefix", "gateway", "interface", "metric"},
		"resolver":    nil,
		"netstat -tu": {"protocol"},
	} {
		t.Run(line, func(t *testing.T) {
			r := tunstack("", append(strings.Fields(line), "--json")...)
			require.Equal(t, 0, r.status, r.err)
			require.Empty(t, r.err)
			var rows []map[string]any
			require.NoError(t, json.Unmarshal([]byte(r.out), &rows), r.out)
			require.NotNil(t, rows)
			require.NotContains(t, r.out, "null")
			require.Equal(t, keys == nil, len(rows) == 0)
			for _, row := range rows {
				for _, key := range keys {
					require.Contains(t, row, key)
				}
			}
		})
	}
}

func TestTalk(t *testing.T) {
	startLoopback(t)
	require.Equal(t, result{0, "hello there\n", ""}, tunstack("", "echo", "127.0.0.1", "hello", "there"))
	require.Equal(t, result{0, "from the input", ""}, tunstack("from the input", "echo", "127.0.0.1"))
	require.Equal(t, result{0, "half-closed", ""}, tunstack("half-closed", "nc", "127.0.0.1", "7"))
	require.Equal(t, result{0, "LOUD\n", ""}, tunstack("loud\n", "nc", "127.0.0.1", "12000"))
	require.Equal(t, result{0, "LOUD", ""}, tunstack("loud", "nc", "-u", "127.0.0.1", "54321"))

	r := tunstack("", "knock", "127.0.0.1")
	require.Equal(t, 0, r.status, r.err)
	require.Contains(t, r.out, "Knock knock")
	require.Contains(t, r.out, "Who's there?")
}

func TestPing(t *testing.T) {
	startLoopback(t)
	r := tunstack("", "ping", "-c", "1", "-s", "100", "127.0.0.1")
	require.Equal(t, 0, r.status, r.err)
	require.Regexp(t, `^PING 127\.0\.0\.1 \(127\.0\.0\.1\) 100\(128\) bytes of data\.
108 bytes from 127\.0\.0\.1: icmp_seq=1 ttl=64 time=\S+ ms

--- 127\.0\.0\.1 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time \d+ms
rtt min/avg/max/mdev = \S+ ms
$`, r.out)
}

func TestTraceroute(t *testing.T) {
	startLoopback(t)
	for _, method := range []string{"-w5", "-I", "-T"} {
		r := tunstack("", "traceroute", method, "-m", "4", "127.0.0.1")
		require.Equal(t, 0, r.status, r.err)
		require.Regexp(t, `^traceroute to 127\.0\.0\.1 \(127\.0\.0\.1\), 4 hops max, 60 byte packets
 1  localhost \(127\.0\.0\.1\)(  \d+\.\d{3} ms){3}
$`, r.out)
	}
}

// A name is looked up by the stack, and the names of the answering hosts are printed, unless -n or an address as HOST excludes that.
func TestNames(t *testing.T) {
	startLoopback(t)
	for line, want := range map[string]string{
		"ping -c 1 me":               "^PING localhost \\(127\\.0\\.0\\.1\\) 56\\(84\\) bytes of data\\.\n64 bytes from localhost \\(127\\.0\\.0\\.1\\): ",
		"ping -c 1 localhost":        "^PING localhost\\(localhost \\(::1\\)\\) 56 data bytes\n64 bytes from localhost \\(::1\\): ",
		"ping -4 -c 1 localhost":     "^PING localhost \\(127\\.0\\.0\\.1\\) ",
		"ping -n -c 1 localhost":     "^PING localhost\\(::1\\) 56 data bytes\n64 bytes from ::1: ",
		"traceroute localhost":       "^traceroute to localhost \\(127\\.0\\.0\\.1\\), 30 hops max, 60 byte packets\n 1  localhost \\(127\\.0\\.0\\.1\\)  ",
		"traceroute -n -6 localhost": "\n 1  ::1  ",
		"echo me hello":              "^hello\n$",
		"nc localhost 7":             "^input$",
	} {
		r := tunstack("input", strings.Fields(line)...)
		require.Equal(t, 0, r.status, r.err)
		require.Regexp(t, want, r.out, line)
	}
}

// Over IPv6 ping receives the replies with their hop limits, the largest too, and traceroute the answers to each kind of probe.
func TestPingAndTracerouteOverIPv6(t *testing.T) {
	startLoopback(t)
	for _, size := range []string{"0", "56", "65527"} {
		n, err := strconv.Atoi(size)
		require.NoError(t, err)
		r := tunstack("", "ping", "-c", "1", "-s", size, "::1")
		require.Equal(t, 0, r.status, r.err)
		require.Regexp(t, fmt.Sprintf(`^PING ::1\(::1\) %d data bytes
%d bytes from ::1: icmp_seq=1 ttl=64 time=\S+ ms

--- ::1 ping statistics ---
1 packets transmitted, 1 received, 0%% packet loss, time \d+ms
rtt min/avg/max/mdev = \S+ ms
$`, n, n+8), r.out)
	}
	for _, method := range []string{"-w5", "-I", "-T"} {
		r := tunstack("", "traceroute", method, "-m", "4", "::1")
		require.Equal(t, 0, r.status, r.err)
		require.Regexp(t, `^traceroute to ::1 \(::1\), 4 hops max, 80 byte packets
 1  localhost \(::1\)(  \d+\.\d{3} ms){3}
$`, r.out)
	}
}

func TestTalkOverIPv6(t *testing.T) {
	startLoopback(t)
	require.Equal(t, result{0, "hello there\n", ""}, tunstack("", "echo", "::1", "hello", "there"))
	require.Equal(t, result{0, "half-closed", ""}, tunstack("half-closed", "nc", "-6", "::1", "7"))
	require.Equal(t, result{0, "LOUD", ""}, tunstack("loud", "nc", "-u", "::1", "54321"))
	r := tunstack("", "knock", "::1")
	require.Equal(t, 0, r.status, r.err)
	require.Contains(t, r.out, "Who's there?")
}
