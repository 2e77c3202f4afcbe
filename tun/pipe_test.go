package tun

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
)

var errTest = errors.New("test")

func TestPipeCarriesBothWays(t *testing.T) {
	a, b := Pipe(1500, TAP, packet.Features{})
	require.Equal(t, TAP, b.Kind())
	require.Equal(t, 1500, b.MTU())
	for _, way := range [][2]Device{{a, b}, {b, a}} {
		from, to := way[0].Queues()[0], way[1].Queues()[0]
		for i := range byte(3) {
			p := packet.From([]byte{i})
			p.Cast, p.Queue = packet.Broadcast, 7
			require.NoError(t, from.Write(p))
		}
		for i := range byte(3) {
			require.NoError(t, to.Wait())
			require.NoError(t, to.Wait(), "Wait twice takes nothing away")
			p, err := to.TryRead()
			require.NoError(t, err)
			require.Equal(t, []byte{i}, p.Bytes())
			require.Equal(t, packet.Unicast, p.Cast)
			require.Zero(t, p.Queue)
		}
		p, err := to.TryRead()
		require.NoError(t, err)
		require.Nil(t, p)
	}
}

func TestPipeOwnsWhatItQueues(t *testing.T) {
	a, b := Pipe(1500, TUN, packet.Features{})
	p := packet.From([]byte("head "))
	payload := []byte("payload")
	p.Borrow([2][]byte{payload[:3], payload[3:]})
	require.NoError(t, a.Queues()[0].Write(p))
	clear(payload)
	got, err := b.Queues()[0].TryRead()
	require.NoError(t, err)
	require.Equal(t, "head payload", string(got.Bytes()))
}

func TestPipeRefuses(t *testing.T) {
	a, b := Pipe(100, TAP, packet.Features{})
	q := a.Queues()[0]
	require.NoError(t, q.Write(packet.From(make([]byte, 114))))
	require.ErrorIs(t, q.Write(packet.From(make([]byte, 115))), syscall.EMSGSIZE)
	for range pipeDepth - 1 {
		require.NoError(t, q.Write(packet.From(make([]byte, 1))))
	}
	require.ErrorIs(t, q.Write(packet.From(make([]byte, 1))), syscall.ENOBUFS)
	require.NoError(t, b.Close())
	require.ErrorIs(t, q.Write(packet.From(make([]byte, 1))), syscall.ENETDOWN)
	require.NoError(t, a.Close())
	require.ErrorIs(t, q.Write(packet.From(make([]byte, 1))), os.ErrClosed)
}

func TestPipeCloseEndsWait(t *testing.T) {
	a, _ := Pipe(1500, TUN, packet.Features{})
	done := make(chan error)
	go func() { done <- a.Queues()[0].Wait() }()
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
	require.ErrorIs(t, <-done, os.ErrClosed)
	_, err := a.Queues()[0].TryRead()
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestPipeFeatures(t *testing.T) {
	sent := func() *packet.Buffer {
		return super(buildTCP(segmentFields{}, randomBytes(3000)), packet.SegmentTCP, 1460)
	}
	a, b := Pipe(1500, TUN, packet.Features{Checksum: true, TSO: 65535})
	require.NoError(t, a.Queues()[0].Write(sent()))
	p, err := b.Queues()[0].TryRead()
	require.NoError(t, err)
	require.Equal(t, sent().Offload, p.Offload)
	require.Equal(t, sent().Bytes(), p.Bytes())

	a, b = Pipe(1500, TUN, packet.Features{})
	require.NoError(t, a.Queues()[0].Write(sent()))
	for range 3 {
		p, err := b.Queues()[0].TryRead()
		require.NoError(t, err)
		verify(t, p)
	}
}

func TestPipeConcurrentWriters(t *testing.T) {
	const writers, each = 4, 100
	a, b := Pipe(1500, TUN, packet.Features{})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := a.Queues()[0].Write(packet.From([]byte{1})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	q := b.Queues()[0]
	for range writers * each {
		require.NoError(t, q.Wait())
		p, err := q.TryRead()
		require.NoError(t, err)
		p.Free()
	}
	wg.Wait()
}

func TestPipeAllocatesNothing(t *testing.T) {
	a, b := Pipe(1500, TUN, packet.Features{Checksum: true, TSO: 65535})
	requireNoAllocs(t, func() {
		p := packet.New(1000)
		p.Extend(1000)
		if err := a.Queues()[0].Write(p); err != nil {
			t.Error(err)
		}
		q, _ := b.Queues()[0].TryRead()
		q.Free()
	})
}
