package ipv4

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkHeader(b *testing.B) {
	h := unicast()
	data := dgram(h, nil)
	b.Run("put", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.put(data)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !h.Parse(data) {
				b.Fatal("not parsed")
			}
		}
	})
}

// Receiving a datagram, from the link to its protocol.
func BenchmarkInput(b *testing.B) {
	l := newLab(&testing.T{}, config{})
	h := unicast()
	h.Protocol++
	l.Register(h.Protocol, sink{})
	data := dgram(h, make([]byte, 100))
	b.ReportAllocs()
	for b.Loop() {
		l.recv(data)
	}
	require.Equal(b, l.v4.stats.InPackets.Value(), l.v4.stats.InDelivers.Value())
}
