package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Wrong command lines of dig and host have the statuses of those programs.
func TestDigMisused(t *testing.T) {
	startLoopback(t)
	for _, c := range []struct {
		line    string
		status  int
		message string
	}{
		{"dig @127.0.0.1 +bogus", 1, "+bogus: no such option"},
		{"dig @127.0.0.1 x y", 1, "y: one name at a time; the first is x."},
		{"dig @127.0.0.1 -t bogus a", 1, "-t bogus: not a type of records"},
		{"dig @127.0.0.1 -x 10.0.0", 1, "-x 10.0.0: not an address"},
		{"dig @127.0.0.1 --bogus", 1, "unknown flag: --bogus"},
		{"dig -4 @::1 a", 1, "::1: not an address of IPv4"},
		{"dig @nosuch.invalid a", 1, "couldn't get address for 'nosuch.invalid': "},
		{"dig @127.0.0.1 a..b", 10, "'a..b' is not a legal name"},
		{"host", 1, "usage: tunstack host NAME|ADDR [TYPE] [SERVER]"},
		{"host a b c d", 1, "usage: tunstack host NAME|ADDR [TYPE] [SERVER]"},
		{"host -t bogus a 127.0.0.1", 2, "invalid type: bogus"},
		{"host a bogus 127.0.0.1", 2, "bogus: not a type of records"},
		{"host -W 0 a", 2, "-W must be more than 0 s"},
		{"host -R -1 a", 2, "-R -1: it must be at least 0"},
	} {
		requireOneLine(t, tunstack("", strings.Fields(c.line)...), c.status, c.message)
	}
}

// dig and host ask over the sockets of the running stack, here its own name server.
func TestDigAndHost(t *testing.T) {
	startLoopback(t)
	for line, want := range map[string]result{
		"dig @127.0.0.1 localhost +short":       {0, "127.0.0.1\n", ""},
		"dig @::1 localhost AAAA +short +tcp":   {0, "::1\n", ""},
		"dig -4 @localhost localhost +short":    {0, "127.0.0.1\n", ""},
		"host localhost 127.0.0.1":              {0, "Using domain server:\nName: 127.0.0.1\nAddress: 127.0.0.1#53\nAliases: \n\nlocalhost has address 127.0.0.1\nlocalhost has IPv6 address ::1\n", ""},
		"host localhost MX 127.0.0.1":           {0, "Using domain server:\nName: 127.0.0.1\nAddress: 127.0.0.1#53\nAliases: \n\nlocalhost has no MX record\n", ""},
		"host example.com 127.0.0.1":            {1, "Using domain server:\nName: 127.0.0.1\nAddress: 127.0.0.1#53\nAliases: \n\nHost example.com not found: 5(REFUSED)\n", ""},
		"dig @127.0.0.1 -p 9 a +tries=1 +noall": {9, ";; communications error to 127.0.0.1#9: timed out\n\n;; no servers could be reached\n", ""},
		"dig @127.0.0.1 -p 8 a +tries=1 +noall": {9, ";; communications error to 127.0.0.1#8: connection refused\n\n;; no servers could be reached\n", ""},
		"host -W 0.1 -R 0 -p 8 a 127.0.0.1":     {1, ";; communications error to 127.0.0.1#8: connection refused\n;; no servers could be reached\n", ""},
	} {
		if strings.Contains(line, "-p 9") {
			line += " +timeout=1"
		}
		require.Equal(t, want, tunstack("", strings.Fields(line)...), line)
	}
}
