package checksum

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// plain is RFC 1071 word for word: 16 bits at a time, in network order.
func plain(data []byte, initial uint16) uint16 {
	sum := uint64(initial)
	for i, b := range data {
		if i%2 == 0 {
			sum += uint64(b) << 8
		} else {
			sum += uint64(b)
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// All lengths, alignments and the bytes with the most carries have the same sum as plain.
func TestSum(t *testing.T) { // RFC 1071 section 4.1
	t.Run("as here", testSum)
	defer func(has bool) { hasVector = has }(hasVector)
	hasVector = false
	t.Run("without vector instructions", testSum)
}

func testSum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 700)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	ones := make([]byte, 700)
	for i := range ones {
		ones[i] = 0xff
	}
	for _, data := range [][]byte{random, ones, make([]byte, 700)} {
		for n := range 690 {
			for from := range 9 {
				for _, initial := range []uint16{0, 1, 0xffff, uint16(r.Uint32())} {
					want := plain(data[from:from+n], initial)
					require.Equal(t, want, Sum(data[from:from+n], initial), "%d bytes from %d", n, from)
				}
			}
		}
	}
	large := make([]byte, 65535)
	for i := range large {
		large[i] = byte(r.Uint32()) | 0xf0
	}
	require.Equal(t, plain(large, 0), Sum(large, 0))
}
