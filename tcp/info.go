package tcp

import "time"

// Info is the state of a connection in the terms of Linux's struct tcp_info. Sizes are in bytes unless the field says otherwise.
type Info struct {
	State         State         `json:"state"`
	CAState       CAState       `json:"ca_state"`
	Retransmits   int           `json:"retransmits"` // retransmissions since SND.UNA has advanced
	Backoff       int           `json:"backoff"`
	Options       Negotiated    `json:"options"`
	RTO           time.Duration `json:"rto"`
	ATO           time.Duration `json:"ato"`
	SndMSS        int           `json:"snd_mss"`
	RcvMSS        int           `json:"rcv_mss"`
	Unacked       int           `json:"unacked"` // in flight
	Sacked        int           `json:"sacked"`
	Lost          int           `json:"lost"`
	RTT           time.Duration `json:"rtt"`
	RTTVar        time.Duration `json:"rttvar"`
	MinRTT        time.Duration `json:"minrtt"`
	RcvRTT        time.Duration `json:"rcv_rtt"` // measured by the echoes in the peer's data
	SndCwnd       int           `json:"cwnd"`
	SndSsthresh   int           `json:"ssthresh"`
	SndWnd        int           `json:"snd_wnd"`
	RcvWnd        int           `json:"rcv_wnd"`
	RcvSpace      int           `json:"rcv_space"`
	SndWscale     uint8         `json:"snd_wscale"`
	RcvWscale     uint8         `json:"rcv_wscale"`
	PMTU          int           `json:"pmtu"`
	TotalRetrans  uint64        `json:"total_retrans"` // segments
	BytesAcked    uint64        `json:"bytes_acked"`
	BytesReceived uint64        `json:"bytes_received"`
	BytesSent     uint64        `json:"bytes_sent"`
	BytesRetrans  uint64        `json:"bytes_retrans"`
	SegsOut       uint64        `json:"segs_out"`
	SegsIn        uint64        `json:"segs_in"`
	NotsentBytes  int           `json:"notsent"`
	Congestion    string        `json:"congestion"`
	PacingRate    uint64        `json:"pacing_rate"`     // bytes a second, like the next two; 0: nothing is paced
	MaxPacingRate uint64        `json:"max_pacing_rate"` // the user's bound; 0: none
	DeliveryRate  uint64        `json:"delivery_rate"`   // of the last round trip; only BBR measures it
}

// Info reports the connection's state.
func (c *Conn) Info() Info {
	snd, r := &c.snd, &c.rcv
	return Info{
		State: c.state, CAState: c.cc.state, Retransmits: snd.retries, Backoff: int(c.rtt.backoff),
		Options: c.negotiated(), RTO: c.rtt.timeout(c.cfg), ATO: c.cfg.DelayedAck,
		SndMSS: c.MSS(), RcvMSS: r.mss, Unacked: snd.nxt.Sub(snd.una), Sacked: snd.board.sacked, Lost: snd.board.lost,
		RTT: c.rtt.srtt, RTTVar: c.rtt.rttvar, MinRTT: c.rtt.min, RcvRTT: r.arrival.rtt, SndCwnd: c.cc.cwnd, SndSsthresh: c.cc.ssthresh,
		SndWnd: snd.wnd, RcvWnd: r.wnd(), RcvSpace: c.rcvLimit(), SndWscale: snd.shift, RcvWscale: r.shift, PMTU: c.mtu,
		TotalRetrans: c.counts.retransmits, BytesAcked: c.counts.bytesAcked, BytesReceived: c.counts.bytesReceived,
		BytesSent: c.counts.bytesSent, BytesRetrans: c.counts.bytesRetrans, SegsOut: c.counts.segsOut, SegsIn: c.counts.segsIn,
		PacingRate: uint64(c.cc.pace.rate()), MaxPacingRate: c.params.MaxPacingRate, DeliveryRate: c.cc.algorithm.deliveryRate(),
		NotsentBytes: snd.unsent(), Congestion: c.cc.name(),
	}
}
