package trace

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"tunstack/tcp"
)

// Ladder is the drawing of one connection: two lanes, ours on the left and the peer's on the right, and a rung for each event.
type Ladder struct {
	Local, Remote netip.AddrPort
	Rungs         []Rung

	probe *Segment // the tail loss probe that is not acknowledged; nil: none
}

// Rung is one line of a Ladder.
type Rung struct {
	At     time.Duration // since the first rung
	Gap    time.Duration // since the rung before, if that is at least gapShown; else 0
	Arrow  Arrow
	Mark   Mark
	Margin string // our new state, or the call of our user
	Text   string // the segment, or a remark between the lanes

	start, end tcp.Seq // the sequence numbers of a segment that was sent
}

// Arrow is the direction of a segment.
type Arrow uint8

const (
	NoArrow Arrow = iota
	Sent
	Arrived
)

// Mark is the way in which a rung stands out.
type Mark uint8

const (
	Plain       Mark = iota
	LostMark         // a segment that was lost: its bytes were retransmitted
	ResentMark       // a retransmission
	DroppedMark      // a segment that arrived and was dropped
	StateMark        // a change of state
	NoteMark         // another event on our side
)

// gapShown is the shortest time between two rungs that is shown as a gap.
const gapShown = 150 * time.Millisecond

// Pen draws the rungs of one connection as its records arrive. The zero value is ready for use.
type Pen struct {
	drawing     bool
	start, last time.Duration
}

// Rung draws a record; false if it has no rung.
func (p *Pen) Rung(r *Record) (Rung, bool) {
	g, ok := rungOf(r)
	if !ok {
		return g, false
	}
	if !p.drawing {
		p.drawing, p.start, p.last = true, r.At, r.At
		if g.Arrow != NoArrow {
			g.Margin = r.Vars.State
		}
	}
	g.At = r.At - p.start
	if gap := r.At - p.last; gap >= gapShown {
		g.Gap = gap
	}
	p.last = r.At
	return g, true
}

// Draw draws the records of one connection. Unlike a Pen it knows later records: it marks the segments that were lost and dropped.
func Draw(records []Record) *Ladder {
	l := &Ladder{}
	var pen Pen
	for i := range records {
		r := &records[i]
		g, ok := pen.Rung(r)
		if !ok {
			continue
		}
		if len(l.Rungs) == 0 {
			l.Local, l.Remote = r.Local, r.Remote
		}
		l.mark(r)
		l.Rungs = append(l.Rungs, g)
	}
	return l
}

// mark marks the earlier rungs that a record is about.
func (l *Ladder) mark(r *Record) {
	switch {
	case r.Kind == Drop:
		l.markDropped(r)
	case r.Kind == Out && r.Why == "retransmission":
		l.markLost(r.Segment.Seq)
	case r.Kind == Out && r.Why == "tail loss probe":
		l.probe = r.Segment
	case r.Kind == In && l.probe != nil && l.probe.end().LessEq(r.Segment.Ack):
		if !strings.Contains(r.Segment.Options, "sack") { // else a D-SACK shows that the peer has it twice
			l.markLost(l.probe.Seq)
		}
		l.probe = nil
	}
}

// rungOf returns the rung of a record; false for records that would clutter the drawing.
func rungOf(r *Record) (Rung, bool) {
	switch r.Kind {
	case In:
		return Rung{Arrow: Arrived, Text: brief(r.Segment, "")}, true
	case Out:
		g := Rung{Arrow: Sent, Text: brief(r.Segment, resent[r.Why]), start: r.Segment.Seq, end: r.Segment.end()}
		if resent[r.Why] != "" {
			g.Mark = ResentMark
		}
		return g, true
	case State:
		return Rung{Margin: r.Vars.State, Mark: StateMark}, true
	case Read, Write:
		return Rung{Margin: fmt.Sprintf("%s %d", r.Kind, r.Bytes), Mark: NoteMark}, true
	case Close:
		return Rung{Margin: r.Why + "()", Mark: NoteMark}, true
	case Fired:
		return Rung{Text: "timer: " + r.Why, Mark: NoteMark}, r.Why != "delayed ACK"
	case Loss:
		return Rung{Text: fmt.Sprintf("%s lost, by %s (%s)", bytes(r.Bytes), r.Why, r.RFC), Mark: NoteMark}, true
	case Undone:
		return Rung{Text: fmt.Sprintf("nothing was lost, by %s (%s)", r.Why, r.RFC), Mark: NoteMark}, true
	case Drop:
		return Rung{Text: "dropped: " + r.Reason(), Mark: NoteMark}, true
	case Again:
		return Rung{Text: "duplicate (" + r.RFC + ")", Mark: NoteMark}, true
	case Gap:
		return Rung{Text: fmt.Sprintf("%d records are missing", r.Bytes), Mark: NoteMark}, true
	}
	return Rung{}, false
}

func bytes(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return strconv.Itoa(n) + " bytes"
}

// resent is the remark on a segment that is not sent for the first time, by Record.Why.
var resent = map[string]string{"retransmission": " (resent)", "tail loss probe": " (TLP)", "probe": " (window probe)"}

// brief returns a segment as text without timestamps, with a remark, and with its payload if that is text.
func brief(s *Segment, remark string) string {
	text := s.Text
	if before, options, ok := strings.Cut(text, " <"); ok {
		list, rest, _ := strings.Cut(options, ">")
		var kept []string
		for o := range strings.SplitSeq(list, ",") {
			if !strings.HasPrefix(o, "TS val") {
				kept = append(kept, o)
			}
		}
		if text = before + rest; len(kept) > 0 {
			text = before + " <" + strings.Join(kept, ",") + ">" + rest
		}
	}
	text += remark
	if s.Payload != "" {
		text += " " + strconv.Quote(s.Payload)
	}
	return text
}

// markLost marks the first segment that carried seq.
func (l *Ladder) markLost(seq tcp.Seq) {
	for i := range l.Rungs {
		if g := &l.Rungs[i]; g.Arrow == Sent && g.Mark != LostMark && g.start.LessEq(seq) && seq.Less(g.end) {
			g.Mark = LostMark
			return
		}
	}
}

// markDropped marks the segment that r says is dropped.
func (l *Ladder) markDropped(r *Record) {
	for i := len(l.Rungs) - 1; i >= 0; i-- {
		if g := &l.Rungs[i]; g.Arrow == Arrived {
			if g.Text == brief(r.Segment, "") {
				g.Mark = DroppedMark
			}
			return
		}
	}
}
