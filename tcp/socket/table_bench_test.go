package socket

import (
	"fmt"
	"testing"
)

// The way of a segment to its connection costs the same however many there are.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{1, 100, 10_000, 100_000} {
		var t table
		t.init(0x1234567)
		e := &Endpoint{}
		ids := make([]tuple, n)
		for i := range ids {
			ids[i] = tuple{local: [4]byte{10, 0, 0, 2}, remote: [4]byte{10, 0, byte(i >> 16), 1}, localPort: 7, remotePort: uint16(i)}
			t.insert(ids[i], e)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if t.find(ids[i%n]) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}
