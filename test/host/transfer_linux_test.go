package host

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/race"
	"tunstack/socketapi"
	"tunstack/tcp"
)

// total is the number of bytes that a transfer moves each way, over all its connections.
func total() int64 {
	switch {
	case long():
		return 256 << 20
	case race.Enabled: // it is slow, and finds a race in the first MiB or not at all
		return 1 << 20
	}
	return 8 << 20
}

// stream is size bytes without repetition, a different stream for each seed.
func stream(seed byte, size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), size)
}

// duplex is a connection of the kernel or the stack.
type duplex interface {
	net.Conn
	CloseWrite() error
}

// echoed sends a stream over a connection to an echo service, closes its half, and compares the returned bytes by their
// SHA-256.
func echoed(c duplex, seed byte, size int64) error {
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(4 * patience)); err != nil {
		return err
	}
	sent, received := sha256.New(), sha256.New()
	failed := make(chan error, 1)
	go func() {
		_, err := io.Copy(c, io.TeeReader(stream(seed, size), sent))
		failed <- errors.Join(err, c.CloseWrite())
	}()
	n, err := io.Copy(received, c)
	switch err := errors.Join(<-failed, err); {
	case err != nil:
		return fmt.Errorf("after %d of %d bytes: %w", n, size, err)
	case n != size:
		return fmt.Errorf("%d bytes came back of %d", n, size)
	case string(sent.Sum(nil)) != string(received.Sum(nil)):
		return fmt.Errorf("the SHA-256 of %d bytes differs", size)
	}
	return nil
}

// hostDial connects the kernel to a port of the stack.
func hostDial(port int) (duplex, error) {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", stackIP, port), patience)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// stackDial connects a stack to a port of the kernel.
func stackDial(s *socketapi.Stack, port int) (duplex, error) {
	c, err := s.Dial("tcp", fmt.Sprintf("%s:%d", hostIP, port))
	if err != nil {
		return nil, err
	}
	return c.(*socketapi.TCPConn), nil
}

// all runs f for 0 to n-1 at once, and requires every run to succeed.
func all(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	done := make(chan error, n)
	for i := range n {
		go func() { done <- f(i) }()
	}
	var errs []error
	for range n {
		errs = append(errs, <-done)
	}
	require.NoError(t, errors.Join(errs...))
}

// eachPath is every kind of device with small, usual and large MTUs.
func eachPath(t *testing.T, test func(t *testing.T, s *socketapi.Stack)) {
	for _, v := range variants {
		for _, mtu := range []int{576, 1500, 9000} {
			t.Run(fmt.Sprintf("%v/%d", v, mtu), func(t *testing.T) { test(t, newStack(t, v, mtu, tcp.Config{})) })
		}
	}
}

// The kernel is the client of the stack's echo service: much data both ways, over one connection and over eight at once.
func TestEchoTransfer(t *testing.T) {
	eachPath(t, func(t *testing.T, s *socketapi.Stack) {
		for _, n := range []int{1, 8} {
			all(t, n, func(i int) error {
				c, err := hostDial(7)
				if err != nil {
					return err
				}
				return echoed(c, byte(i), total()/int64(n))
			})
		}
	})
}

// The stack is the client of an echo service of the kernel's.
func TestEchoTransferFromStack(t *testing.T) {
	eachPath(t, func(t *testing.T, s *socketapi.Stack) {
		port := hostEcho(t)
		for _, n := range []int{1, 8} {
			all(t, n, func(i int) error {
				c, err := stackDial(s, port)
				if err != nil {
					return err
				}
				return echoed(c, byte(i), total()/int64(n))
			})
		}
	})
}

// hostEcho starts an echo service over the kernel's TCP until the test ends, and returns its port.
func hostEcho(t *testing.T) int {
	t.Helper()
	return hostServe(t, func(c *net.TCPConn) {
		io.Copy(c, c)
		c.Close()
	})
}

// hostServe handles connections to a port of the kernel, each in a goroutine, until the test ends.
func hostServe(t *testing.T, handle func(c *net.TCPConn)) int {
	t.Helper()
	l, err := net.Listen("tcp", hostIP+":0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go handle(c.(*net.TCPConn))
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}
