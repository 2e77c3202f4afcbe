package socketapi

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUDPConn(t *testing.T) {
	h := alone(t)
	server, err := h.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	client, err := h.Dial("udp4", server.LocalAddr().String())
	require.NoError(t, err)
	require.Equal(t, server.LocalAddr(), client.RemoteAddr())

	_, err = client.Write([]byte("hello"))
	require.NoError(t, err)
	b := make([]byte, 10)
	n, from, err := server.ReadFrom(b)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b[:n]))
	require.Equal(t, client.LocalAddr(), from)

	_, err = server.WriteTo([]byte("bye"), from)
	require.NoError(t, err)
	n, err = client.Read(b)
	require.NoError(t, err)
	require.Equal(t, "bye", string(b[:n]))

	_, err = client.(*PacketConn).WriteTo([]byte("x"), from)
	require.ErrorIs(t, err, net.ErrWriteToConnected)
	_, err = server.(*PacketConn).Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EDESTADDRREQ)
	_, err = server.WriteTo([]byte("x"), nil)
	require.ErrorIs(t, err, syscall.EINVAL)
	_, err = server.WriteTo([]byte("x"), &net.IPAddr{})
	require.ErrorIs(t, err, syscall.EINVAL)
	require.Nil(t, server.(*PacketConn).RemoteAddr())
	require.NoError(t, server.(*PacketConn).SetReadBuffer(1<<20))

	require.NoError(t, server.Close())
	_, err = client.Write([]byte("nobody home"))
	require.NoError(t, err)
	_, err = client.Read(b)
	require.ErrorIs(t, err, syscall.ECONNREFUSED) // UDP-007
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.Equal(t, []any{"read", "udp4", client.LocalAddr(), client.RemoteAddr()}, []any{op.Op, op.Net, op.Source, op.Addr})
	require.Equal(t, os.NewSyscallError("read", syscall.ECONNREFUSED), op.Err)
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := alone(t)
		c, err := h.ListenPacket("udp", ":0")
		require.NoError(t, err)
		read := func() error {
			_, _, err := c.ReadFrom(make([]byte, 10))
			return err
		}
		requireTimeout := func(err error) {
			t.Helper()
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			var ne net.Error
			require.True(t, errors.As(err, &ne) && ne.Timeout())
		}
		start := time.Now()
		require.NoError(t, c.SetReadDeadline(start.Add(time.Second)))
		requireTimeout(read())
		require.Equal(t, time.Second, time.Since(start))

		_, err = c.WriteTo([]byte("x"), c.LocalAddr().(*net.UDPAddr))
		require.NoError(t, err)
		requireTimeout(read()) // also with something to read
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		require.NoError(t, read())

		result := make(chan error)
		go func() { result <- read() }()
		synctest.Wait()
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Hour))) // also moves the deadline of a blocked call
		synctest.Wait()
		require.NoError(t, c.SetDeadline(time.Unix(0, 0)))
		requireTimeout(<-result)
		require.NoError(t, c.SetDeadline(time.Unix(1<<40, 0)))

		go func() { result <- read() }()
		synctest.Wait()
		require.NoError(t, c.Close())
		require.ErrorIs(t, <-result, net.ErrClosed)
		require.ErrorIs(t, c.Close(), net.ErrClosed)
		require.ErrorIs(t, c.SetDeadline(time.Time{}), net.ErrClosed)
		_, err = c.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7})
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestNetworkErrors(t *testing.T) {
	h := alone(t)
	for _, name := range []string{"", "tcp46", "tcp64", "udp5", "ip", "tcp:6", "ip4:nonsense", "ip4:0", "ip4:256", "unix"} {
		_, err := h.Dial(name, "127.0.0.1:7")
		require.ErrorIs(t, err, net.UnknownNetworkError(name))
	}
	_, err := h.Stack.Listen("udp", ":0")
	require.ErrorIs(t, err, net.UnknownNetworkError("udp"))
	_, err = h.ListenPacket("tcp", ":0")
	require.ErrorIs(t, err, net.UnknownNetworkError("tcp"))

	var dns *net.DNSError
	_, err = h.Dial("udp", "nobody.invalid:7")
	require.True(t, errors.As(err, &dns) && dns.IsNotFound)
	_, err = h.Dial("udp", "127.0.0.1:nothing")
	require.True(t, errors.As(err, &dns) && dns.Name == "nothing")
	var address *net.AddrError
	_, err = h.Dial("udp4", "[::1]:7")
	require.ErrorAs(t, err, &address)
	_, err = h.Dial("udp", "127.0.0.1")
	require.ErrorAs(t, err, &address)

	_, err = h.Dial("udp", "192.0.2.1:7")
	require.ErrorIs(t, err, syscall.ENETUNREACH)
	require.EqualError(t, err, "dial udp 192.0.2.1:7: connect: network is unreachable")
	_, err = h.ListenPacket("udp", "192.0.2.1:7")
	require.EqualError(t, err, "listen udp 192.0.2.1:7: bind: cannot assign requested address")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = h.DialContext(ctx, "udp", "127.0.0.1:7")
	require.ErrorIs(t, err, context.Canceled)
}
