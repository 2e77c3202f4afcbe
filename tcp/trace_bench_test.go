package tcp_test

import (
	"testing"
	"time"

	"tunstack/tcp"
)

// deaf is a Tracer that ignores events.
type deaf struct{}

// Trace implements tcp.Tracer.
func (deaf) Trace(time.Duration, *tcp.Conn, tcp.Event) {}

// BenchmarkTracer measures the cost of tracing: both ends of a connection with no Tracer, and with one that does nothing.
func BenchmarkTracer(b *testing.B) {
	for _, s := range steady {
		for _, t := range []struct {
			name   string
			tracer tcp.Tracer
		}{{"off", nil}, {"deaf", deaf{}}} {
			b.Run(s.name+"/"+t.name, func(b *testing.B) {
				p := newPair(b, s.maxPayload, s.congestion)
				p.a.SetTracer(t.tracer)
				p.b.SetTracer(t.tracer)
				data, into := make([]byte, s.size), make([]byte, 1<<16)
				b.ReportAllocs()
				for b.Loop() {
					p.turn(data, into, s.echo)
				}
			})
		}
	}
}
