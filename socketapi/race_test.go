package socketapi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Dial to a name with several addresses takes the first that answers, and cancels the other attempts.
func TestHappyEyeballs(t *testing.T) { // SOCK6-030, SOCK6-031
	const dead6, dead4, live6, live4 = "2001:db8::9", "10.0.0.9", "2001:db8::2", "10.0.0.2"
	for _, c := range []struct {
		name   string
		listen string // network of the listener, or ""
		addrs  []string
		want   string // the peer, or "" if Dial fails
		after  time.Duration
		err    error
	}{
		{"IPv6 dead, IPv4 live", "tcp", []string{dead6, live4}, live4, attemptDelay, nil},
		{"two dead ones", "tcp", []string{dead6, dead4, live6}, live6, 2 * attemptDelay, nil},
		{"both live", "tcp", []string{live6, live4}, live6, 0, nil},
		{"the first refuses", "tcp4", []string{live6, live4}, live4, 0, nil},
		{"the second refuses, then the third wins", "tcp4", []string{dead6, live6, live4}, live4, attemptDelay, nil},
		{"all refuse", "", []string{live6, live4}, "", 0, syscall.ECONNREFUSED},
		{"the time is over", "", []string{dead6, dead4}, "", 3 * time.Second, context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := dualPair(t)
				if c.listen != "" {
					_, err := b.Stack.Listen(c.listen, ":7")
					require.NoError(t, err)
				}
				var hosts strings.Builder
				for _, text := range c.addrs {
					fmt.Fprintln(&hosts, text, "peer")
				}
				a.knowing(hosts.String(), "")
				a.races(c.want, c.after, c.err)
			})
		})
	}
}

// races dials the name peer, and requires the address of the peer, or an error without one, and the time that it takes.
func (h host) races(want string, after time.Duration, fails error) {
	ctx, cancel := context.WithTimeout(h.t.Context(), 3*time.Second)
	defer cancel()
	start := time.Now()
	conn, err := h.DialContext(ctx, "tcp", "peer:7")
	require.Equal(h.t, after, time.Since(start))
	open := 0
	if want == "" {
		require.ErrorIs(h.t, err, fails)
	} else {
		require.NoError(h.t, err)
		require.Equal(h.t, net.JoinHostPort(want, "7"), conn.RemoteAddr().String())
		open = 1
	}
	synctest.Wait() // for the query that has lost
	require.Len(h.t, h.Stack.Sockets(), open, "the losers have ended")
	if conn != nil {
		require.NoError(h.t, conn.Close())
	}
}

// Attempts begin before all addresses are known: at once to an IPv6 address, and after 50 ms to an IPv4 one.
func TestResolutionDelay(t *testing.T) { // SOCK6-030
	const six, four = "2001:db8::2", "10.0.0.2"
	ms := time.Millisecond
	for _, c := range []struct {
		name    string
		v6, v4  time.Duration // when the answers come
		missing string        // the type of record that the name does not have
		want    string
		after   time.Duration
	}{
		{"both at once", 0, 0, "", six, 0},
		{"IPv6 first", 10 * ms, 900 * ms, "", six, 10 * ms},
		{"IPv6 soon after", 40 * ms, 10 * ms, "", six, 40 * ms},
		{"IPv6 late", 900 * ms, 10 * ms, "", four, 60 * ms},
		{"no IPv6", 30 * ms, 10 * ms, "AAAA", four, 30 * ms},
		{"no IPv4", 30 * ms, 10 * ms, "A", six, 30 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := dualPair(t)
				listener, err := b.Stack.Listen("tcp", ":7")
				require.NoError(t, err)
				defer listener.Close()
				server := b.serveNames("10.0.0.2:53", "peer. AAAA "+six, "peer. A "+four)
				server.forget(c.missing)
				server.delay = map[string]time.Duration{"AAAA": c.v6, "A": c.v4}
				a.asks("10.0.0.2:53")
				a.races(c.want, c.after, nil)
			})
		})
	}
}

func TestInterleavedFamilies(t *testing.T) { // SOCK6-030
	var addrs, want []netip.Addr
	for _, text := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "10.0.0.1", "10.0.0.2"} {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	for _, i := range []int{0, 3, 1, 4, 2} {
		want = append(want, addrs[i])
	}
	require.Equal(t, want, interleaved(addrs))
	require.Equal(t, addrs[:2], interleaved(addrs[:2]))
}
