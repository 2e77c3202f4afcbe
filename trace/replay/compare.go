package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tunstack/tcp"
)

// Sign is the result of the comparison of a segment.
type Sign byte

const (
	Peer     Sign = ' ' // a segment of the peer, the input of both
	Same     Sign = '='
	Differs  Sign = '~' // the same segment with other fields, or at another time
	Recorded Sign = '-' // only recorded
	Ours     Sign = '+' // only the machine sent it
)

// Line is one segment, of the peer or of the end that the machine plays.
type Line struct {
	Sign    Sign
	At      time.Duration // since the first segment of the connection; the recorded time, if the segment was recorded
	State   tcp.State     // of the machine when it sent it
	Segment tcp.Segment   // with relative sequence numbers and without timestamps
	Note    string        // the differences, or the reason why the machine dropped it
}

// Result is the comparison of a replay with the recording.
type Result struct {
	Connection *Connection
	Lines      []Line // in the order of time
}

// Count returns the number of lines with a sign.
func (r *Result) Count(s Sign) (n int) {
	for i := range r.Lines {
		if r.Lines[i].Sign == s {
			n++
		}
	}
	return n
}

// Replay plays the connection and compares it with the recording. Times that differ by at most tolerance count as equal.
func (c *Connection) Replay(tolerance time.Duration) *Result {
	p := c.play()
	m := &matcher{base: c.base(), tolerance: tolerance, ours: map[identity][]*segment{}}
	mss := c.mss()
	for _, s := range wire(p.sent, mss) {
		m.ours[identify(&s)] = append(m.ours[identify(&s)], &s)
	}
	for i := range c.segments {
		s := &c.segments[i]
		if s.own {
			for _, part := range wire(c.segments[i:i+1], mss) {
				m.recorded(&part)
			}
			continue
		}
		m.add(Peer, s, p.notes[i])
	}
	for _, left := range m.ours {
		for _, s := range left {
			m.add(Ours, s, "")
		}
	}
	slices.SortStableFunc(m.lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.order(), b.order()))
	})
	return &Result{c, m.lines}
}

// order is the order of lines at the same time: a segment that only the machine sent follows the segment that causes it.
func (l *Line) order() int {
	if l.Sign == Ours {
		return 1
	}
	return 0
}

// base holds the initial sequence numbers of our end and of the peer.
type base struct{ own, peer tcp.Seq }

func (c *Connection) base() (b base) {
	seen := [2]bool{}
	for i := range c.segments {
		s := &c.segments[i]
		switch {
		case !s.Flags.Has(tcp.SYN):
		case s.own && !seen[0]:
			b.own, seen[0] = s.Seq, true
		case !s.own && !seen[1]:
			b.peer, seen[1] = s.Seq, true
		}
	}
	return b
}

// wire segments super-segments, as a device does: their sizes depend on timing and are not compared.
func wire(segments []segment, mss int) []segment {
	var parts []segment
	for _, s := range segments {
		for s.DataLen() > mss {
			part := s
			part.Payload, part.Flags, part.MSS = s.Payload[:mss], s.Flags&^(tcp.PSH|tcp.FIN), 0
			parts = append(parts, part)
			s.Payload, s.Seq = s.Payload[mss:], s.Seq.Add(mss)
		}
		parts = append(parts, s)
	}
	return parts
}

// identity identifies a segment for the comparison: by its sequence numbers, and without any by its acknowledgment.
type identity struct {
	flags    tcp.Flags
	seq, ack tcp.Seq
	len      int
}

func identify(s *segment) identity {
	k := identity{flags: s.Flags & (tcp.SYN | tcp.FIN | tcp.RST), seq: s.Seq, len: s.DataLen()}
	if s.Segment.Len() == 0 {
		k.ack = s.Ack
	}
	return k
}

// matcher pairs each recorded segment with one of the machine's: of equal identities the first with the first, the second with the second.
type matcher struct {
	base      base
	tolerance time.Duration
	ours      map[identity][]*segment
	lines     []Line
}

// recorded compares a recorded segment of the end that the machine plays.
func (m *matcher) recorded(s *segment) {
	same := m.ours[identify(s)]
	if len(same) == 0 {
		m.add(Recorded, s, "")
		return
	}
	m.ours[identify(s)] = same[1:]
	s.state = same[0].state
	if note := m.differences(s, same[0]); note != "" {
		m.add(Differs, s, note)
		return
	}
	m.add(Same, s, "")
}

func (m *matcher) add(sign Sign, s *segment, note string) {
	own, peer := m.base.own, m.base.peer
	if !s.own {
		own, peer = peer, own
	}
	t := s.Segment
	t.Seq -= own
	t.Ack -= peer
	t.Options.HasTS = false
	for i := range t.Options.Sack[:t.Options.SackCount] {
		t.Options.Sack[i].Start -= peer
		t.Options.Sack[i].End -= peer
	}
	m.lines = append(m.lines, Line{sign, s.at, s.state, t, note})
}

// differences lists the fields of the machine's segment o that differ from the recorded s. Windows differ only if one of them is closed:
// their sizes depend on memory.
func (m *matcher) differences(s, o *segment) string {
	var all []string
	if s.Flags != o.Flags {
		all = append(all, "flags "+o.Flags.String())
	}
	if s.Flags.Has(tcp.ACK) && s.Ack != o.Ack {
		all = append(all, fmt.Sprintf("ack %d", o.Ack-m.base.peer))
	}
	if (s.Wnd == 0) != (o.Wnd == 0) && !s.Flags.Has(tcp.RST) {
		all = append(all, fmt.Sprintf("win %d", o.Wnd))
	}
	if a, b := m.options(s), m.options(o); a != b {
		all = append(all, "<"+b+">")
	}
	if d := o.at - s.at; d.Abs() > m.tolerance {
		when := "later"
		if d < 0 {
			when = "earlier"
		}
		all = append(all, fmt.Sprintf("%v %s", d.Abs().Round(100*time.Microsecond), when))
	}
	return strings.Join(all, ", ")
}

// options returns the options of a segment, without the values of timestamps.
func (m *matcher) options(s *segment) string {
	o := s.Options
	o.TSVal, o.TSEcr = 0, 0
	for i := range o.Sack[:o.SackCount] {
		o.Sack[i].Start -= m.base.peer
		o.Sack[i].End -= m.base.peer
	}
	return o.String()
}
