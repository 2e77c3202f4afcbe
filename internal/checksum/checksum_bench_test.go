package checksum

import (
	"fmt"
	"testing"
)

var sink uint16

func BenchmarkSum(b *testing.B) {
	for _, size := range []int{20, 64, 1460, 65535} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 7)
		}
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				sink = Sum(data, sink)
			}
		})
	}
}

func BenchmarkPseudo(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink = Pseudo([4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 2}, 6, int(sink))
	}
}
