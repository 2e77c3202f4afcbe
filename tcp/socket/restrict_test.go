package socket

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/tcp"
)

// TestMinTTL: with IP_MINTTL a segment with a lower TTL is dropped, by a connection and by a listener (RFC 5082 section 3).
func TestMinTTL(t *testing.T) { // SOCK-071
	const ttl = 64 // of the segments that the lab sends
	for _, tt := range []struct {
		min  uint8
		lost bool
	}{{0, false}, {ttl, false}, {ttl + 1, true}} {
		l := newLab(t)
		p := l.active()
		p.so.SetIP(func(o *ip.SocketOptions) { o.MinTTL = tt.min })
		p.sends(tcp.ACK|tcp.PSH, "data")
		in, _, _ := p.so.Buffered()
		require.Equal(t, tt.lost, in == 0, "minimum %d", tt.min)

		before := l.stats.DropMinTTL.Value()
		l.take()
		listener := l.listen(here, 1)
		listener.SetIP(func(o *ip.SocketOptions) { o.MinTTL = tt.min })
		(&peer{l: l, at: there, to: here, seq: 5000}).sends(tcp.SYN, "")
		require.Equal(t, tt.lost, len(l.take()) == 0, "minimum %d", tt.min)
		require.Equal(t, tt.lost, l.stats.DropMinTTL.Value() > before)
	}
}
