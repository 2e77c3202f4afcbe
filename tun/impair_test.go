package tun

import (
	"encoding/binary"
	"math/bits"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/timer"
)

// badWire is an Impaired in virtual time: near is its queue, far the other end of the pipe that it wraps.
type badWire struct {
	t      *testing.T
	dev    *Impaired
	clock  clock.Virtual
	timers timer.Queue
	near   Queue
	far    Queue
}

// arrival is when a packet arrived, and its number.
type arrival struct {
	at time.Duration
	n  uint32
}

func newBadWire(t *testing.T, kind Kind, cfg Impairment) *badWire {
	a, b := Pipe(65535, kind, packet.Features{Checksum: true, TSO: 65535})
	w := &badWire{t: t, far: b.Queues()[0]}
	cfg.Clock, cfg.Timers = &w.clock, &w.timers
	w.dev = Impair(a, cfg)
	w.near = w.dev.Queues()[0]
	return w
}

// numbered is a packet of size bytes that carries a number.
func numbered(n uint32, size int) *packet.Buffer {
	p := packet.From(make([]byte, size))
	binary.BigEndian.PutUint32(p.Bytes()[size-4:], n)
	return p
}

// send writes count numbered packets at once and returns their arrivals.
func (w *badWire) send(count, size int) []arrival {
	var all []arrival
	for n := range count {
		require.NoError(w.t, w.near.Write(numbered(uint32(n), size)))
		all = w.collect(all, w.far)
	}
	return w.rest(all, w.far)
}

// rest advances the time until no packet is on its way, and appends the arrivals at q.
func (w *badWire) rest(all []arrival, q Queue) []arrival {
	for {
		at, ok := w.timers.Next()
		if !ok {
			return w.collect(all, q)
		}
		w.clock.Set(at)
		w.timers.Advance(at)
		all = w.collect(all, q)
	}
}

func (w *badWire) collect(all []arrival, q Queue) []arrival {
	for {
		p, err := q.TryRead()
		require.NoError(w.t, err)
		if p == nil {
			return all
		}
		b := p.Bytes()
		all = append(all, arrival{w.clock.Now(), binary.BigEndian.Uint32(b[len(b)-4:])})
		p.Free()
	}
}

func numbers(all []arrival) []uint32 {
	var list []uint32
	for _, a := range all {
		list = append(list, a.n)
	}
	return list
}

func upTo(count int) []uint32 {
	list := make([]uint32, count)
	for i := range list {
		list[i] = uint32(i)
	}
	return list
}

func TestImpairNothing(t *testing.T) {
	a, _ := Pipe(1500, TAP, packet.Features{TSO: 3000})
	d := Impair(a, Impairment{})
	defer d.Close()
	require.Equal(t, a.Queues(), d.Queues())
	require.Equal(t, a.Name(), d.Name())
	require.Equal(t, TAP, d.Kind())
	require.Equal(t, 1500, d.MTU())
	require.Equal(t, a.Features(), d.Features())
}

func TestImpairDelay(t *testing.T) {
	w := newBadWire(t, TUN, Impairment{Out: Path{Delay: 20 * time.Millisecond}, In: Path{Delay: time.Second}})
	got := w.send(3, 100)
	require.Equal(t, upTo(3), numbers(got))
	require.Equal(t, 20*time.Millisecond, got[0].at)
	require.InDelta(t, 20*time.Millisecond, got[2].at, 10)

	start := w.clock.Now()
	require.NoError(t, w.far.Write(numbered(7, 50)))
	got = w.rest(w.collect(nil, w.near), w.near)
	require.Equal(t, []arrival{{start + time.Second, 7}}, got)
	require.EqualValues(t, 1, w.dev.In().Entered.Value())
}

