package tcp

import (
	"fmt"
	"time"

	"tunstack/internal/stats"
)

// drop counts a dropped segment under reason, and traces it. Each segment is dropped at most once. detail, which may be nil, returns the numbers
// that decided; drop calls it only if there is a tracer.
func (c *Conn) drop(now time.Duration, s *Segment, reason *stats.Counter, detail func(*Conn, *Segment) string) {
	reason.Inc()
	c.traceFate(now, s, SegmentDropped, reason, detail)
}

// noteDuplicate counts a segment all of which was received before, and traces it.
func (c *Conn) noteDuplicate(now time.Duration, s *Segment) {
	c.cfg.Stats.Duplicates.Inc()
	c.traceFate(now, s, SegmentDuplicate, &c.cfg.Stats.Duplicates, nil)
}

// traceFate traces a segment that is dropped or a duplicate.
func (c *Conn) traceFate(now time.Duration, s *Segment, k EventKind, reason *stats.Counter, detail func(*Conn, *Segment) string) {
	if c.tracer == nil {
		return
	}
	v := stats.Of(c.cfg.Stats, reason)
	seg := *s // a copy, as in traceSegment
	e := Event{Kind: k, Segment: &seg, Why: v.Name, RFC: v.RFC}
	if detail != nil {
		e.Detail = detail(c, &seg)
	}
	c.trace(now, e)
}

// Reason returns the reason of a SegmentDropped or SegmentDuplicate: the counter, the numbers that decided, and the section.
func (e Event) Reason() string {
	text := e.Why
	if e.Detail != "" {
		text += ", " + e.Detail
	}
	if e.RFC != "" {
		text += " (" + e.RFC + ")"
	}
	return text
}

// The following functions return details. Their numbers are relative to the initial sequence numbers, as in the trace.

func notInWindow(c *Conn, s *Segment) string {
	r := &c.rcv
	return fmt.Sprintf("seq %d:%d not in %d:%d", s.Seq.Sub(r.irs), s.End().Sub(r.irs), r.nxt.Sub(r.irs), r.edge.Sub(r.irs))
}

func notAtRcvNxt(c *Conn, s *Segment) string {
	return fmt.Sprintf("seq %d not at RCV.NXT %d", s.Seq.Sub(c.rcv.irs), c.rcv.nxt.Sub(c.rcv.irs))
}

func oldTimestamp(c *Conn, s *Segment) string {
	return fmt.Sprintf("TSval %d before TS.Recent %d", s.Options.TSVal, c.rcv.tsRecent)
}

func ackOfOurSyn(c *Conn, s *Segment) string {
	return fmt.Sprintf("ack %d not in %d:%d", s.Ack.Sub(c.snd.iss), 1, c.snd.nxt.Sub(c.snd.iss))
}

func ackNotOfSent(c *Conn, s *Segment) string {
	snd := &c.snd
	return fmt.Sprintf("ack %d not in %d:%d", s.Ack.Sub(snd.iss), snd.una.Sub(snd.iss)-snd.maxWnd, snd.nxt.Sub(snd.iss))
}
