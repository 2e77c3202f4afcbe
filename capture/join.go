package capture

import (
	"net/netip"
	"slices"

	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/tcp"
	"tunstack/trace"
)

// joiner finds the packet that a record tells of. What arrives is seen before its record, and waits in its flow for it; what is
// sent is seen after its record, which waits in the flow for all packets that carry the segment, if it had to be cut.
type joiner struct {
	flows map[ends]*flow
}

// ends are those of a connection.
type ends struct{ local, remote netip.AddrPort }

// maxFlows is how many flows are kept in mind; who opens more loses some comments.
const maxFlows = 1 << 13

// flow is what is known of one connection.
type flow struct {
	arrived []arrival      // of which no record has come yet
	last    *held          // the one of which the last record came; nil: it was not found
	sent    *trace.Segment // the last that the connection has sent
	why     string         // it was sent
	loss    *trace.Record  // how the last loss was found
	delayed bool           // the timer has asked for an acknowledgment
}

// arrival is a packet with a segment.
type arrival struct {
	*held
	key key
}

// key is what a packet and the record about it have in common.
type key struct {
	flags    string
	seq, ack tcp.Seq
	wnd      uint16
	len      int
}

// flow returns that of the ends.
func (j *joiner) flow(e ends) *flow {
	f := j.flows[e]
	if f == nil {
		if len(j.flows) >= maxFlows {
			clear(j.flows)
		}
		f = &flow{}
		j.flows[e] = f
	}
	return f
}

// packet takes a packet, whose IP header starts data.
func (j *joiner) packet(h *held, data []byte) {
	var s tcp.Segment
	e, ok := parse(data, &s)
	if !ok {
		return
	}
	if !h.Out {
		f := j.flow(ends{e.remote, e.local})
		f.arrived = slices.DeleteFunc(f.arrived, func(a arrival) bool { return a.gone })
		f.arrived = append(f.arrived, arrival{h, key{s.Flags.String(), s.Seq, s.Ack, s.Wnd, s.DataLen()}})
		return
	}
	if f := j.flows[e]; f != nil && f.sent != nil && carries(f.sent, &s) {
		h.add(f.why)
	} else if s.Flags.Has(tcp.RST) {
		h.add("no connection: reset (RFC 9293 3.10.7.1)")
	}
}

// parse reads a TCP segment that is not a fragment, and its ends: local is its source.
func parse(data []byte, s *tcp.Segment) (ends, bool) {
	var h ipv4.Header
	if !h.Parse(data) || h.Protocol != ip.ProtocolTCP || h.MF || h.Offset > 0 {
		return ends{}, false
	}
	if n := int(h.TotalLen); n >= h.Len() && n < len(data) {
		data = data[:n]
	}
	if s.Parse(data[h.Len():]) != nil {
		return ends{}, false
	}
	return ends{netip.AddrPortFrom(h.Src, s.SrcPort), netip.AddrPortFrom(h.Dst, s.DstPort)}, true
}

// carries says whether s is r or a part of it.
func carries(r *trace.Segment, s *tcp.Segment) bool {
	return r.Ack == s.Ack && r.Seq.LessEq(s.Seq) && s.Seq.Add(s.DataLen()).LessEq(r.Seq.Add(r.Len))
}

// record takes a record. What a segment does is told between the record of its arrival and the next thing that a user or a timer
// does, or that is sent.
func (j *joiner) record(r *trace.Record) {
	e := ends{r.Local, r.Remote}
	f := j.flow(e)
	switch r.Kind {
	case trace.In:
		f.claim(r)
	case trace.Drop:
		f.note("dropped: " + r.Reason())
	case trace.Again:
		f.note("duplicate" + section(r.RFC))
	case trace.State:
		f.note("now " + r.Vars.State + section(r.RFC))
		if r.Vars.State == tcp.Closed.String() {
			delete(j.flows, e)
		}
	case trace.Loss:
		f.loss = r
	case trace.Fired:
		f.last, f.delayed = nil, f.delayed || r.Why == "delayed ACK"
	case trace.Out:
		f.sent, f.why = r.Segment, f.purpose(r)
		f.last, f.delayed = nil, false
	case trace.Read, trace.Write, trace.Close:
		f.last = nil
	}
}

// claim finds the packet of a segment that arrived.
func (f *flow) claim(r *trace.Record) {
	g := r.Segment
	k := key{g.Flags, g.Seq, g.Ack, g.Wnd, g.Len}
	f.last = nil
	for i, a := range f.arrived {
		if a.key == k && !a.gone {
			f.last = a.held
			f.last.add(r.Vars.State)
			f.arrived = slices.Delete(f.arrived, i, i+1)
			return
		}
	}
}

// note adds a remark to the packet that arrived last.
func (f *flow) note(text string) {
	if f.last != nil && !f.last.gone {
		f.last.add(text)
	}
}
