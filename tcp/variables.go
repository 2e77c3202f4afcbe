package tcp

import "time"

// Variables are the variables of a connection under the names of the RFCs. Sizes are in bytes.
type Variables struct {
	State State

	ISS, SndUna, SndNxt Seq // RFC 9293 section 3.3.1
	SndWnd              int
	IRS, RcvNxt         Seq
	RcvWnd              int

	Cwnd, Ssthresh int    // RFC 5681; Ssthresh is 0 before the first loss
	CAState        string // open, recovery or loss
	Flight         int    // bytes in flight: sent and not acknowledged
	Sacked, Lost   int    // the parts of Flight that the peer has SACKed (RFC 2018), and that are taken for lost

	SRTT, RTTVar, RTO time.Duration // RFC 6298; RTO with its backoff

	Acked, Received, Retransmitted uint64 // bytes so far
}

// Variables reports the connection's variables.
func (c *Conn) Variables() Variables {
	snd, r := &c.snd, &c.rcv
	v := Variables{
		State: c.state,
		ISS:   snd.iss, SndUna: snd.una, SndNxt: snd.nxt, SndWnd: snd.wnd,
		IRS: r.irs, RcvNxt: r.nxt, RcvWnd: r.wnd(),
		Cwnd: c.cc.cwnd, Ssthresh: c.cc.ssthresh, CAState: c.cc.state.String(),
		Flight: snd.nxt.Sub(snd.una), Sacked: snd.board.sacked, Lost: snd.board.lost,
		SRTT: c.rtt.srtt, RTTVar: c.rtt.rttvar, RTO: c.rtt.timeout(c.cfg),
		Acked: c.counts.bytesAcked, Received: c.counts.bytesReceived, Retransmitted: c.counts.bytesRetrans,
	}
	if v.Ssthresh == infinite {
		v.Ssthresh = 0
	}
	return v
}
