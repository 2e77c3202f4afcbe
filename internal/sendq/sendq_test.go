package sendq

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModel drives a Queue and a plain slice with the same random calls.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q Queue
	var model []byte
	for range 20000 {
		if r.IntN(2) == 0 {
			p := make([]byte, r.IntN(1<<r.IntN(18)))
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			q.Write(p)
			model = append(model, p...)
		} else {
			n := r.IntN(len(model) + 1)
			q.Discard(n)
			model = model[n:]
		}
		require.Equal(t, len(model), q.Len())
		off := r.IntN(len(model) + 1)
		n := min(len(model)-off, r.IntN(64<<10))
		s := q.Spans(off, n)
		require.True(t, bytes.Equal(model[off:off+n], bytes.Join(s[:], nil)))
	}
}

// Memory follows what is queued, down to nothing.
func TestMemory(t *testing.T) {
	var q Queue
	q.Write([]byte("data"))
	require.Len(t, q.pages[0].b, 4<<10)
	q.Write(make([]byte, 1<<20))
	require.Len(t, q.pages, 17)
	q.Discard(1 << 20)
	require.Len(t, q.pages, 1)
	q.Discard(4)
	require.Empty(t, q.pages)
	if raceEnabled { // there a pool forgets at random
		return
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		q.Write([]byte("data"))
		q.Discard(4)
	}))
}
