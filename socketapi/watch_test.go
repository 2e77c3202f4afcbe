package socketapi

import (
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/poll"
)

// collector collects the bytes that a Watch receives.
type collector struct {
	watch *Watch

	mu   sync.Mutex
	room int // bytes that it takes
	text strings.Builder
	end  error // of the stream
	runs int
}

// run is the function of the watch.
func (w *collector) run() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs++
	err := w.watch.Receive(func(b []byte) (int, error) {
		n := min(w.room, len(b))
		w.text.Write(b[:n])
		if w.room -= n; n < len(b) {
			return n, syscall.ENOBUFS
		}
		return n, nil
	})
	if err != syscall.EAGAIN && err != syscall.ENOBUFS {
		w.end = err
	}
}

// allow makes room for more bytes.
func (w *collector) allow(n int) {
	w.mu.Lock()
	w.room += n
	w.mu.Unlock()
	w.watch.Run()
	synctest.Wait()
}

// requireGot requires the bytes so far, and the end of the stream.
func (w *collector) requireGot(t *testing.T, text string, end error) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Equal(t, text, w.text.String())
	require.Equal(t, end, w.end)
}

// watching gives a test a connection: a client, and a watched server that takes some bytes.
func watching(t *testing.T, room int, test func(t *testing.T, h host, client, server int, w *collector)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := alone(t)
		l := h.bound(SOCK_STREAM, "127.0.0.1:7")
		require.NoError(t, h.Berkeley.Listen(l, 5))
		client := h.socket(SOCK_STREAM, 0)
		require.NoError(t, h.Connect(client, ap("127.0.0.1:7")))
		server, _, err := h.Accept(l)
		require.NoError(t, err)
		w := &collector{room: room}
		w.watch, err = h.Watch(server, poll.In|poll.RdHup, w.run)
		require.NoError(t, err)
		test(t, h, client, server, w)
		h.Stack.Close()
	})
}

// A watch receives what arrives without a goroutine that waits, and the end.
func TestWatch(t *testing.T) {
	watching(t, 1000, func(t *testing.T, h host, client, _ int, w *collector) {
		for _, text := range []string{"hello", "world"} {
			_, err := h.Send(client, []byte(text), 0)
			require.NoError(t, err)
			synctest.Wait()
		}
		w.requireGot(t, "helloworld", nil)
		require.NoError(t, h.Berkeley.Close(client))
		w.requireGot(t, "helloworld", io.EOF)
	})
}

// Bytes that the function does not take wait for the next call.
func TestWatchWithoutRoom(t *testing.T) {
	watching(t, 3, func(t *testing.T, h host, client, _ int, w *collector) {
		_, err := h.Send(client, []byte("hello"), 0)
		require.NoError(t, err)
		w.requireGot(t, "hel", nil)
		w.allow(1)
		w.requireGot(t, "hell", nil)
		require.NoError(t, h.Berkeley.Close(client))
		w.requireGot(t, "hell", nil)
		w.allow(10)
		w.requireGot(t, "hello", io.EOF)
	})
}

// A reset is the error of Receive.
func TestWatchReset(t *testing.T) {
	watching(t, 1000, func(t *testing.T, h host, client, _ int, w *collector) {
		require.NoError(t, h.SetSockOpt(client, SOL_SOCKET, SO_LINGER, Linger{Onoff: 1}))
		require.NoError(t, h.Berkeley.Close(client))
		w.requireGot(t, "", syscall.ECONNRESET)
	})
}

// After Stop the function is not called, and of a closed socket Receive says so.
func TestWatchStops(t *testing.T) {
	watching(t, 1000, func(t *testing.T, h host, client, server int, w *collector) {
		require.NoError(t, h.Berkeley.Close(server))
		w.allow(0)
		w.requireGot(t, "", syscall.EBADF)
		w.watch.Stop()
		runs := w.runs
		_, _ = h.Send(client, []byte("hello"), MSG_NOSIGNAL) // the answer is a reset
		time.Sleep(time.Second)
		w.requireGot(t, "", syscall.EBADF)
		require.Equal(t, runs, w.runs)
	})
}

// Only streams have bytes to receive, and only open sockets can be collector.
func TestWatchErrors(t *testing.T) {
	h := alone(t)
	w, err := h.Watch(h.socket(SOCK_DGRAM, 0), poll.In, func() {})
	require.NoError(t, err)
	require.Equal(t, syscall.EOPNOTSUPP, w.Receive(nil))
	_, err = h.Watch(99, poll.In, func() {})
	require.Equal(t, syscall.EBADF, err)
}
