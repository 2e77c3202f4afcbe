package replay

import (
	"time"

	"tunstack/tcp"
)

// call is what the recorded user called at the time of one of the recorded segments.
type call struct {
	index              int // of the segment
	data               []byte
	open, close, abort bool
}

// netHeader is the length in bytes of the IP header that an MSS leaves room for (RFC 9293 section 3.7.1).
func (c *Connection) netHeader() int {
	if c.Own.Addr().Is6() {
		return tcp.IPv6Header
	}
	return tcp.IPv4Header
}

// player returns a machine with the recorded end's initial sequence number, options and clock, as far as its SYN shows them.
func (c *Connection) player() *player {
	p := &player{setup: tcp.Setup{NetHeader: c.netHeader(), MTU: 1500, LinkMTU: 1500}, notes: map[int]string{}}
	p.setup.Tracer = p
	syn, found := c.syn()
	if found {
		p.setup.ISS = syn.Seq
		o := &syn.Options
		if o.MSS > 0 {
			p.setup.LinkMTU = int(o.MSS) + c.netHeader() + tcp.HeaderLen
			p.setup.MTU = p.setup.LinkMTU
		}
		p.setup.TSOffset = o.TSVal - uint32((birth+syn.at)/time.Millisecond)
		p.cfg.NoSACK, p.cfg.NoTimestamps, p.cfg.NoWindowScale = !o.SackPermitted, !o.HasTS, !o.HasScale
		if o.HasScale {
			p.cfg.MaxRcvBuf = 65535 << o.Scale
		}
		if syn.Wnd < 65535 {
			p.cfg.InitialRcvBuf = int(syn.Wnd)
		}
		p.cfg.ECN = ecnOf(&syn.Segment)
	}
	p.cfg = p.cfg.WithDefaults()
	p.params.NoDelay = c.noDelay()
	p.script = c.script()
	return p
}

// ecnOf returns the setting under which the machine's SYN requests ECN, or its SYN,ACK accepts it, as the recorded one did.
func ecnOf(syn *tcp.Segment) tcp.ECN {
	switch {
	case !syn.Flags.Has(tcp.ECE):
		return tcp.ECNOff
	case syn.Flags.Has(tcp.ACK):
		return tcp.ECNAccept
	}
	return tcp.ECNRequest
}

// syn returns the first SYN of our end.
func (c *Connection) syn() (segment, bool) {
	for _, s := range c.segments {
		if s.own && s.Flags.Has(tcp.SYN) {
			return s, true
		}
	}
	return segment{}, false
}

// noDelay reports whether the recorded end has sent a small segment while data were unacknowledged, that is, without Nagle's algorithm
// (RFC 9293 section 3.7.4).
func (c *Connection) noDelay() bool {
	var una, nxt tcp.Seq
	mss := c.mss()
	for i := range c.segments {
		s := &c.segments[i]
		switch {
		case s.own && s.Flags.Has(tcp.SYN):
			una, nxt = s.End(), s.End()
		case !s.own && s.Flags.Has(tcp.ACK) && una.Less(s.Ack):
			una = s.Ack
		case s.own && s.DataLen() > 0 && nxt.Less(s.End()):
			if s.DataLen()%mss != 0 && (una.Less(nxt) || s.DataLen() > mss) && !s.Flags.Has(tcp.FIN) {
				return true
			}
			nxt = s.End()
		}
	}
	return false
}

// mss returns the payload of a full segment of our end: the MSS of the peer's SYN, less the timestamps.
func (c *Connection) mss() int {
	mss := tcp.DefaultMSS(c.netHeader())
	stamped := false
	for i := range c.segments {
		s := &c.segments[i]
		if !s.own && s.Flags.Has(tcp.SYN) && s.Options.MSS > 0 {
			mss = int(s.Options.MSS)
		}
		if s.own && s.Flags.Has(tcp.SYN) && s.Options.MSS > 0 {
			mss = min(mss, int(s.Options.MSS))
		}
		stamped = stamped || s.own && !s.Flags.Has(tcp.SYN) && s.Options.HasTS
	}
	if stamped {
		mss -= 12
	}
	return max(mss, 1)
}

// maxMissing is the largest gap in bytes; a segment beyond it is forged, or of another connection.
const maxMissing = 1 << 20

// script derives the calls of the user. It assumes that data up to a PSH were written in one call, when their first byte was sent.
func (c *Connection) script() []call {
	var calls []call
	var nxt tcp.Seq
	write := -1 // the call that further bytes belong to
	for i := range c.segments {
		s := &c.segments[i]
		if !s.own {
			continue
		}
		data := unsent(s, &nxt)
		d := call{
			index: i, open: s.Flags&(tcp.SYN|tcp.ACK) == tcp.SYN, abort: s.Flags.Has(tcp.RST),
			close: s.Flags.Has(tcp.FIN) && s.Seq.Add(s.DataLen()) == nxt,
		}
		switch {
		case data != nil && write >= 0:
			calls[write].data = append(calls[write].data, data...)
		case data != nil:
			d.data, write = data, len(calls)
		}
		if d.open || d.abort || d.close || d.data != nil {
			calls = append(calls, d)
		}
		if s.Flags.Has(tcp.PSH) || d.close {
			write = -1
		}
	}
	return calls
}

// unsent returns the data of s from nxt on, SND.NXT of our end before s, and advances nxt over s. Data missing from the capture are
// zeros.
func unsent(s *segment, nxt *tcp.Seq) []byte {
	if s.Flags.Has(tcp.SYN) {
		*nxt = s.Seq.Add(1)
	}
	end := s.Seq.Add(s.DataLen())
	n := end.Sub(*nxt)
	missing := max(n-s.DataLen(), 0)
	if n <= 0 || missing > maxMissing || s.Flags&(tcp.RST|tcp.SYN) != 0 {
		return nil
	}
	*nxt = end
	return append(make([]byte, missing), s.Payload[s.DataLen()-(n-missing):]...)
}
