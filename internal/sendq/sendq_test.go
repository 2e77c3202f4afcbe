package sendq

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/race"
)

// TestModel drives a Buffer and a plain slice with the same random calls.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q Buffer
	var model []byte
	for range 20000 {
		if r.IntN(2) == 0 {
			p := make([]byte, r.IntN(1<<r.IntN(18)))
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			if r.IntN(2) == 0 {
				q.Write(p)
			} else {
				q.Lend(p, nil)
			}
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

// Memory follows the queued bytes, down to zero.
func TestMemory(t *testing.T) {
	var q Buffer
	q.Write([]byte("data"))
	require.Len(t, q.pieces[0].page.b, 4<<10)
	q.Write(make([]byte, 1<<20))
	require.Len(t, q.pieces, 17)
	q.Discard(1 << 20)
	require.Len(t, q.pieces, 1)
	q.Discard(4)
	require.Empty(t, q.pieces)
	if race.Enabled { // with the race detector a pool drops objects at random
		return
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		q.Write([]byte("data"))
		q.Discard(4)
	}))
}

// Lent bytes are sent from their place, except short pieces.
func TestLend(t *testing.T) {
	var q Buffer
	q.Write([]byte("head"))
	body := make([]byte, 200<<10)
	q.Lend(body, nil)
	require.Len(t, q.pieces, 2, "the rest of the page is filled up first")
	require.Len(t, q.pieces[0].b, pageSize)
	require.Same(t, &body[pageSize-4], &q.pieces[1].b[0])
	q.Lend(body[:pageSize-1], nil)
	require.NotNil(t, q.pieces[2].page, "short memory is copied")
	require.Equal(t, 4+len(body)+pageSize-1, q.Len())
}

// A loan is returned when its last byte is removed and the lender has released it, whichever is later.
func TestLoan(t *testing.T) {
	for name, last := range map[string]func(q *Buffer, l *Loan){
		"acknowledged":  func(q *Buffer, l *Loan) { l.Return(); q.Discard(q.Len() - 1); q.Discard(1) },
		"released":      func(q *Buffer, l *Loan) { l.Return(); q.Release() },
		"by the lender": func(q *Buffer, l *Loan) { q.Release(); l.Return() },
	} {
		t.Run(name, func(t *testing.T) {
			returned := make(chan bool, 2)
			l := NewLoan(func() { returned <- true })
			var q Buffer
			body := make([]byte, 300<<10)
			q.Lend(body[:100<<10], l)
			q.Lend(body[100<<10:], l)
			q.Discard(100 << 10)
			require.EqualValues(t, 2, l.held.Load())
			last(&q, l)
			<-returned
			require.Zero(t, l.held.Load())
		})
	}
}