func TestImpairLoss(t *testing.T) {
	w := newBadWire(t, TUN, Impairment{Out: Path{Loss: 0.1}, Seed: 3})
	got := w.send(10000, 20)
	require.InDelta(t, 9000, len(got), 100)
	require.EqualValues(t, 10000-len(got), w.dev.Out().Lost.Value())
	require.EqualValues(t, 10000, w.dev.Out().Entered.Value())
	require.Zero(t, w.clock.Now(), "without delay packets arrive within Write")
}

func TestImpairLossInBursts(t *testing.T) {
	w := newBadWire(t, TUN, Impairment{Out: Path{Burst: Burst{Enter: 0.01, Leave: 0.2, Loss: 1}}})
	got := numbers(w.send(20000, 20))
	bursts := 0
	for i := 1; i < len(got); i++ {
		if got[i] != got[i-1]+1 {
			bursts++
		}
	}
	lost := 20000 - len(got)
	require.InDelta(t, 20000*0.01/(0.01+0.2), lost, 200)
	require.InDelta(t, 5, float64(lost)/float64(bursts), 1, "packets in a burst")
}

func TestImpairDuplicate(t *testing.T) {
	w := newBadWire(t, TUN, Impairment{Out: Path{Duplicate: 1}})
	require.Equal(t, []uint32{0, 0, 1, 1}, numbers(w.send(2, 20)))
}

func TestImpairReorder(t *testing.T) {
	w := newBadWire(t, TUN, Impairment{Out: Path{Delay: time.Millisecond, Reorder: 0.1}})
	got := w.send(1000, 20)
	require.ElementsMatch(t, upTo(1000), numbers(got), "none is lost")
	early := w.dev.Out().Reordered.Value()
	require.InDelta(t, 100, early, 30)
	for i, a := range got {
		require.Equal(t, i < int(early), a.at == 0, "packets without the delay come first")
	}
}

func TestImpairJitterKeepsOrder(t *testing.T) {
	const delay, jitter = 10 * time.Millisecond, 5 * time.Millisecond
	w := newBadWire(t, TUN, Impairment{Out: Path{Delay: delay, Jitter: jitter}})
	got := w.send(100, 20)
	require.Equal(t, upTo(100), numbers(got))
	require.GreaterOrEqual(t, got[0].at, delay)
	require.InDelta(t, delay+jitter, got[99].at, float64(time.Millisecond))
	require.NotEqual(t, got[0].at, got[99].at)
}

// Packets of 1000 bytes at 8 Mbit/s take a millisecond each; of 20 sent at once the last 10 overflow the queue.
func TestImpairRate(t *testing.T) {
	w := newBadWire(t, TUN, Impairment{Out: Path{Rate: 8e6, Limit: 10000, Delay: time.Second}})
	got := w.send(20, 1000)
	require.Equal(t, upTo(10), numbers(got))
	for i, a := range got {
		require.Equal(t, time.Second+time.Duration(i+1)*time.Millisecond, a.at)
	}
	require.EqualValues(t, 10, w.dev.Out().Overflowed.Value())
	w.clock.Set(w.clock.Now() + time.Second)
	start := w.clock.Now()
	require.Equal(t, []arrival{{start + time.Second + time.Millisecond, 0}}, w.send(1, 1000), "an idle bottleneck saves up nothing")
}

// Each packet counts once: as lost in the queue, or as corrupted on the wire behind it.
func TestImpairCorruptsWhatTheQueueTakes(t *testing.T) {
	w := newBadWire(t, TUN, Impairment{Out: Path{Rate: 8e6, Limit: 10000, Corrupt: 1}})
	require.Len(t, w.send(20, 1000), 10)
	require.EqualValues(t, 10, w.dev.Out().Overflowed.Value())
	require.EqualValues(t, 10, w.dev.Out().Corrupted.Value())
}

func TestImpairBoundsWhatIsOnItsWay(t *testing.T) {
	w := newBadWire(t, TUN, Impairment{Out: Path{Delay: time.Second}})
	for range maxTransit/60000 + 10 {
		require.NoError(t, w.near.Write(numbered(0, 60000)))
	}
	require.EqualValues(t, 10, w.dev.Out().Overflowed.Value())
	require.Equal(t, maxTransit/60000*60000, w.dev.out.bytes)
	require.NoError(t, w.dev.Close())
	require.Zero(t, w.timers.Len())
}

