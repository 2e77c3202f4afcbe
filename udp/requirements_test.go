package udp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// ICMP-015: a full receive queue causes no Source Quench.
func TestNoSourceQuench(t *testing.T) {
	h := newHost(t)
	h.bound("0.0.0.0:7", func(o *Options) { o.RcvBuf = 4 << 10 })
	for range 100 {
		h.receive("10.0.0.1:1000", "10.0.0.2:7", "x")
	}
	require.NotZero(t, h.udp.stats.DropFull.Value())
	require.Empty(t, h.reports)
	require.Empty(t, h.wire.Sent)
}
