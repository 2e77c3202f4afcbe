package services

import (
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
)

// Timeout and interval of a test's wait for a condition that holds at once.
const (
	waitTime = 10 * time.Second
	tick     = time.Millisecond
)

func TestSeats(t *testing.T) {
	s := NewSeats(Limits{Total: 3, Source: 2})
	a, b, c := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.4")
	require.True(t, s.Take(a))
	require.True(t, s.Take(a))
	require.False(t, s.Take(a), "its share is taken")
	require.True(t, s.Take(b))
	require.False(t, s.Take(c), "all are taken")
	s.Leave(a)
	require.True(t, s.Take(c))
	for _, from := range []netip.Addr{a, b, c} {
		s.Leave(from)
	}
	require.Empty(t, s.sources)
	require.Zero(t, s.taken)
}

// The addresses of one /64 of IPv6 count together, an IPv4-mapped address counts as the IPv4 address.
func TestSeatsOfNetworks(t *testing.T) {
	s := NewSeats(Limits{Total: 9, Source: 1})
	for _, tt := range []struct {
		from string
		ok   bool
	}{
		{"2001:db8::1", true}, {"2001:db8::2", false}, {"2001:db8:0:1::1", true}, {"fe80::1%tun0", true}, {"fe80::1%tun1", false},
		{"10.0.0.1", true}, {"::ffff:10.0.0.1", false}, {"::ffff:10.0.0.2", true},
	} {
		require.Equal(t, tt.ok, s.Take(netip.MustParseAddr(tt.from)), tt.from)
	}
	s.Leave(netip.MustParseAddr("2001:db8::3"))
	require.True(t, s.Take(netip.MustParseAddr("2001:db8::2")))
}

// SEC-050: a service resets a connection beyond its limits, and accepts the next when one has ended.
func TestClientsAreBounded(t *testing.T) {
	s := newStack(t)
	requireBounded(t, s, EachConn(Limits{Total: 2, Source: 2, Idle: time.Hour}, echo), 2, func(c net.Conn) error {
		_, err := c.Write([]byte("x"))
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
		}
		return err
	})
}

func newStack(t *testing.T) *socketapi.Stack {
	t.Helper()
	s, err := socketapi.New(socketapi.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// requireBounded requires that a service serves n connections of a client at a time and resets more. use asks for a connection's service.
func requireBounded(t *testing.T, s *socketapi.Stack, serve func(net.Listener), n int, use func(net.Conn) error) {
	t.Helper()
	l, err := s.Listen("tcp", ":7")
	require.NoError(t, err)
	done := make(chan bool)
	go func() {
		serve(l)
		close(done)
	}()
	var conns []net.Conn
	another := func() error {
		c, err := s.Dial("tcp", "127.0.0.1:7")
		if err != nil {
			return err // the reset may arrive before Dial returns, or after
		}
		conns = append(conns, c)
		return use(c)
	}
	for range n {
		require.NoError(t, another())
	}
	require.ErrorIs(t, another(), syscall.ECONNRESET)
	conns[0].Close()
	require.Eventually(t, func() bool { return another() == nil }, waitTime, tick)
	require.NoError(t, use(conns[1]))
	l.Close()
	<-done
}
