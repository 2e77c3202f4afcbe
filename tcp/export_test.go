package tcp

import (
	"fmt"
	"slices"
	"testing"
)

// Seeds is the number of runs of a randomised test: n, or an eighth of them under -short.
func Seeds(n int) int {
	if testing.Short() {
		return n / 8
	}
	return n
}

// Check holds the inside of a connection to what must be true at every moment.
func (c *Conn) Check() error {
	snd, r := &c.snd, &c.rcv
	switch {
	case snd.nxt.Less(snd.una):
		return fmt.Errorf("SND.NXT %d before SND.UNA %d", snd.nxt, snd.una)
	case c.state > SynSent && r.edge.Less(r.nxt):
		return fmt.Errorf("RCV.NXT %d beyond the right edge %d", r.nxt, r.edge)
	case c.state.synchronized() && c.state != Closed && c.state != TimeWait && c.cc.cwnd < 1:
		return fmt.Errorf("congestion window %d", c.cc.cwnd)
	case snd.retries < 0 || snd.dupAcks < 0:
		return fmt.Errorf("%d retries, %d duplicate ACKs", snd.retries, snd.dupAcks)
	case c.state == TimeWait && c.timers != timers{linger: c.timers.linger}:
		return fmt.Errorf("TIME-WAIT with timers %+v", c.timers)
	case c.state == Closed && c.timers != timers{}:
		return fmt.Errorf("CLOSED with timers %+v", c.timers)
	}
	if err := c.checkReassembler(); err != nil || c.state == Closed {
		return err
	}
	return c.checkScoreboard()
}

// checkScoreboard: the flights are what lies between SND.UNA and SND.NXT, and the sums are theirs.
func (c *Conn) checkScoreboard() error {
	snd := &c.snd
	sacked, lost, at := 0, 0, snd.una
	b := &snd.board
	visits := b.visits
	for p := b.first(); b.valid(p); p = b.next(p) {
		f := b.at(p)
		if f.Start != at || f.Len() <= 0 || f.sacked && f.lost || f.size == 0 {
			return fmt.Errorf("flight %+v after %d", f, at)
		}
		if f.waiting() && !f.retrans && f.Start.Less(b.fresh) {
			return fmt.Errorf("flight %+v before %d, where those sent once begin", f, b.fresh)
		}
		if f.lost && !slices.ContainsFunc(b.losses.holes, func(s Seq) bool { return s.Less(f.End) }) {
			return fmt.Errorf("lost flight %+v is not to be found", f)
		}
		if q := b.find(f.Start); q != p {
			return fmt.Errorf("flight %+v is found at %v, not %v", f, q, p)
		}
		at = f.End
		if f.sacked {
			sacked += f.Len()
		}
		if f.lost {
			lost += f.Len()
		}
	}
	b.visits = visits
	if at != snd.nxt || sacked != snd.board.sacked || lost != snd.board.lost || snd.pipe() < 0 {
		return fmt.Errorf("scoreboard ends at %d (SND.NXT %d), sacked %d (%d), lost %d (%d), pipe %d",
			at, snd.nxt, sacked, snd.board.sacked, lost, snd.board.lost, snd.pipe())
	}
	return nil
}

// checkReassembler: what is held out of order lies beyond RCV.NXT, in order, apart, and within the window.
func (c *Conn) checkReassembler() error {
	r := &c.rcv
	at := r.nxt
	for _, h := range r.reassembler.blocks {
		first := c.state == SynReceived && h.Start == r.nxt // text of a SYN that crossed ours
		if !first && !at.Less(h.Start) || !h.Start.Less(h.End) || r.edge.Less(h.End) {
			return fmt.Errorf("held %+v after %d, right edge %d", h, at, r.edge)
		}
		at = h.End
	}
	return nil
}

// Vars are the variables of RFC 9293 section 3.3.1, the windows as their right edges.
type Vars struct{ UNA, NXT, SndEdge, RcvNxt, RcvEdge Seq }

// Vars returns them.
func (c *Conn) Vars() Vars {
	return Vars{c.snd.una, c.snd.nxt, c.snd.una.Add(c.snd.wnd), c.rcv.nxt, c.rcv.edge}
}
