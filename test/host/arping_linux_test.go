package host

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// arping describes one of the two programs of that name.
type arping struct {
	ping, detect []string // flags to request an address in use, and to detect one as RFC 5227 does, from 0.0.0.0
	replies      string   // its output after three replies
	taken, free  int      // its exit status when the detected address is in use, and when it is free
}

// arpings are the programs, by a word of their output for -h.
var arpings = map[string]arping{
	"Thomas Habets": {
		ping:    []string{"-c", "3", "-W", "0.1", "-i", "tap0"},
		detect:  []string{"-0", "-c", "2", "-w", "3", "-i", "tap0"},
		replies: "3 packets received", taken: 0, free: 1,
	},
	"Usage:": { // of iputils
		ping:    []string{"-c", "3", "-I", "tap0"},
		detect:  []string{"-D", "-c", "2", "-w", "3", "-I", "tap0"},
		replies: "Received 3 response(s)", taken: 1, free: 0,
	},
}

// installedARPing is the installed one.
func installedARPing(t *testing.T) arping {
	t.Helper()
	out, _ := run(t, command(t, "arping", "-h"))
	for word, a := range arpings {
		if strings.Contains(out, word) {
			return a
		}
	}
	require.FailNow(t, "neither iputils' nor Habets' arping", out)
	return arping{}
}

func TestARPing(t *testing.T) {
	a := installedARPing(t)
	up(t, kinds["tap"]...)
	require.Contains(t, succeed(t, "arping", append(a.ping, stackIP)...), a.replies)
}

// Duplicate address detection: the stack defends its own address only.
func TestARPingDuplicate(t *testing.T) {
	a := installedARPing(t)
	up(t, kinds["tap"]...)
	detect := func(address string) (out string, status int) {
		return run(t, command(t, "arping", append(a.detect, address)...))
	}
	out, status := detect(stackIP)
	require.Equal(t, a.taken, status, "the address is taken: %s", out)
	out, status = detect("10.0.0.3")
	require.Equal(t, a.free, status, "the address is free: %s", out)
}
