package reassembly

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/timer"
)

// lab is an Engine in virtual time that records timeouts.
type lab struct {
	Engine[string]
	t      *testing.T
	now    time.Duration
	timers timer.Queue
	late   []string
}

func newLab(t *testing.T, memory int) *lab {
	l := &lab{t: t}
	l.Init(Config[string]{Timers: &l.timers, Timeout: time.Minute, Memory: memory, TimedOut: func(_ time.Duration, c string, first *packet.Buffer) {
		l.late = append(l.late, c+string(first.Bytes()))
	}})
	return l
}

// part is the bytes from start up to end of a datagram.
func part(src byte, id int, payload []byte, start, end int) *Fragment[string] {
	return &Fragment[string]{
		Key:     Key{Src: netip.AddrFrom4([4]byte{11, 0, byte(int(src) >> 8), src}), Dst: netip.AddrFrom4([4]byte{10, 0, 0, 2}), ID: uint32(id)},
		Context: "context ", Header: []byte("header "), Payload: payload[start:end], Offset: start, More: end < len(payload), MaxLen: 65535,
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// actual is the recounted memory in bytes of the incomplete datagrams.
func (l *lab) actual() (n int) {
	for _, d := range l.datagrams {
		n += d.empty()
		for _, page := range d.payload {
			if page != nil {
				n += pageMemory
			}
		}
	}
	return n
}

func TestWholeDatagram(t *testing.T) { // IP-017
	l := newLab(t, 1<<20)
	payload := pattern(6000)
	for _, at := range []int{4000, 0, 2000} {
		f := part(1, 1, payload, at, at+2000)
		f.Marked = at == 2000
		w, ok := l.Add(l.now, f)
		require.Equal(t, at == 2000, ok)
		if !ok {
			continue
		}
		require.Equal(t, "header "+string(payload), string(w.Packet.Bytes()))
		require.Equal(t, Whole{w.Packet, 7, true}, w)
		w.Packet.Free()
	}
	require.Zero(t, l.Held())
}

func TestTimeOut(t *testing.T) { // IP-020
	l := newLab(t, 1<<20)
	l.Add(0, part(1, 1, pattern(48), 0, 16))
	l.Add(0, part(1, 2, pattern(48), 16, 32)) // without the first fragment there is no report
	l.timers.Advance(time.Minute - 1)
	require.Empty(t, l.late)
	l.timers.Advance(time.Minute)
	require.Equal(t, []string{"context header " + string(pattern(48)[:16])}, l.late)
	require.Zero(t, l.Held())
}

func TestPiecesAreBounded(t *testing.T) { // SEC-013
	l := newLab(t, 1<<20)
	for i := range maxPieces {
		l.Add(l.now, part(1, 1, pattern(65000), i*16, i*16+8))
	}
	require.Len(t, l.datagrams, 1)
	l.Add(l.now, part(1, 1, pattern(65000), maxPieces*16, maxPieces*16+8))
	require.EqualValues(t, 1, l.stats.DropPieces.Value())
	require.Empty(t, l.datagrams)
}

func TestHeadersAreBounded(t *testing.T) { // SEC-013
	l := newLab(t, 1<<20)
	f := part(1, 1, pattern(48), 0, 16)
	f.Header = make([]byte, MaxHeader+1)
	l.Add(l.now, f)
	require.EqualValues(t, 1, l.stats.DropFragment.Value())
	require.Zero(t, l.Held())
}

func TestMemoryIsBoundedAndFair(t *testing.T) { // SEC-013
	const limit = 200 << 10
	l := newLab(t, limit)
	whole := pattern(1000)
	l.Add(l.now, part(77, 0, whole, 0, 504))
	flood := func(sources int) {
		for id := range 500 {
			l.Add(l.now, part(byte(id%sources), id, whole, 0, 504))
			require.Equal(t, l.actual(), l.Held())
			require.LessOrEqual(t, l.Held(), limit)
		}
	}
	flood(1)
	flood(3) // less than limit / fairMemory
	require.NotZero(t, l.stats.DropFull.Value())
	w, ok := l.Add(l.now, part(77, 0, whole, 504, 1000))
	require.True(t, ok, "sources with more than fairMemory pay for the flood")
	w.Packet.Free()
	flood(250)
	l.timers.Advance(time.Minute)
	require.Zero(t, l.Held())
	require.Empty(t, l.bySource)
	require.Empty(t, l.all)
}

// A fragment far from the start is charged only its own bytes, so forged sources with one fragment each do not soon evict an
// honest datagram.
func TestTailsAreChargedWhatTheyHold(t *testing.T) { // SEC-013
	l := newLab(t, 4<<20)
	far := pattern(65508)
	tail := func(id int) {
		f := part(0, id, far, 65480, 65508)
		f.Src = netip.AddrFrom4([4]byte{12, byte(id >> 16), byte(id >> 8), byte(id)})
		l.Add(l.now, f)
		l.now += time.Second / 20000
	}
	for id := range 10000 {
		tail(id)
	}
	require.Greater(t, len(l.all), 1000, "4 MiB are many tails")
	whole := pattern(4000)
	done := 0
	for id := range 100 { // 10 ms between fragments in a flood of 20,000 a second
		for n := range 3 {
			for i := range 200 {
				tail(10000 + 600*id + 200*n + i)
			}
			if w, ok := l.Add(l.now, part(1, id, whole, n*1480, min((n+1)*1480, 4000))); ok {
				done++
				w.Packet.Free()
			}
		}
	}
	require.Equal(t, 100, done)
}

// The number of datagrams compared to make room for a fragment does not depend on the number of incomplete ones.
func TestCostOfAFragment(t *testing.T) { // SEC-013
	for _, limit := range []int{1 << 20, 16 << 20} {
		l := newLab(t, limit)
		looks, random := 0, l.random
		l.random = func(n int) int { looks++; return random(n) }
		payload := pattern(1488)
		for id := range 20000 {
			before := looks
			l.Add(l.now, part(byte(id%3), id, payload, 0, 1480))
			require.LessOrEqual(t, looks-before, 3*candidates)
		}
		require.LessOrEqual(t, looks, 20000*(candidates+1))
		require.Positive(t, looks)
	}
}
