package sendq

import (
	"fmt"
	"testing"
)

// A stream passes through a queue: written at one end, acknowledged at the other, with the contents of a busy connection.
func BenchmarkStream(b *testing.B) {
	for _, backlog := range []int{0, 256 << 10, 4 << 20} {
		for _, size := range []int{1, 1448, 64 << 10} {
			b.Run(fmt.Sprintf("backlog=%d/size=%d", backlog, size), func(b *testing.B) {
				var q Buffer
				q.Write(make([]byte, backlog))
				p := make([]byte, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					q.Write(p)
					q.Discard(size)
				}
			})
		}
	}
}
