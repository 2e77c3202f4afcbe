// Package trace makes Records of the events of TCP connections, and draws them as ladders. The packages beside it plot, step through and
// replay connections.
//
// A Hub passes the events of a stack's connections to watchers, as Records: plain values that can be kept, sent over a socket as JSON and
// read again. A Ladder is a drawing of one connection's Records.
package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"tunstack/internal/escape"
	"tunstack/tcp"
)

// Kind is the kind of event of a Record, with the values of the JSON.
type Kind string

const (
	In     Kind = "in"        // a segment arrived
	Out    Kind = "out"       // a segment was sent; Why is the reason
	Drop   Kind = "drop"      // the segment that arrived was dropped; Why is the counter, RFC the section
	Again  Kind = "duplicate" // all data of the segment that arrived were received before: only its ACK is used
	State  Kind = "state"     // the state changed from From to Vars.State
	Timer  Kind = "timer"     // the timer Why was set to Deadline; 0: stopped
	Fired  Kind = "fired"     // the timer Why expired
	Change Kind = "change"    // Vars have changed since the segment arrived, the timer expired or the user called
	RTT    Kind = "rtt"       // a round-trip time of RTT was measured
	Loss   Kind = "loss"      // Bytes are marked lost by the rule Why
	Undone Kind = "undone"    // nothing was lost, as the rule Why shows: the window is restored
	Read   Kind = "read"      // the user read Bytes
	Write  Kind = "write"     // the user wrote Bytes
	Close  Kind = "close"     // the user's call Why: close, shutdown or abort
	Gap    Kind = "gap"       // Bytes is the number of records missing here, because the reader was too slow
)

var kinds = map[tcp.EventKind]Kind{
	tcp.SegmentIn: In, tcp.SegmentOut: Out, tcp.SegmentDropped: Drop, tcp.SegmentDuplicate: Again, tcp.StateChanged: State,
	tcp.TimerArmed: Timer, tcp.TimerFired: Fired, tcp.VariablesChanged: Change, tcp.RoundTripSample: RTT,
	tcp.LossDetected: Loss, tcp.RecoveryUndone: Undone, tcp.UserRead: Read, tcp.UserWrote: Write, tcp.UserClosed: Close,
}

// Record is one tcp.Event as a plain value, with the connection's variables at that time.
type Record struct {
	At       time.Duration  `json:"at"` // since the stack's start
	Local    netip.AddrPort `json:"local"`
	Remote   netip.AddrPort `json:"remote"`
	Kind     Kind           `json:"kind"`
	Segment  *Segment       `json:"segment,omitempty"`
	Why      string         `json:"why,omitempty"`
	RFC      string         `json:"rfc,omitempty"`    // the section that decided
	Detail   string         `json:"detail,omitempty"` // of a drop: the numbers that decided, relative to the initial sequence numbers
	From     string         `json:"from,omitempty"`
	Deadline time.Duration  `json:"deadline,omitempty"`
	RTT      time.Duration  `json:"rtt,omitempty"`
	Bytes    int            `json:"bytes,omitempty"`
	Vars     Vars           `json:"vars"`
}

// UnmarshalJSON parses a Record from an untrusted source: it rejects one that New does not make, and escapes control characters.
func (r *Record) UnmarshalJSON(b []byte) error {
	type plain Record
	if err := json.Unmarshal(b, (*plain)(r)); err != nil {
		return err
	}
	switch {
	case r.Segment == nil && (r.Kind == In || r.Kind == Out || r.Kind == Drop):
		return fmt.Errorf("a record of kind %q without a segment", r.Kind)
	case r.At < 0 || r.RTT < 0 || r.Bytes < 0:
		return errors.New("a record with a negative number")
	}
	r.Local, r.Remote = withoutZone(r.Local), withoutZone(r.Remote)
	r.Kind = Kind(escape.String(string(r.Kind)))
	for _, text := range []*string{&r.Why, &r.RFC, &r.Detail, &r.From, &r.Vars.State, &r.Vars.CAState} {
		*text = escape.String(*text)
	}
	if s := r.Segment; s != nil {
		for _, text := range []*string{&s.Flags, &s.Options, &s.Text} {
			*text = escape.String(*text)
		}
		s.Payload = readable([]byte(s.Payload))
	}
	return nil
}

