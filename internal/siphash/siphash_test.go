package siphash

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSum(t *testing.T) { // the reference vectors of 8 and 16 bytes 00, 01, ... under the key 00 to 0f
	var secret [16]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	k := NewKey(secret)
	require.Equal(t, uint64(0x93f5f5799a932462), k.Sum(0x0706050403020100))
	require.Equal(t, uint64(0x3f2acc7f57c29bdb), k.Sum(0x0706050403020100, 0x0f0e0d0c0b0a0908))
}

func BenchmarkSum(b *testing.B) {
	k := NewKey([16]byte{1})
	for b.Loop() {
		k[0] = k.Sum(k[0], k[1])
	}
}
