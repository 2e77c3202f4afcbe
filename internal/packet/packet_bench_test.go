package packet_test

import (
	"fmt"
	"testing"

	"tunstack/internal/packet"
)

// sizes are one byte, a full-sized segment and a super-packet.
var sizes = []int{1, 1460, 65535}

// A buffer is taken from its pool, filled and given back.
func BenchmarkBuffer(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			data := make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				packet.From(data).Free()
			}
		})
	}
}

// A stream passes through a queue that holds some bytes: copied at both ends, or in its buffers.
func BenchmarkStream(b *testing.B) {
	for _, size := range sizes {
		data := make([]byte, size)
		var q packet.Stream
		q.Write(make([]byte, 1<<18))
		b.Run(fmt.Sprintf("write-read/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				q.Write(data)
				q.Read(data)
			}
		})
		q.Release()
		for range 64 {
			q.Add(packet.From(data))
		}
		b.Run(fmt.Sprintf("add-next/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				q.Add(q.Next())
			}
		})
		q.Release()
	}
}
