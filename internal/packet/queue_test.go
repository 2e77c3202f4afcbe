package packet_test

import (
	"math/rand/v2"
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

// What goes in by any way comes out by any other, in order.
func TestQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q packet.Queue
	in, out := 0, 0
	put := [...]func(n int){
		func(n int) { q.Write(pattern(in, n)) },
		func(n int) { q.Add(packet.From(pattern(in, n))) },
		func(n int) {
			var other packet.Queue
			other.Write(pattern(in, n/2))
			other.Add(packet.From(pattern(in+n/2, n-n/2)))
			q.Join(&other)
			require.Zero(t, other.Len())
		},
	}
	get := [...]func(n int) int{
		func(n int) int {
			p := make([]byte, n)
			n = q.Read(p)
			require.Equal(t, pattern(out, n), p[:n])
			return n
		},
		func(n int) int {
			n = min(n, q.Len())
			q.Discard(n)
			return n
		},
		func(n int) int {
			taken := q.Take(n)
			require.LessOrEqual(t, taken.Len(), n)
			n = 0
			for b := taken.Next(); b != nil; b = taken.Next() {
				require.Equal(t, pattern(out+n, b.Len()), b.Bytes())
				n += b.Len()
				b.Free()
			}
			return n
		},
	}
	for range 3000 {
		n := 1 + r.IntN(5000)
		put[r.IntN(len(put))](n)
		in += n
		out += get[r.IntN(len(get))](1 + r.IntN(6000))
		require.Equal(t, in-out, q.Len())
		require.LessOrEqual(t, q.Len(), q.Memory())
		if q.Len() > 0 {
			i := r.IntN(q.Len())
			require.Equal(t, pattern(out+i, 1)[0], q.At(i))
			p := make([]byte, 1+r.IntN(5000))
			p = p[:q.Peek(i, p)]
			require.Equal(t, pattern(out+i, len(p)), p)
		}
	}
	q.Release()
	require.Zero(t, q.Len())
	require.Zero(t, q.Memory())
	require.Nil(t, q.Next())
}

// Small writes share a Buffer: what waits costs little more than itself.
func TestQueueSmallWrites(t *testing.T) {
	var q packet.Queue
	for range 10000 {
		q.Write([]byte("ab"))
	}
	require.Less(t, q.Memory(), 2*q.Len())
	q.Release()
}

func TestQueueWriteLongerThanAnyBuffer(t *testing.T) {
	var q packet.Queue
	data := pattern(0, 3*packet.MaxSize)
	q.Write(data)
	got := make([]byte, len(data))
	require.Equal(t, len(data), q.Read(got))
	require.Equal(t, data, got)
}

// However sizes alternate, what waits costs little more than twice itself, if what comes in Buffers fills half of each.
func TestQueueMemory(t *testing.T) {
	for _, copied := range []int{1, 500, 1856, 1857, 5000, 10048, 10049, 40000} {
		for _, added := range []int{1024, 1856, 5120, 10048, 33000, 65000} {
			var q packet.Queue
			for q.Len() < 1<<20 {
				q.Write(pattern(0, copied))
				q.Add(packet.From(pattern(0, added)))
			}
			require.Less(t, float64(q.Memory()), 2.6*float64(q.Len()), "%d copied, %d added", copied, added)
			q.Release()
		}
	}
}
