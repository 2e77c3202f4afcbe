package capture

import (
	"net/netip"
	"slices"

	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
	"tunstack/tcp"
	"tunstack/trace"
)

// joiner finds the packets that belong to a record. A received packet comes before its record: the packet waits in its flow for the record.
// A sent packet comes after its record: the record waits in the flow for all packets of the segment, because a super-segment may be cut into
// several.
type joiner struct {
	flows map[ends]*flow
}

// ends are the two ends of a connection.
type ends struct{ local, remote netip.AddrPort }

// maxFlows bounds the flows. With more, some comments are lost.
const maxFlows = 1 << 13

// flow is the state of one connection.
type flow struct {
	arrived []arrival      // received packets whose record has not come yet
	last    *held          // the packet of the last record; nil: unknown
	sent    *trace.Segment // the last segment that the connection sent
	why     string         // the comment on sent
	loss    *trace.Record  // the last loss: it names the rule that detected it
	delayed bool           // the delayed-ACK timer has expired
}

// arrival is a packet with a segment.
type arrival struct {
	*held
	key key
}

// key identifies the packet of a record.
type key struct {
	flags    string
	seq, ack tcp.Seq
	wnd      uint16
	len      int
}

// flow returns the flow of e, a new one if there is none.
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

// packet finds the record of a packet; data starts with the packet's IP header.
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

// parse parses the TCP segment of a datagram that is not a fragment, and returns its ends; local is the source.
func parse(data []byte, s *tcp.Segment) (ends, bool) {
	d, ok := whole(data)
	if !ok || d.Protocol != ip.ProtocolTCP {
		return ends{}, false
	}
	if n := d.TotalLen; n >= d.HeaderLen && n < len(data) {
		data = data[:n]
	}
	if d.HeaderLen > len(data) || s.Parse(data[d.HeaderLen:]) != nil {
		return ends{}, false
	}
	return ends{netip.AddrPortFrom(d.Src, s.SrcPort), netip.AddrPortFrom(d.Dst, s.DstPort)}, true
}

// whole parses the header of a datagram of either family; false for a fragment.
func whole(data []byte) (ip.Datagram, bool) {
	if len(data) > 0 && data[0]>>4 == 6 {
		var h ipv6.Header
		ok := h.Parse(data)
		return h.Datagram, ok && !h.More && h.Offset == 0
	}
	var h ipv4.Header
	ok := h.Parse(data)
	return h.Datagram, ok && !h.MF && h.Offset == 0
}

// endsOf returns the ends of a record as packets have them: without zones.
func endsOf(r *trace.Record) ends {
	plain := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port()) }
	return ends{plain(r.Local), plain(r.Remote)}
}

// carries reports whether s is the segment r or a part of r.
func carries(r *trace.Segment, s *tcp.Segment) bool {
	return r.Ack == s.Ack && r.Seq.LessEq(s.Seq) && s.Seq.Add(s.DataLen()).LessEq(r.Seq.Add(r.Len))
}

// record finds the packets of a record. Records between a segment's arrival and the next user call, timer or transmission describe the effects of that
// segment.
func (j *joiner) record(r *trace.Record) {
	e := endsOf(r)
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

// claim finds the packet of a record of an arrival.
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

// note adds a remark to the packet of the last arrival.
func (f *flow) note(text string) {
	if f.last != nil && !f.last.gone {
		f.last.add(text)
	}
}
