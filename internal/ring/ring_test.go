package ring

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModel drives a Buffer and a plain slice with the same random calls.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b Buffer
	var model []byte
	for range 20000 {
		switch r.IntN(2) {
		case 0:
			p := make([]byte, r.IntN(3000))
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			b.Write(p)
			model = append(model, p...)
		case 1:
			n := r.IntN(len(model) + 1)
			b.Discard(n)
			model = model[n:]
		}
		require.Equal(t, len(model), b.Len())
		off := r.IntN(len(model) + 1)
		s := b.Spans(off, len(model)-off)
		require.True(t, bytes.Equal(model[off:], append(append([]byte{}, s[0]...), s[1]...)))
	}
}

func TestEmptyHoldsNoMemory(t *testing.T) {
	var b Buffer
	b.Write([]byte("data"))
	b.Discard(4)
	require.Nil(t, b.mem)
}
