package link

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
)

// newLoopback returns a loopback whose packets go to input.
func newLoopback(input func(l *Loopback, now time.Duration, p *packet.Buffer)) (*Loopback, *timer.Queue) {
	timers := &timer.Queue{}
	l := NewLoopback(timers)
	l.SetHandler(&handler{input: func(now time.Duration, p *packet.Buffer) { input(l, now, p) }})
	return l, timers
}

func payload(p *packet.Buffer) string { return string(p.Bytes()[20:]) }

// A packet is received within the call, owned, with its Offload, Cast and Queue.
func TestLoopback(t *testing.T) {
	calls := 0
	borrowed := []byte("bc")
	l, _ := newLoopback(func(_ *Loopback, now time.Duration, p *packet.Buffer) {
		calls++
		copy(borrowed, "XX")
		require.Equal(t, 5*time.Second, now)
		require.Equal(t, "abc", payload(p))
		require.Equal(t, packet.ChecksumPartial, p.Offload.Checksum)
		require.Equal(t, packet.Multicast, p.Cast)
		require.EqualValues(t, 3, p.Queue)
		p.Free()
	})
	p := datagram(myIP, myIP, "a")
	p.Borrow([2][]byte{borrowed})
	p.Offload.Checksum, p.Cast, p.Queue = packet.ChecksumPartial, packet.Multicast, 3
	require.NoError(t, l.Output(5*time.Second, p, myIP))
	require.Equal(t, 1, calls)
	require.EqualValues(t, 1, stats.Count("link.in.packets", l.Stats()))
	require.EqualValues(t, 1, stats.Count("link.out.packets", l.Stats()))
	require.Equal(t, 65535, l.MTU())
	require.Equal(t, packet.Features{Checksum: true, TSO: 65535}, l.Features())
}

// Packets sent while one is handled wait for its end, in order: a long exchange is not recursive.
func TestLoopbackDoesNotNest(t *testing.T) {
	depth, deepest := 0, 0
	var got []string
	l, _ := newLoopback(func(l *Loopback, now time.Duration, p *packet.Buffer) {
		depth++
		deepest = max(deepest, depth)
		got = append(got, payload(p))
		if len(got) == 1 {
			for i := range 100 {
				require.NoError(t, l.Output(now, datagram(myIP, myIP, fmt.Sprint(i)), myIP))
			}
		}
		p.Free()
		depth--
	})
	require.NoError(t, l.Output(0, datagram(myIP, myIP, "first"), myIP))
	require.Equal(t, 1, deepest)
	require.Len(t, got, 101)
	require.Equal(t, []string{"first", "0", "1", "2"}, got[:4])
	require.Equal(t, "99", got[100])
}

// An endless exchange does not keep its sender for ever: the timers continue it.
func TestLoopbackBudget(t *testing.T) {
	handled := 0
	l, timers := newLoopback(func(l *Loopback, now time.Duration, p *packet.Buffer) {
		handled++
		require.NoError(t, l.Output(now, p, myIP))
	})
	require.NoError(t, l.Output(time.Second, datagram(myIP, myIP, "for ever"), myIP))
	require.Equal(t, loopbackBudget, handled)
	at, ok := timers.Next()
	require.True(t, ok)
	require.Equal(t, time.Second, at)
	require.NoError(t, l.Output(time.Second, datagram(myIP, myIP, "another"), myIP))
	require.Equal(t, 2*loopbackBudget, handled)
}

// The queue is bounded.
func TestLoopbackBound(t *testing.T) {
	first := true
	l, timers := newLoopback(func(l *Loopback, now time.Duration, p *packet.Buffer) {
		for range 2000 {
			if first {
				require.NoError(t, l.Output(now, datagram(myIP, myIP, "x"), myIP))
			}
		}
		first = false
		p.Free()
	})
	require.NoError(t, l.Output(0, datagram(myIP, myIP, "x"), myIP))
	require.EqualValues(t, 2000-loopbackQueue, stats.Count("link.drop.queue_full", l.Stats()))
	for timers.Len() > 0 {
		timers.Advance(0)
	}
	require.EqualValues(t, 1+loopbackQueue, stats.Count("link.in.packets", l.Stats()))
}

// The time of the call that handles the queue may be older than that of a packet; the handler's time still never goes back.
func TestLoopbackTime(t *testing.T) {
	var times []time.Duration
	l, _ := newLoopback(func(l *Loopback, now time.Duration, p *packet.Buffer) {
		if times = append(times, now); len(times) == 1 {
			require.NoError(t, l.Output(now+5, datagram(myIP, myIP, "later"), myIP))
			require.NoError(t, l.Output(now+3, datagram(myIP, myIP, "earlier"), myIP))
		}
		p.Free()
	})
	require.NoError(t, l.Output(10, datagram(myIP, myIP, "x"), myIP))
	require.Equal(t, []time.Duration{10, 15, 15}, times)
}

// endpoint behaves like a TCP socket: it sends with its lock held, and its input never waits for the lock.
type endpoint struct {
	mu    sync.Mutex
	inbox chan *packet.Buffer
	got   int
}

func (e *endpoint) input(p *packet.Buffer) {
	e.inbox <- p
	if e.mu.TryLock() {
		e.unlock()
	}
}

// unlock empties the backlog first, and checks it again after unlocking.
func (e *endpoint) unlock() {
	for {
		for len(e.inbox) > 0 {
			(<-e.inbox).Free()
			e.got++
		}
		e.mu.Unlock()
		if len(e.inbox) == 0 || !e.mu.TryLock() {
			return
		}
	}
}

// Two endpoints send to each other, and to themselves, from several goroutines with their locks held.
func TestLoopbackWithLocksHeld(t *testing.T) {
	const senders, packets = 4, 500
	ends := []*endpoint{{inbox: make(chan *packet.Buffer, 2*senders*packets)}, {inbox: make(chan *packet.Buffer, 2*senders*packets)}}
	l, timers := newLoopback(func(_ *Loopback, _ time.Duration, p *packet.Buffer) { ends[payload(p)[0]-'0'].input(p) })
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range packets {
				e := ends[s%2]
				e.mu.Lock()
				_ = l.Output(0, datagram(myIP, myIP, "0"), myIP)
				_ = l.Output(0, datagram(myIP, myIP, "1"), myIP)
				e.unlock()
				if i%100 == 0 {
					timers.Advance(0)
				}
			}
		})
	}
	wg.Wait()
	timers.Advance(0)
	got := 0
	for _, e := range ends {
		e.mu.Lock()
		e.unlock()
		got += e.got
	}
	full := int(stats.Count("link.drop.queue_full", l.Stats())) // the goroutine that handles the queue may not run for a while
	require.Equal(t, 2*senders*packets, got+full)
}

func TestLoopbackAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	l, _ := newLoopback(func(_ *Loopback, _ time.Duration, p *packet.Buffer) { p.Free() })
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = l.Output(0, datagram(myIP, myIP, "x"), myIP) }))
}
