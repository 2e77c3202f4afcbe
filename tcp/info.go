package tcp

import "time"

// Info is what TCP_INFO reports, in the fields of Linux's struct tcp_info.
type Info struct {
	State         State
	CAState       string // open, disorder, recovery, loss
	Retransmits   int    // of the segment at una, since the last progress
	Backoff       int
	Options       string // as ss prints them: "ts sack ecn wscale:7,7"
	RTO, ATO      time.Duration
	SndMSS        int
	RcvMSS        int
	Unacked       int // octets in flight
	Sacked, Lost  int // octets
	RTT, RTTVar   time.Duration
	MinRTT        time.Duration
	SndCwnd       int // octets
	SndSsthresh   int // octets
	SndWnd        int
	RcvWnd        int
	RcvSpace      int
	TotalRetrans  int // segments
	BytesAcked    uint64
	BytesReceived uint64
	BytesSent     uint64
	BytesRetrans  uint64
	SegsOut       uint64
	SegsIn        uint64
	NotsentBytes  int
	Congestion    string
}
