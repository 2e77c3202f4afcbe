package socketapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// connPair is both ends of a connection between two stacks over a wire, in real time.
func connPair(t *testing.T) (client, server *TCPConn) {
	t.Helper()
	a, b := pair(t, nil)
	l, err := b.Stack.Listen("tcp", ":7")
	require.NoError(t, err)
	c, err := a.Dial("tcp", "10.0.0.2:7")
	require.NoError(t, err)
	s, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return c.(*TCPConn), s.(*TCPConn)
}

func TestNettest(t *testing.T) {
	for name, cfg := range map[string]struct {
		kind     tun.Kind
		features packet.Features
	}{
		"plain":   {tun.TUN, packet.Features{}},
		"offload": {tun.TUN, packet.Features{Checksum: true, TSO: 65535}},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := tun.Pipe(1500, cfg.kind, cfg.features)
			a, b := newHost(t, device(one, addrA)), newHost(t, device(two, addrB))
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				l, err := b.Stack.Listen("tcp", ":0")
				if err != nil {
					return nil, nil, nil, err
				}
				defer l.Close()
				c, err := a.Dial("tcp", net.JoinHostPort("10.0.0.2", portOf(l.Addr())))
				if err != nil {
					return nil, nil, nil, err
				}
				s, err := l.Accept()
				return c, s, func() { c.Close(); s.Close() }, err
			})
		})
	}
}

func TestNettestLoopback(t *testing.T) {
	h := alone(t)
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		l, err := h.Stack.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		defer l.Close()
		c, err := h.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, nil, nil, err
		}
		s, err := l.Accept()
		return c, s, func() { c.Close(); s.Close() }, err
	})
}

func TestTCPConn(t *testing.T) { // SOCK-008, SOCK-023, SOCK-024
	c, s := connPair(t)
	require.Equal(t, "10.0.0.2:7", c.RemoteAddr().String())
	require.Equal(t, c.LocalAddr(), s.RemoteAddr())
	require.Equal(t, c.RemoteAddr(), s.LocalAddr())
	var v int
	_, err := c.so.stack.Berkeley().GetSockOpt(c.Descriptor(), IPPROTO_TCP, TCP_NODELAY, &v)
	require.NoError(t, err)
	require.Equal(t, 1, v, "as package net has it")

	data := bytes.Repeat([]byte("0123456789"), 200000)
	go func() {
		_, _ = c.Write(data)
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(s)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	_, err = c.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	_, err = s.Write([]byte("bye"))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	got, err = io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "bye", string(got))
	n, err := c.Read(nil)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestTCPConnSettings(t *testing.T) {
	c, s := connPair(t)
	require.NoError(t, c.SetNoDelay(false))
	require.NoError(t, c.SetKeepAlive(true))
	require.NoError(t, c.SetKeepAlivePeriod(1500*time.Millisecond))
	require.NoError(t, c.SetReadBuffer(10000))
	require.NoError(t, c.SetWriteBuffer(20000))
	p := c.so.tcp().Params()
	require.False(t, p.NoDelay)
	require.True(t, p.KeepAlive)
	require.Equal(t, []time.Duration{2 * time.Second, 2 * time.Second}, []time.Duration{p.KeepIdle, p.KeepIntvl})
	require.Equal(t, []int{10000, 20000}, []int{p.RcvBuf, p.SndBuf})
	require.ErrorIs(t, c.SetKeepAlivePeriod(0), syscall.EINVAL)

	require.NoError(t, s.CloseRead())
	_, err := s.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	require.NoError(t, c.SetLinger(0)) // SOCK-027
	require.NoError(t, c.Close())
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, c.SetNoDelay(true), net.ErrClosed)
	require.ErrorIs(t, c.CloseWrite(), net.ErrClosed)
	for err == nil || errors.Is(err, net.ErrClosed) {
		_, err = s.Write([]byte("x"))
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.Equal(t, os.NewSyscallError("write", syscall.ECONNRESET), op.Err)
}

func TestDialFails(t *testing.T) { // SOCK-010
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t, nil)
		_, err := a.Dial("tcp", "10.0.0.2:9")
		require.EqualError(t, err, "dial tcp 10.0.0.2:9: connect: connection refused")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)

		_, err = a.Dial("tcp", "10.0.0.99:9")
		require.ErrorIs(t, err, syscall.ETIMEDOUT)

		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err = a.DialContext(ctx, "tcp", "10.0.0.99:9")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var ne net.Error
		require.True(t, errors.As(err, &ne) && ne.Timeout())
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Empty(t, a.Sockets())
	})
}

func TestListenerFails(t *testing.T) { // SOCK-001, SOCK-029
	synctest.Test(t, func(t *testing.T) {
		h := alone(t)
		l, err := h.Stack.Listen("tcp", ":7")
		require.NoError(t, err)
		_, err = h.Stack.Listen("tcp", "127.0.0.1:7")
		require.EqualError(t, err, "listen tcp 127.0.0.1:7: bind: address already in use")
		require.NoError(t, l.(*TCPListener).SetDeadline(time.Now().Add(time.Second)))
		_, err = l.Accept()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, l.(*TCPListener).SetDeadline(time.Time{}))
		result := make(chan error)
		go func() {
			_, err := l.Accept()
			result <- err
		}()
		synctest.Wait()
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-result, net.ErrClosed)
	})
}

func TestWritesStayTogether(t *testing.T) {
	c, s := connPair(t)
	const size, writers = 300000, 4
	for i := range writers {
		go func() { _, _ = c.Write(bytes.Repeat([]byte{byte('a' + i)}, size)) }()
	}
	got := make([]byte, writers*size)
	_, err := io.ReadFull(s, got)
	require.NoError(t, err)
	for i := range writers {
		block := got[i*size : (i+1)*size]
		require.Equal(t, size, bytes.Count(block, block[:1]))
	}
}