// withoutZone removes the zone of an IPv6 address, which can be any text.
func withoutZone(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// Reason describes why a segment was dropped.
func (r *Record) Reason() string { return tcp.Event{Why: r.Why, Detail: r.Detail, RFC: r.RFC}.Reason() }

// Segment is the part of a tcp.Segment that a Record keeps. Its numbers are those of the wire, except in Text.
type Segment struct {
	Flags   string  `json:"flags"` // in tcpdump's letters
	Seq     tcp.Seq `json:"seq"`
	Ack     tcp.Seq `json:"ack"`
	Wnd     uint16  `json:"wnd"` // not scaled
	Len     int     `json:"len"` // bytes of payload
	Options string  `json:"options,omitempty"`
	Text    string  `json:"text"`              // tcpdump's notation, with relative numbers
	Payload string  `json:"payload,omitempty"` // its beginning, if it is text
}

// end is the sequence number after the segment.
func (s *Segment) end() tcp.Seq {
	n := s.Len
	for _, flag := range s.Flags {
		if flag == 'S' || flag == 'F' {
			n++
		}
	}
	return s.Seq.Add(n)
}

// Vars are tcp.Variables with names for JSON.
type Vars struct {
	State    string        `json:"state"`
	ISS      tcp.Seq       `json:"iss"`
	SndUna   tcp.Seq       `json:"una"`
	SndNxt   tcp.Seq       `json:"nxt"`
	SndWnd   int           `json:"wnd"`
	IRS      tcp.Seq       `json:"irs"`
	RcvNxt   tcp.Seq       `json:"rcv_nxt"`
	RcvWnd   int           `json:"rcv_wnd"`
	Cwnd     int           `json:"cwnd"`
	Ssthresh int           `json:"ssthresh"` // 0: none yet
	CAState  string        `json:"ca_state"`
	Flight   int           `json:"flight"` // sent and not acknowledged, bytes
	Sacked   int           `json:"sacked"` // of Flight, as Lost
	Lost     int           `json:"lost"`
	SRTT     time.Duration `json:"srtt"`
	RTTVar   time.Duration `json:"rttvar"`
	RTO      time.Duration `json:"rto"`
	Acked    uint64        `json:"acked"` // bytes so far, as those below
	Received uint64        `json:"received"`
	Resent   uint64        `json:"resent"`
}

// varsOf returns a connection's variables.
func varsOf(c *tcp.Conn) Vars {
	v := c.Variables()
	return Vars{
		State: v.State.String(), ISS: v.ISS, SndUna: v.SndUna, SndNxt: v.SndNxt, SndWnd: v.SndWnd,
		IRS: v.IRS, RcvNxt: v.RcvNxt, RcvWnd: v.RcvWnd,
		Cwnd: v.Cwnd, Ssthresh: v.Ssthresh, CAState: v.CAState, Flight: v.Flight, Sacked: v.Sacked, Lost: v.Lost,
		SRTT: v.SRTT, RTTVar: v.RTTVar, RTO: v.RTO,
		Acked: v.Acked, Received: v.Received, Resent: v.Retransmitted,
	}
}

// New makes a Record of an event of c, the connection between local and remote.
func New(now time.Duration, local, remote netip.AddrPort, c *tcp.Conn, e tcp.Event) Record {
	r := Record{
		At: now, Local: local, Remote: remote, Kind: kinds[e.Kind], Why: e.Why, RFC: e.RFC, Detail: e.Detail,
		Deadline: e.At, RTT: e.RTT, Bytes: e.Bytes, Vars: varsOf(c),
	}
	if e.Kind == tcp.StateChanged {
		r.From = e.From.String()
	}
	if e.Segment != nil {
		r.Segment = segmentOf(e.Segment, originOf(e, c.Variables()))
	}
	if r.RFC == "" {
		r.RFC = section(&r)
	}
	return r
}

// origin holds the initial sequence numbers of a segment's sender and of its receiver.
type origin struct{ own, peer tcp.Seq }

func originOf(e tcp.Event, v tcp.Variables) origin {
	switch {
	case e.Kind == tcp.SegmentOut:
		return origin{v.ISS, v.IRS}
	case e.Segment.Flags.Has(tcp.SYN): // v does not have it yet
		return origin{e.Segment.Seq, v.ISS}
	}
	return origin{v.IRS, v.ISS}
}

func segmentOf(s *tcp.Segment, from origin) *Segment {
	return &Segment{
		Flags: s.Flags.String(), Seq: s.Seq, Ack: s.Ack, Wnd: s.Wnd, Len: s.DataLen(),
		Options: s.Options.String(), Text: from.relative(*s).String(), Payload: readable(s.Payload),
	}
}

// relative counts the numbers of a segment from the initial sequence numbers, as tcpdump does.
func (o origin) relative(s tcp.Segment) *tcp.Segment {
	s.Seq -= o.own
	s.Ack -= o.peer
	for i := range s.Options.Sack[:s.Options.SackCount] {
		s.Options.Sack[i].Start -= o.peer
		s.Options.Sack[i].End -= o.peer
	}
	return &s
}

// payloadLen is the number of payload bytes that a Record keeps.
const payloadLen = 40

// readable returns the beginning of a payload, or "" if it has anything but printable ASCII and ends of lines.
func readable(p []byte) string {
	p = p[:min(len(p), payloadLen)]
	for _, b := range p {
		if (b < ' ' || b > '~') && b != '\r' && b != '\n' {
			return ""
		}
	}
	return string(p)
}

// ended reports whether no further record of the connection is expected.
func (r *Record) ended() bool { return r.Kind == State && over(r.Vars.State) }

// over reports whether no further record is expected in a state: in TIME-WAIT a connection only waits.
func over(state string) bool { return state == tcp.Closed.String() || state == tcp.TimeWait.String() }
