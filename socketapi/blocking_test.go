package socketapi

import (
	"bytes"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// blockingPair runs f with a connection between two hosts in synctest's time; both sockets block.
func blockingPair(t *testing.T, f func(t *testing.T, a, b host, client, server int)) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		listener := b.bound(SOCK_STREAM, "0.0.0.0:7")
		require.NoError(t, b.Listen(listener, 1))
		client := a.socket(SOCK_STREAM, 0)
		require.NoError(t, a.Connect(client, ap("10.0.0.2:7")))
		server, _, err := b.Accept(listener)
		require.NoError(t, err)
		f(t, a, b, client, server)
	})
}

func TestAcceptBlocks(t *testing.T) { // SOCK-009
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		listener := b.bound(SOCK_STREAM, "0.0.0.0:7")
		require.NoError(t, b.Listen(listener, 1))
		accepted := make(chan error)
		go func() {
			_, _, err := b.Accept(listener)
			accepted <- err
		}()
		synctest.Wait()
		require.NoError(t, a.Connect(a.socket(SOCK_STREAM, 0), ap("10.0.0.2:7")))
		require.NoError(t, <-accepted)
	})
}

func TestConnectTimeout(t *testing.T) { // SOCK-010, SOCK-033
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t, nil)
		fd := a.socket(SOCK_STREAM, 0)
		require.Equal(t, syscall.ETIMEDOUT, a.Connect(fd, ap("10.0.0.99:7")))
		require.Equal(t, syscall.ECONNREFUSED, a.Connect(fd, ap("10.0.0.2:7")), "the socket can be used again")

		a.set(fd, SOL_SOCKET, SO_SNDTIMEO, NewTimeval(time.Second))
		start := time.Now()
		require.Equal(t, syscall.EINPROGRESS, a.Connect(fd, ap("10.0.0.99:7")))
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, syscall.EALREADY, a.Connect(fd, ap("10.0.0.99:7")))
	})
}

func TestSendBlocks(t *testing.T) { // SOCK-016
	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		data := bytes.Repeat([]byte("0123456789"), 2<<20)
		sent := make(chan int)
		go func() {
			n, _ := a.Send(client, data, 0)
			sent <- n
		}()
		synctest.Wait()
		got := make([]byte, len(data))
		n, err := b.Recv(server, got, MSG_WAITALL)
		require.NoError(t, err)
		require.Equal(t, len(data), n)
		require.True(t, bytes.Equal(data, got))
		require.Equal(t, len(data), <-sent)
	})
}

// fill sends until the peer's buffer and the own one are full, and stay so for longer than two window probes are apart: a scaled window
// that reads 0 may still take the bytes of some probes.
func fill(h host, fd int) {
	data := make([]byte, 1<<20)
	for full := 0; full < 2; {
		if _, err := h.Send(fd, data, MSG_DONTWAIT); err == nil {
			full = 0
			continue
		}
		full++
		time.Sleep(3 * time.Minute)
	}
}

func TestSendTimeout(t *testing.T) { // SOCK-033
	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		a.set(client, SOL_SOCKET, SO_SNDTIMEO, NewTimeval(100*time.Millisecond))
		data := make([]byte, 64<<20)
		start := time.Now()
		n, err := a.Send(client, data, 0)
		require.NoError(t, err)
		require.Positive(t, n)
		require.Less(t, n, len(data))
		require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond)
		fill(a, client)
		start = time.Now()
		_, err = a.Send(client, data, 0)
		require.Equal(t, syscall.EAGAIN, err)
		require.Equal(t, 100*time.Millisecond, time.Since(start))
	})
}

func TestWaitAll(t *testing.T) { // SOCK-017, SOCK-020
	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		got := make(chan string)
		for _, flags := range []int{MSG_WAITALL | MSG_PEEK, MSG_WAITALL} {
			go func() {
				s, _ := b.recv(server, 10, flags)
				got <- s
			}()
			synctest.Wait()
			if flags == MSG_WAITALL|MSG_PEEK {
				a.send(client, "01234")
				synctest.Wait()
				a.send(client, "56789")
			}
			require.Equal(t, "0123456789", <-got)
		}
		a.send(client, "short")
		b.receives(server, "short") // without the flag it does not wait

		a.send(client, "part")
		b.set(server, SOL_SOCKET, SO_RCVTIMEO, NewTimeval(time.Second))
		s, err := b.recv(server, 10, MSG_WAITALL)
		require.NoError(t, err)
		require.Equal(t, "part", s)
		_, err = b.recv(server, 10, MSG_WAITALL)
		require.Equal(t, syscall.EAGAIN, err)
	})
}

func TestResetEndsWaitAll(t *testing.T) { // SOCK-019, SOCK-020
	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		got := make(chan string)
		go func() {
			s, _ := b.recv(server, 10, MSG_WAITALL)
			got <- s
		}()
		a.send(client, "part")
		synctest.Wait()
		a.set(client, SOL_SOCKET, SO_LINGER, Linger{1, 0})
		require.NoError(t, a.Close(client))
		require.Equal(t, "part", <-got)
		_, err := b.recv(server, 10, 0)
		require.Equal(t, syscall.ECONNRESET, err, "the error is for the next call")
	})
}

func TestLinger(t *testing.T) { // SOCK-027
	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		a.set(client, SOL_SOCKET, SO_LINGER, Linger{1, 5})
		fill(a, client)
		go func() {
			time.Sleep(2 * time.Second)
			for n := 1; n > 0; {
				n, _ = b.Recv(server, make([]byte, 65536), 0)
			}
		}()
		start := time.Now()
		require.NoError(t, a.Close(client))
		took := time.Since(start)
		require.GreaterOrEqual(t, took, 2*time.Second)
		require.Less(t, took, 5*time.Second)
	})
}

func TestLingerTimeout(t *testing.T) { // SOCK-027
	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		a.set(client, SOL_SOCKET, SO_LINGER, Linger{1, 5})
		fill(a, client)
		start := time.Now()
		require.NoError(t, a.Close(client)) // as on Linux Close returns no error when the time is up
		require.Equal(t, 5*time.Second, time.Since(start))
	})
}

func TestCloseUnblocksStream(t *testing.T) { // SOCK-029
	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		errs := make(chan error)
		go func() {
			_, err := a.recv(client, 1, 0)
			errs <- err
		}()
		go func() {
			_, err := a.Send(client, make([]byte, 64<<20), 0)
			errs <- err
		}()
		synctest.Wait()
		require.NoError(t, a.Close(client))
		err1, err2 := <-errs, <-errs
		require.Contains(t, []error{err1, err2}, syscall.EBADF)
	})
}

func TestStackCloseResets(t *testing.T) {
	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		require.NoError(t, a.Stack.Close())
		_, err := b.recv(server, 1, 0)
		require.Equal(t, syscall.ECONNRESET, err)
	})
}
