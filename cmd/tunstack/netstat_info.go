package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tunstack/tcp"
)

// infoText is the text of "ss -i" for a connection: words, then name:value, zeros left out. cwnd and the counts of the flight
// are in segments, as on Linux.
func infoText(v *tcp.Info) string {
	mss := max(v.SndMSS, 1)
	segments := func(bytes int) int { return (bytes + mss - 1) / mss }
	words := append(strings.Fields((v.Options &^ tcp.UsesWindowScale).String()), v.Congestion)
	if v.Options.Has(tcp.UsesWindowScale) {
		words = append(words, fmt.Sprintf("wscale:%d,%d", v.SndWscale, v.RcvWscale))
	}
	words = append(words, "rto:"+millis(v.RTO))
	if v.RTT > 0 {
		words = append(words, "rtt:"+millis(v.RTT)+"/"+millis(v.RTTVar))
	}
	ssthresh := 0
	if v.SndSsthresh < 1<<30 {
		ssthresh = segments(v.SndSsthresh)
	}
	for _, f := range []struct {
		name  string
		value uint64
	}{
		{"backoff", uint64(v.Backoff)}, {"mss", uint64(v.SndMSS)}, {"pmtu", uint64(v.PMTU)}, {"rcvmss", uint64(v.RcvMSS)},
		{"cwnd", uint64(segments(v.SndCwnd))}, {"ssthresh", uint64(ssthresh)},
		{"bytes_sent", v.BytesSent}, {"bytes_retrans", v.BytesRetrans}, {"bytes_acked", v.BytesAcked},
		{"bytes_received", v.BytesReceived}, {"segs_out", v.SegsOut}, {"segs_in", v.SegsIn},
		{"unacked", uint64(segments(v.Unacked))}, {"lost", uint64(segments(v.Lost))}, {"sacked", uint64(segments(v.Sacked))},
		{"rcv_space", uint64(v.RcvSpace)}, {"notsent", uint64(v.NotsentBytes)},
	} {
		if f.value != 0 {
			words = append(words, fmt.Sprintf("%s:%d", f.name, f.value))
		}
	}
	if v.PacingRate > 0 {
		words = append(words, fmt.Sprintf("pacing_rate:%dbps delivery_rate:%dbps", 8*v.PacingRate, 8*v.DeliveryRate))
	}
	if v.TotalRetrans > 0 {
		words = append(words, fmt.Sprintf("retrans:%d/%d", v.Retransmits, v.TotalRetrans))
	}
	if v.MinRTT > 0 {
		words = append(words, "minrtt:"+millis(v.MinRTT))
	}
	return strings.Join(words, " ")
}

// millis is a time in ms, to the microsecond, without trailing zeros.
func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', -1, 64)
}