func TestImpairCorrupt(t *testing.T) {
	for _, kind := range []Kind{TUN, TAP} {
		w := newBadWire(t, kind, Impairment{Out: Path{Corrupt: 1}})
		for range 200 {
			clean := make([]byte, 40)
			require.NoError(t, w.near.Write(packet.From(clean)))
			p, err := w.far.TryRead()
			require.NoError(t, err)
			turned := 0
			for _, b := range p.Bytes() {
				turned += bits.OnesCount8(b)
			}
			require.Equal(t, 1, turned)
			require.Equal(t, clean[:kind.headerLen()], p.Bytes()[:kind.headerLen()])
		}
		require.EqualValues(t, 200, w.dev.Out().Corrupted.Value())
	}
}

// Super-packets are segmented before the wire, and checksums completed, in either direction.
func TestImpairCutsSuperPackets(t *testing.T) {
	path := Path{Delay: time.Millisecond}
	w := newBadWire(t, TUN, Impairment{In: path, Out: path})
	for _, way := range [][2]Queue{{w.near, w.far}, {w.far, w.near}} {
		payload := randomBytes(5000)
		p := super(buildTCP(segmentFields{}, payload), packet.SegmentTCP, 1460)
		p.Truncate(ipv4HeaderLen + tcpHeaderLen)
		p.Borrow([2][]byte{payload[:100], payload[100:]})
		require.NoError(t, way[0].Write(p))
		var got []byte
		for w.collect(nil, w.near); w.timers.Len() > 0; {
			at, _ := w.timers.Next()
			w.clock.Set(at)
			w.timers.Advance(at)
			q, err := way[1].TryRead()
			require.NoError(t, err)
			got = append(got, verify(t, q)[tcpHeaderLen:]...)
		}
		requireSame(t, payload, got)
	}
	require.EqualValues(t, 4, w.dev.Out().Entered.Value())
	require.EqualValues(t, 4, w.dev.In().Entered.Value())
}

func TestImpairFollowsItsSeed(t *testing.T) {
	cfg := Impairment{Seed: 1, Out: Path{Loss: 0.1, Duplicate: 0.1, Corrupt: 0.1, Reorder: 0.1, Delay: 10, Jitter: 10}}
	run := func(seed uint64) []arrival {
		cfg.Seed = seed
		return newBadWire(t, TUN, cfg).send(500, 4)
	}
	require.Equal(t, run(1), run(1))
	require.NotEqual(t, run(1), run(2))
}

func TestImpairInRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(1500, TUN, packet.Features{})
		path := Path{Delay: 20 * time.Millisecond}
		d := Impair(a, Impairment{In: path, Out: path})
		near, far := d.Queues()[0], b.Queues()[0]
		start := time.Now()
		for _, way := range [][2]Queue{{near, far}, {far, near}} {
			require.NoError(t, way[0].Write(numbered(1, 20)))
			require.NoError(t, way[1].Wait())
			p, err := way[1].TryRead()
			require.NoError(t, err)
			require.NotNil(t, p)
		}
		require.Equal(t, 40*time.Millisecond, time.Since(start))

		done := make(chan error)
		go func() { done <- near.Wait() }()
		require.NoError(t, far.Write(numbered(2, 20)))
		require.NoError(t, near.Write(numbered(2, 20)))
		require.NoError(t, d.Close()) // the bubble ends only if no goroutine is left
		require.NoError(t, d.Close())
		require.ErrorIs(t, <-done, os.ErrClosed)
		_, err := near.TryRead()
		require.ErrorIs(t, err, os.ErrClosed)
		require.ErrorIs(t, near.Write(numbered(3, 20)), os.ErrClosed)
		p, err := far.TryRead()
		require.NoError(t, err)
		require.Nil(t, p, "delayed packets are lost")
	})
}
