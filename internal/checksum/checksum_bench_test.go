package checksum

import (
	"fmt"
	"net/netip"
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
	src, dst := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	b.ReportAllocs()
	for b.Loop() {
		sink = Pseudo(src, dst, 6, int(sink))
	}
}
