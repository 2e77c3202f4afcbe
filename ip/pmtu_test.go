package ip

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/timer"
)

func TestPathMTUCacheIsBounded(t *testing.T) { // SEC-015
	s := New(Config{Timers: new(timer.Queue)})
	for i := range 2 * maxPMTUs {
		s.pmtu.set(pmtuEntry{dst: netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), mtu: 1000, expires: time.Duration(i)})
		require.Len(t, s.pmtu.entries, min(i+1, maxPMTUs))
		require.Equal(t, len(s.pmtu.entries), s.pmtu.byAge.Len())
	}
	s.pmtu.Expire(2 * maxPMTUs)
	require.Empty(t, s.pmtu.entries)
	require.Zero(t, s.pmtu.byAge.Len())
}
