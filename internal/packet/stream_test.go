package packet_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
)

func pattern(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((from + i) * 31 >> 3)
	}
	return b
}

// stream is a Stream and the two ends of a stream of pattern's bytes.
type stream struct {
	t *testing.T
	packet.Stream
	in, out int // bytes put in and taken out so far
}

// waysIn add the next n bytes of the stream.
var waysIn = map[string]func(s *stream, n int){
	"Write": func(s *stream, n int) { s.Write(pattern(s.in, n)) },
	"Add":   func(s *stream, n int) { s.Add(packet.From(pattern(s.in, n))) },
	"Join": func(s *stream, n int) {
		var other packet.Stream
		other.Write(pattern(s.in, n/2))
		other.Add(packet.From(pattern(s.in+n/2, n-n/2)))
		s.Stream.Join(&other)
		require.Zero(s.t, other.Len())
	},
}

// waysOut remove at most n bytes, which must be the next of the stream, and return their number.
var waysOut = map[string]func(s *stream, n int) int{
	"Read": func(s *stream, n int) int {
		p := make([]byte, n)
		n = s.Read(p)
		require.Equal(s.t, pattern(s.out, n), p[:n])
		return n
	},
	"Discard": func(s *stream, n int) int {
		n = min(n, s.Len())
		s.Discard(n)
		return n
	},
	"Take": func(s *stream, n int) (taken int) {
		q := s.Take(n)
		require.LessOrEqual(s.t, q.Len(), n)
		for b := q.Next(); b != nil; b = q.Next() {
			require.Equal(s.t, pattern(s.out+taken, b.Len()), b.Bytes())
			taken += b.Len()
			b.Free()
		}
		return taken
	},
}

// pass moves random amounts through a Stream by the given ways, and checks the queued bytes after each.
func pass(t *testing.T, in []string, out []string, steps int) {
	r := rand.New(rand.NewPCG(1, 2))
	s := &stream{t: t}
	for range steps {
		n := 1 + r.IntN(5000)
		waysIn[in[r.IntN(len(in))]](s, n)
		s.in += n
		s.out += waysOut[out[r.IntN(len(out))]](s, 1+r.IntN(6000))
		require.Equal(t, s.in-s.out, s.Len())
		require.LessOrEqual(t, s.Len(), s.Memory())
		s.looks(r)
	}
	s.Release()
	require.Zero(t, s.Len())
	require.Zero(t, s.Memory())
	require.Nil(t, s.Next())
}

// looks at queued bytes without removing them, from a random place on
func (s *stream) looks(r *rand.Rand) {
	if s.Len() == 0 {
		return
	}
	i := r.IntN(s.Len())
	require.Equal(s.t, pattern(s.out+i, 1)[0], s.At(i), "At")
	p := make([]byte, 1+r.IntN(5000))
	p = p[:s.Peek(i, p)]
	require.NotEmpty(s.t, p)
	require.Equal(s.t, pattern(s.out+i, len(p)), p, "Peek")
}

// Bytes added in any way can be removed in any other, in order, also when the ways alternate.
func TestStream(t *testing.T) {
	in, out := slices.Sorted(maps.Keys(waysIn)), slices.Sorted(maps.Keys(waysOut))
	for _, i := range in {
		for _, o := range out {
			t.Run(i+" and "+o, func(t *testing.T) { pass(t, []string{i}, []string{o}, 300) })
		}
	}
	t.Run("all ways", func(t *testing.T) { pass(t, in, out, 3000) })
}

// Small writes share a Buffer: the memory is little more than the queued bytes.
func TestStreamSmallWrites(t *testing.T) {
	var q packet.Stream
	for range 10000 {
		q.Write([]byte("ab"))
	}
	require.Less(t, q.Memory(), 2*q.Len())
	q.Release()
}

func TestStreamWriteLongerThanAnyBuffer(t *testing.T) {
	var q packet.Stream
	data := pattern(0, 3*packet.MaxSize)
	q.Write(data)
	got := make([]byte, len(data))
	require.Equal(t, len(data), q.Read(got))
	require.Equal(t, data, got)
}

// However sizes alternate, the memory is little more than twice the queued bytes, if each Buffer added is at least half full.
func TestStreamMemory(t *testing.T) {
	for _, copied := range []int{1, 500, 1856, 1857, 5000, 10048, 10049, 40000} {
		for _, added := range []int{1024, 1856, 5120, 10048, 33000, 65000} {
			var q packet.Stream
			for q.Len() < 1<<20 {
				q.Write(pattern(0, copied))
				q.Add(packet.From(pattern(0, added)))
			}
			require.Less(t, float64(q.Memory()), 2.6*float64(q.Len()), "%d copied, %d added", copied, added)
			q.Release()
		}
	}
}
