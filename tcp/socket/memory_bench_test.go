package socket

import (
	"runtime"
	"testing"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/ip"
	"tunstack/tcp"
)

// maxIdle is the budget of an idle connection of either family, in bytes.
const maxIdle = 1792

// BenchmarkIdleConnection measures the memory of a connection that has answered a request and waits, with its entries in the tables
// and its timer, as B/conn. It fails above the budget.
func BenchmarkIdleConnection(b *testing.B) {
	b.Run("IPv4", func(b *testing.B) { idleConnection(b, ip.V4) })
	b.Run("IPv6", func(b *testing.B) { idleConnection(b, ip.V6) })
}

func idleConnection(b *testing.B, family ip.Versions) {
	const n = 5000
	for b.Loop() {
		l := newLabOf(b, family, packet.Features{})
		listener := l.listen(l.here, 1)
		listener.SetParams(func(p *tcp.Params) { p.KeepAlive = true })
		l.dial(l.there).accept(listener) // what the first one allocates for all
		before := heap()
		for i := range n {
			p := &peer{l: l, at: l.client(i), to: l.here, seq: 5000, options: tcp.Options{HasTS: true, HasScale: true, SackPermitted: true}}
			p.sends(tcp.SYN, "")
			p.learn()
			p.accept(listener)
			p.sends(tcp.ACK, "request")
			p.so.reads(b, "request")
			p.so.writes(b, "reply")
			p.acks()
		}
		l.take()
		cost := float64(heap()-before) / n
		runtime.KeepAlive(l)
		b.ReportMetric(cost, "B/conn")
		if cost > maxIdle && !race.Enabled { // which takes memory of its own
			b.Errorf("%.0f bytes, more than %d", cost, maxIdle)
		}
	}
}
