package socket

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// One source may have a quarter of the half-open connections: an IPv4 address, or all addresses of an IPv6 network of 64 bits.
func TestShareOfASource(t *testing.T) { // SEC-006
	for _, tt := range []struct {
		one, other string
		same       bool
	}{
		{"10.0.0.1:1", "10.0.0.1:2", true}, {"10.0.0.1:1", "10.0.0.2:1", false},
		{"[2001:db8::1]:1", "[2001:db8::2:0:0:1]:1", true}, {"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
	} {
		var h halfOpen
		one, other := ap(tt.one).Addr(), ap(tt.other).Addr()
		h.add(one)
		require.Equal(t, !tt.same, h.room(other, sourceShare), "%v", tt)
		h.remove(one)
		require.True(t, h.room(other, sourceShare))
		require.Empty(t, h.sources)
	}
}
