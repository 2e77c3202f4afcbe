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
	s := newSeats(limits{total: 3, source: 2})
	a, b, c := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.4")
	require.True(t, s.take(a))
	require.True(t, s.take(a))
	require.False(t, s.take(a), "its share is taken")
	require.True(t, s.take(b))
	require.False(t, s.take(c), "all are taken")
	s.leave(a)
	require.True(t, s.take(c))
	for _, from := range []netip.Addr{a, b, c} {
		s.leave(from)
	}
	require.Empty(t, s.sources)
	require.Zero(t, s.taken)
}

// The addresses of one /64 of IPv6 count together, an IPv4-mapped address counts as the IPv4 address.
func TestSeatsOfNetworks(t *testing.T) {
	s := newSeats(limits{total: 9, source: 1})
	for _, tt := range []struct {
		from string
		ok   bool
	}{
		{"2001:db8::1", true}, {"2001:db8::2", false}, {"2001:db8:0:1::1", true}, {"fe80::1%tun0", true}, {"fe80::1%tun1", false},
		{"10.0.0.1", true}, {"::ffff:10.0.0.1", false}, {"::ffff:10.0.0.2", true},
	} {
		require.Equal(t, tt.ok, s.take(netip.MustParseAddr(tt.from)), tt.from)
	}
	s.leave(netip.MustParseAddr("2001:db8::3"))
	require.True(t, s.take(netip.MustParseAddr("2001:db8::2")))
}

// SEC-050: a service resets a connection beyond its limits, and accepts the next when one has ended.
func TestClientsAreBounded(t *testing.T) {
	s, err := socketapi.New(socketapi.Config{})
	require.NoError(t, err)
	defer s.Close()
	l, err := s.Listen("tcp", ":7")
	require.NoError(t, err)
	done := make(chan bool)
	go func() {
		eachConn(limits{total: 2, source: 2, idle: time.Hour}, echo)(l)
		close(done)
	}()
	dial := func() net.Conn {
		c, err := s.Dial("tcp", "127.0.0.1:7")
		require.NoError(t, err)
		return c
	}
	echoes := func(c net.Conn) error {
		_, err := c.Write([]byte("x"))
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
		}
		return err
	}
	// The reset of a connection beyond the limit may arrive before Dial returns, or after.
	another := func() error {
		c, err := s.Dial("tcp", "127.0.0.1:7")
		if err != nil {
			return err
		}
		return echoes(c)
	}
	one, two := dial(), dial()
	require.NoError(t, echoes(one))
	require.NoError(t, echoes(two))
	require.ErrorIs(t, another(), syscall.ECONNRESET)
	one.Close()
	require.Eventually(t, func() bool { return another() == nil }, waitTime, tick)
	require.NoError(t, echoes(two))
	l.Close()
	<-done
}
