package link

import (
	"encoding/binary"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

// payloads returns the payloads written to a queue, in order.
func (d *device) payloads(queue int) (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sent {
		if s.queue == queue {
			all = append(all, string(s.data[20:]))
		}
	}
	return all
}

func TestCork(t *testing.T) {
	dev := &device{}
	l := NewTun(dev)
	send := func(queue uint16, payload string) {
		lent := []byte(payload)
		p := datagram(myIP, hostIP, "")
		p.Queue = queue
		p.Borrow([2][]byte{lent})
		require.NoError(t, l.Output(0, p, hostIP))
		clear(lent) // the sender reuses them
	}
	l.Cork(0)
	send(0, "a")
	send(0, "b")
	send(1, "c")
	require.Empty(t, dev.payloads(0))
	require.Equal(t, []string{"c"}, dev.payloads(1), "the other queue is not corked")

	long := strings.Repeat("d", 1500)
	send(0, long)
	require.Equal(t, []string{"a", "b", long}, dev.payloads(0), "a long packet neither waits nor overtakes")
	send(0, "e")
	require.Len(t, dev.payloads(0), 3)
	l.Uncork(0)
	send(0, "f")
	require.Equal(t, []string{"e", "f"}, dev.payloads(0)[3:])

	dev.sent = nil
	l.Cork(0)
	for range 65 {
		send(0, "g")
	}
	require.Len(t, dev.payloads(0), 65, "more than 64 do not wait")
	require.EqualValues(t, 71, stats.Count("link.out.packets", l.Stats()))

	dev.err = syscall.ENOBUFS
	send(0, "h")
	require.Zero(t, stats.Count("link.drop.device", l.Stats()))
	l.Uncork(0)
	require.EqualValues(t, 1, stats.Count("link.drop.device", l.Stats()))
}

// Packets sent meanwhile keep their order, and none is lost.
func TestCorkKeepsOrder(t *testing.T) {
	const senders, each = 4, 2000
	dev := &device{}
	l := NewTun(dev)
	var running sync.WaitGroup
	for sender := range senders {
		running.Go(func() {
			for i := range each {
				size := 8
				if i%7 == 0 {
					size = 2000
				}
				b := make([]byte, size)
				binary.BigEndian.PutUint32(b, uint32(sender))
				binary.BigEndian.PutUint32(b[4:], uint32(i))
				_ = l.Output(0, packet.From(append(make([]byte, 20), b...)), hostIP)
			}
		})
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				l.Cork(0)
				l.Uncork(0)
			}
		}
	}()
	running.Wait()
	close(stop)
	<-stopped
	var next [senders]uint32
	for _, s := range dev.payloads(0) {
		sender := binary.BigEndian.Uint32([]byte(s))
		require.Equal(t, next[sender], binary.BigEndian.Uint32([]byte(s[4:])))
		next[sender]++
	}
	require.Equal(t, [senders]uint32{each, each, each, each}, next)
}
