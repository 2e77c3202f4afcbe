package host

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// kinds are the flags of `tunstack up` for each kind of device.
var kinds = map[string][]string{
	"tun":       {"--dev", "tun0"},
	"tap":       {"--dev", "tap0", "--tap"},
	"tun water": {"--dev", "tun0", "--driver", "water"},
	"tap water": {"--dev", "tap0", "--tap", "--driver", "water"},
	"veth":      {"--dev", "veth0", "--driver", "veth"},
}

func eachKind(t *testing.T, test func(t *testing.T, n *node)) {
	for name, flags := range kinds {
		t.Run(name, func(t *testing.T) { test(t, up(t, flags...)) })
	}
}

// The stack answers the first packet after "ready", while the neighbour caches are empty.
func TestFirstPing(t *testing.T) {
	eachKind(t, func(t *testing.T, n *node) {
		require.Contains(t, succeed(t, "ping", "-c", "1", "-W", "5", stackIP), " 0% packet loss")
	})
}

func TestPingFlood(t *testing.T) {
	eachKind(t, func(t *testing.T, n *node) {
		out := succeed(t, "ping", "-f", "-q", "-c", "1000", stackIP)
		require.Contains(t, out, "1000 packets transmitted, 1000 received, 0% packet loss")
	})
}

// Requests and replies larger than the MTU are fragmented, up to the largest datagram.
func TestPingFragments(t *testing.T) {
	eachKind(t, func(t *testing.T, n *node) {
		for _, size := range []int{1472, 1473, 8000, 65507} {
			out := succeed(t, "ping", "-q", "-c", "20", "-i", "0.01", "-s", strconv.Itoa(size), stackIP)
			require.Contains(t, out, " 0% packet loss", "size %d", size)
		}
	})
}

// The stack pings the host with large payloads.
func TestPingFromStack(t *testing.T) {
	eachKind(t, func(t *testing.T, n *node) {
		for _, size := range []string{"56", "8000", "65507"} {
			out := n.succeed("", "ping", "-c", "5", "-i", "0.01", "-s", size, hostIP)
			require.Contains(t, out, "5 packets transmitted, 5 received, 0% packet loss", "size %s", size)
		}
	})
}
