package dgram

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
)

func (q *Receiver) push(payload string, unit int) bool {
	return q.Push(Datagram{From: netip.MustParseAddrPort("10.0.0.1:7")}, packet.From([]byte(payload)), unit)
}

func (q *Receiver) reads(t *testing.T, want string) {
	t.Helper()
	b := make([]byte, packet.MaxSize)
	n, d, err := q.Recv(b, false)
	require.NoError(t, err)
	require.Equal(t, want, string(b[:n]))
	require.Equal(t, len(want), d.Size)
	require.Equal(t, netip.MustParseAddrPort("10.0.0.1:7"), d.From)
}

// The queue keeps its order while the ring grows and wraps.
func TestOrder(t *testing.T) {
	var q Receiver
	in, out := 0, 0
	for step := range 40 {
		for range 1 + step%7 {
			require.True(t, q.push(fmt.Sprint(in), 0))
			in++
		}
		for range step % 6 {
			if out < in {
				q.reads(t, fmt.Sprint(out))
				out++
			}
		}
	}
	for ; out < in; out++ {
		q.reads(t, fmt.Sprint(out))
	}
	require.Zero(t, q.Used())
	_, _, err := q.Recv(nil, false)
	require.Equal(t, syscall.EAGAIN, err)
}

// The queued bytes never exceed the limit, except for one datagram that is larger than it.
func TestLimit(t *testing.T) {
	var q Receiver
	n := 0
	for q.push("x", 0) {
		n++
	}
	require.InDelta(t, 104, n, 5, "208 KiB of 2 KiB each")
	require.LessOrEqual(t, q.Used(), DefaultLimit)
	require.NoError(t, q.Close())
	require.False(t, q.push("x", 0))
	require.Zero(t, q.Used())

	var small Receiver
	small.SetLimit(1)
	require.True(t, small.push(string(make([]byte, 60000)), 0))
	require.False(t, small.push("", 0))
}

// A queued small datagram does not pin a large buffer.
func TestCompact(t *testing.T) {
	var q Receiver
	p := packet.New(packet.MaxSize)
	copy(p.Extend(5), "small")
	require.True(t, q.Push(Datagram{}, p, 0))
	require.Less(t, q.Used(), 4096)
}

// A super-packet is read piece by piece; a peek shows the same piece again.
func TestUnits(t *testing.T) {
	var q Receiver
	q.push("aabbc", 2)
	b := make([]byte, 10)
	for range 2 {
		n, d, err := q.Recv(b, true)
		require.NoError(t, err)
		require.Equal(t, "aa", string(b[:n]))
		require.Equal(t, 2, d.Size)
	}
	n, d, err := q.Recv(b[:1], false) // cut, and the rest of the piece is gone
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, []int{n, d.Size})
	require.Equal(t, 2, q.Buffered())
	_, d, _ = q.Recv(b, false)
	require.Equal(t, 2, d.Size)
	require.Equal(t, poll.In|poll.Out, q.Ready())
	_, d, _ = q.Recv(b, false)
	require.Equal(t, 1, d.Size)
	require.Equal(t, poll.Out, q.Ready())
	require.Zero(t, q.Used())
}

// The pending error precedes the queued datagrams, and only the first call returns it.
func TestPendingError(t *testing.T) {
	var q Receiver
	w := poll.NewWaiter()
	q.Waiters().Add(w, 0)
	q.Fail(0)
	require.Empty(t, w.C)
	q.push("x", 0)
	q.Fail(syscall.ECONNREFUSED)
	require.Len(t, w.C, 1)
	require.Equal(t, poll.In|poll.Out|poll.Err, q.Ready())
	_, _, err := q.Recv(nil, false)
	require.Equal(t, syscall.ECONNREFUSED, err)
	q.reads(t, "x")
	q.Fail(syscall.EHOSTUNREACH)
	require.Equal(t, syscall.EHOSTUNREACH, q.Sendable())
	require.NoError(t, q.Sendable())
}

// Several writers and readers: every datagram is read once and whole.
func TestConcurrent(t *testing.T) {
	var q Receiver
	q.SetLimit(1 << 30)
	const writers, each = 4, 500
	var work sync.WaitGroup
	var bytes atomic.Int64
	for range writers {
		work.Go(func() {
			for range each {
				q.push("aabbc", 2)
			}
		})
	}
	for range 2 {
		work.Go(func() {
			b := make([]byte, 10)
			for bytes.Load() < writers*each*5 {
				n, d, err := q.Recv(b, false)
				if err == nil && n != d.Size {
					t.Errorf("%d bytes of %d", n, d.Size)
				}
				bytes.Add(int64(n))
			}
		})
	}
	work.Wait()
	require.Zero(t, q.Used())
}
