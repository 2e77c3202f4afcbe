package socketapi

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pattern is size pseudo-random bytes, so that misplaced bytes show.
func pattern(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// copied is the result of an io.Copy.
type copied struct {
	n   int64
	err error
}

// splicing copies from one connection to another in the background.
func splicing(to, from *TCPConn) <-chan copied {
	done := make(chan copied, 1)
	go func() {
		n, err := io.Copy(to, from)
		done <- copied{n, err}
	}()
	return done
}

// proxied is a client and a server with a stack between them, which splices the client's bytes from in to out.
func proxied(t *testing.T) (client, in, out, server *TCPConn) {
	a, b := pair(t, nil)
	l, err := b.Stack.Listen("tcp", ":7")
	require.NoError(t, err)
	back, err := a.Stack.Listen("tcp", ":7")
	require.NoError(t, err)
	join := func(h host, to string, l net.Listener) (*TCPConn, *TCPConn) {
		c, err := h.Dial("tcp", to)
		require.NoError(t, err)
		s, err := l.Accept()
		require.NoError(t, err)
		return c.(*TCPConn), s.(*TCPConn)
	}
	client, in = join(a, "10.0.0.2:7", l)
	out, server = join(b, "10.0.0.1:7", back)
	return client, in, out, server
}

func TestSpliceEcho(t *testing.T) {
	client, server := connPair(t)
	data := pattern(8 << 20)
	done := splicing(server, server)
	go func() {
		for rest := data; len(rest) > 0; {
			n, _ := client.Write(rest[:min(len(rest), 1+rand.IntN(300_000))])
			rest = rest[n:]
		}
		client.CloseWrite()
	}()
	got := make([]byte, len(data))
	_, err := io.ReadFull(client, got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	require.Equal(t, copied{int64(len(data)), nil}, <-done)
	require.GreaterOrEqual(t, server.Transferred(), uint64(len(data)), "and what of the echo is acknowledged already")
}

// A reader that does not read blocks the writer through both connections, and no byte is lost.
func TestSpliceToSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, in, out, server := proxied(t)
		data := pattern(40 << 20) // more than four buffers
		done := splicing(out, in)
		written := make(chan error, 1)
		go func() {
			_, err := client.Write(data)
			client.CloseWrite()
			written <- err
		}()
		synctest.Wait()
		require.Empty(t, written, "the reader has not read")
		got := make([]byte, len(data))
		_, err := io.ReadFull(server, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		require.NoError(t, <-written)
		require.Equal(t, copied{int64(len(data)), nil}, <-done)
	})
}

// A Write to the other connection at the same time keeps its bytes together.
func TestSpliceBesideWrite(t *testing.T) {
	client, in, out, server := proxied(t)
	const size, writes = 300_000, 20
	done := splicing(out, in)
	go func() {
		_, _ = client.Write(make([]byte, writes*size))
		client.CloseWrite()
	}()
	go func() {
		for range writes {
			_, _ = out.Write(bytes.Repeat([]byte{1}, size))
		}
	}()
	got := make([]byte, 2*writes*size)
	_, err := io.ReadFull(server, got)
	require.NoError(t, err)
	require.NoError(t, (<-done).err)
	for len(got) > 0 {
		ones := got[max(bytes.IndexByte(got, 1), 0):]
		if ones[0] == 0 {
			break
		}
		n := bytes.IndexByte(ones, 0)
		if n < 0 {
			n = len(ones)
		}
		require.Zero(t, n%size)
		got = ones[n:]
	}
}

// However many bytes arrive during a Write, one goroutine waits for its end.
func TestSpliceWaitsOnceForWrite(t *testing.T) {
	client, in, out, server := proxied(t)
	written := make(chan error, 1)
	const size = 64 << 20
	go func() {
		_, err := out.Write(make([]byte, size))
		written <- err
	}()
	for out.writing.TryLock() { // until the Write has begun
		out.writing.Unlock()
		runtime.Gosched()
	}
	done := splicing(out, in)
	before := runtime.NumGoroutine()
	for i := range 100 {
		_, err := client.Write([]byte("x"))
		require.NoError(t, err)
		for in.Transferred() <= uint64(i) {
			runtime.Gosched()
		}
	}
	require.Less(t, runtime.NumGoroutine(), before+10)
	_ = client.CloseWrite()
	_, err := io.CopyN(io.Discard, server, size)
	require.NoError(t, err)
	require.NoError(t, <-written)
	got := make([]byte, 100)
	_, err = io.ReadFull(server, got)
	require.NoError(t, err)
	require.Equal(t, copied{100, nil}, <-done)
}

