package socketapi

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Dial to several addresses takes the first that answers, and cancels the other attempts.
func TestHappyEyeballs(t *testing.T) { // SOCK6-030, SOCK6-031
	const dead6, dead4, live6, live4 = "[2001:db8::9]:7", "10.0.0.9:7", "[2001:db8::2]:7", "10.0.0.2:7"
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
				var addrs []netip.AddrPort
				for _, text := range c.addrs {
					addrs = append(addrs, ap(text))
				}
				n, err := parseNetwork("tcp")
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()
				conn, err := a.race(ctx, n, addrs)
				require.Equal(t, c.after, time.Since(start))
				open := 0
				if c.want == "" {
					require.ErrorIs(t, err, c.err)
				} else {
					require.NoError(t, err)
					require.Equal(t, c.want, conn.RemoteAddr().String())
					open = 1
				}
				require.Len(t, a.Stack.Sockets(), open, "the losers have ended")
				if conn != nil {
					require.NoError(t, conn.Close())
				}
			})
		})
	}
}

func TestInterleavedFamilies(t *testing.T) { // SOCK6-030
	var addrs, want []netip.AddrPort
	for _, text := range []string{"[2001:db8::1]:7", "[2001:db8::2]:7", "[2001:db8::3]:7", "10.0.0.1:7", "10.0.0.2:7"} {
		addrs = append(addrs, ap(text))
	}
	for _, i := range []int{0, 3, 1, 4, 2} {
		want = append(want, addrs[i])
	}
	require.Equal(t, want, interleaved(addrs))
	require.Equal(t, addrs[:2], interleaved(addrs[:2]))
}
