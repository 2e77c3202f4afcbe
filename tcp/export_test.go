package tcp

import (
	"fmt"
	"slices"
	"testing"

	"tunstack/internal/race"
)

// Seeds is the number of runs of a randomised test: n, or an eighth of them under -short.
func Seeds(n int) int {
	if testing.Short() {
		return n / 8
	}
	return n
}

// SkipBulk skips the simulation of a long transfer under -short and with the race detector. The machines of a simulation run in one
// goroutine, where the detector finds nothing and makes them twenty times slower.
func SkipBulk(t *testing.T) {
	t.Helper()
	if testing.Short() || race.Enabled {
		t.Skip("simulates a long transfer; runs without -short and -race")
	}
}

// Check tests the invariants that the types of a connection state.
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
	case c.timers.rexmt != 0 && snd.una == snd.nxt || c.timers.persist != 0 && snd.una != snd.nxt:
		return fmt.Errorf("SND.UNA %d, SND.NXT %d with timers %+v", snd.una, snd.nxt, c.timers)
	case c.cc.state != CAOpen && c.cc.repair == nil:
		return fmt.Errorf("%v without a record of the recovery", c.cc.state)
	case r.closed && !(r.hasFin && r.nxt == r.fin+1):
		return fmt.Errorf("RCV.NXT %d beyond a FIN at %d (%v)", r.nxt, r.fin, r.hasFin)
	}
	if err := c.checkReassembler(); err != nil || c.state == Closed {
		return err
	}
	return c.checkScoreboard()
}

// checkScoreboard tests the invariants of scoreboard, flights and losses.
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
			return fmt.Errorf("flight %+v before fresh %d", f, b.fresh)
		}
		if f.lost && !slices.ContainsFunc(b.losses.holes, func(s Seq) bool { return s.Less(f.End) }) {
			return fmt.Errorf("lost flight %+v is not among the holes", f)
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

// checkReassembler tests the invariants of reassembler.
func (c *Conn) checkReassembler() error {
	r, g := &c.rcv, &c.rcv.reassembler
	at, memory := r.nxt, 0
	for i := range g.blocks {
		b := &g.blocks[i]
		first := c.state == SynReceived && b.Start == r.nxt // text of a SYN that crossed ours
		if !first && !at.Less(b.Start) || !b.Start.Less(b.End) || r.edge.Less(b.End) {
			return fmt.Errorf("block %+v after %d, right edge %d", b, at, r.edge)
		}
		if n := b.bytes.Len(); n != b.Len() && !(r.shut && n == 0) {
			return fmt.Errorf("block %+v with %d bytes", b, n)
		}
		at = b.End
		memory += b.bytes.Memory()
	}
	if memory != g.memory || (g.latest == nil) != (len(g.blocks) == 0) {
		return fmt.Errorf("memory %d of %d, %d blocks, latest %v", g.memory, memory, len(g.blocks), g.latest)
	}
	return nil
}

// Vars are the variables of RFC 9293 section 3.3.1, with the windows as their right edges.
type Vars struct{ UNA, NXT, SndEdge, RcvNxt, RcvEdge Seq }

// Vars returns the variables.
func (c *Conn) Vars() Vars {
	return Vars{c.snd.una, c.snd.nxt, c.snd.una.Add(c.snd.wnd), c.rcv.nxt, c.rcv.edge}
}