// A deadline, a Close and a reset of the reading connection end a splice.
func TestSpliceEndsWithReader(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(client, in *TCPConn)
		want error
	}{
		"deadline": {func(_, in *TCPConn) { _ = in.SetReadDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
		"close":    {func(_, in *TCPConn) { _ = in.Close() }, net.ErrClosed},
		"reset": {func(client, _ *TCPConn) {
			_ = client.SetLinger(0)
			_ = client.Close()
		}, syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, in, out, _ := proxied(t)
				done := splicing(out, in)
				synctest.Wait()
				tt.end(client, in)
				c := <-done
				require.ErrorIs(t, c.err, tt.want)
				require.Equal(t, "read", c.err.(*net.OpError).Op)
			})
		})
	}
}

// A deadline, a Close and a reset of the written connection end it too, once there are bytes to write.
func TestSpliceEndsWithWriter(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(out, server *TCPConn)
		want error
	}{
		"deadline":      {func(out, _ *TCPConn) { _ = out.SetWriteDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
		"past deadline": {func(out, _ *TCPConn) { _ = out.SetWriteDeadline(time.Now().Add(-time.Hour)) }, os.ErrDeadlineExceeded},
		"close":         {func(out, _ *TCPConn) { _ = out.Close() }, net.ErrClosed},
		"shutdown":      {func(out, _ *TCPConn) { _ = out.CloseWrite() }, syscall.EPIPE},
		"reset": {func(_, server *TCPConn) {
			_ = server.SetLinger(0)
			_ = server.Close()
		}, syscall.ECONNRESET},
	} {
		for _, before := range []bool{false, true} { // the bytes come before what ends it, and fill the way, or after
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client, in, out, server := proxied(t)
					done := splicing(out, in)
					full := func() {
						go func() { _, _ = client.Write(make([]byte, 64<<20)) }()
						synctest.Wait()
					}
					if before {
						full()
					}
					tt.end(out, server)
					time.Sleep(time.Second)
					if !before {
						full()
					}
					c := <-done
					require.ErrorIs(t, c.err, tt.want)
					require.Equal(t, "write", c.err.(*net.OpError).Op)
				})
			})
		}
	}
}

// A splice leaves neither a waiter nor a packet behind.
func TestSpliceLeavesNothing(t *testing.T) {
	client, in, out, server := proxied(t)
	for range 3 {
		done := splicing(out, in)
		_, err := client.Write([]byte("bytes"))
		require.NoError(t, err)
		b := make([]byte, 5)
		_, err = io.ReadFull(server, b)
		require.NoError(t, err)
		require.NoError(t, in.SetReadDeadline(time.Now()))
		require.Equal(t, int64(5), (<-done).n)
		require.NoError(t, in.SetReadDeadline(time.Time{}))
	}
	_, err := client.Write([]byte("after"))
	require.NoError(t, err)
	b := make([]byte, 5)
	_, err = io.ReadFull(in, b)
	require.NoError(t, err)
	require.Equal(t, "after", string(b))
}

// SO_RCVTIMEO is counted from the last byte, with and without a splice.
func TestSpliceWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, in, out, _ := proxied(t)
		require.NoError(t, in.setOption(SOL_SOCKET, SO_RCVTIMEO, Timeval{Sec: 1}))
		for _, w := range []io.Writer{out, io.Discard} {
			begin := time.Now()
			go func() {
				for range 3 {
					_, _ = client.Write([]byte("x"))
					time.Sleep(700 * time.Millisecond)
				}
			}()
			_, err := in.WriteTo(w)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.InDelta(t, 2400*time.Millisecond, time.Since(begin), float64(100*time.Millisecond))
		}
	})
}
