package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
)

// The line is ss's: zeros are left out, and the windows are in segments.
func TestInfoText(t *testing.T) {
	v := tcp.Info{
		Options: tcp.UsesTimestamps | tcp.UsesSACK | tcp.UsesWindowScale, SndWscale: 7, RcvWscale: 8, Congestion: "cubic", RTO: 204 * time.Millisecond, RTT: 1500 * time.Microsecond,
		RTTVar: 250 * time.Microsecond, MinRTT: time.Millisecond, SndMSS: 1448, PMTU: 1500, SndCwnd: 14480, SndSsthresh: 1 << 30,
		Unacked: 1449, BytesSent: 3000, SegsOut: 5, TotalRetrans: 2,
	}
	require.Equal(t, "ts sack cubic wscale:7,8 rto:204 rtt:1.5/0.25 mss:1448 pmtu:1500 cwnd:10 bytes_sent:3000 segs_out:5 "+
		"unacked:2 retrans:0/2 minrtt:1", infoText(&v))
	require.Equal(t, "bbr rto:0 cwnd:10 pacing_rate:8000bps delivery_rate:4000bps",
		infoText(&tcp.Info{Congestion: "bbr", SndCwnd: 10, PacingRate: 1000, DeliveryRate: 500}))
	require.Equal(t, "reno rto:1000", infoText(&tcp.Info{Congestion: "reno", RTO: time.Second}))
}
