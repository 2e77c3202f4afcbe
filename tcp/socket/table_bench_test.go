package socket

import (
	"fmt"
	"testing"

	"tunstack/ip"
)

// The way of a segment to its connection costs the same however many there are.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{1, 100, 10_000, 100_000} {
		var t table
		t.init(0x1234567)
		ids := make([]ip.FourTuple, n)
		for i := range ids {
			ids[i] = ip.NewFourTuple(here, client(i))
			t.insert(&connection{flow: flow{id: ids[i]}})
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if t.find(&ids[i%n]) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}
