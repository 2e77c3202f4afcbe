package socket

import (
	"fmt"
	"testing"
	"time"

	"tunstack/internal/packet"
)

// BenchmarkEcho measures a one-byte echo, round-robin over n connections. With many connections the memory that a packet touches is
// not in a cache, which makes the packet more expensive.
func BenchmarkEcho(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) {
			l := newLabOn(b, packet.Features{Checksum: true})
			listener := l.listen(here, 1)
			streams := make([]*stream, n)
			for i := range streams {
				streams[i] = newStream(l.dial(client(i)).accept(listener), 1)
			}
			l.wire.Discard = true
			buf := make([]byte, 1)
			turn := func(s *stream) {
				s.in(s.data, s.peer.ack, nil)
				if n, err := s.so.Read(buf, false); n != 1 || err != nil {
					b.Fatal(n, err)
				}
				if n, err := s.so.Write(buf, false); n != 1 || err != nil {
					b.Fatal(n, err)
				}
				s.peer.ack++
			}
			for i := range 10 * n {
				turn(streams[i%n])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				turn(streams[i%n])
				if i%100 == 0 {
					l.clk.Set(l.clk.Now() + time.Millisecond)
					l.timers.Advance(l.clk.Now())
				}
			}
		})
	}
}
