package replay

import (
	"time"

	"tunstack/tcp"
)

// deed is what the recorded user did at the time of one of the recorded segments.
type deed struct {
	index              int // of the segment
	data               []byte
	open, close, abort bool
}

// ipHeaderLen is the length of the IPv4 header that an MSS leaves room for (RFC 9293 section 3.7.1).
const ipHeaderLen = 20

// player is a machine with the recorded one's initial sequence number, options and clock, as far as its SYN tells them.
func (c *Connection) player() *player {
	p := &player{setup: tcp.Setup{MTU: 1500, LinkMTU: 1500}, notes: map[int]string{}}
	p.setup.Tracer = p
	syn, found := c.syn()
	if found {
		p.setup.ISS = syn.Seq
		o := &syn.Options
		if o.MSS > 0 {
			p.setup.LinkMTU = int(o.MSS) + ipHeaderLen + tcp.HeaderLen
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

// ecnOf is the setting that makes the machine's SYN ask for ECN, or its SYN,ACK agree, as the recorded one did.
func ecnOf(syn *tcp.Segment) tcp.ECN {
	switch {
	case !syn.Flags.Has(tcp.ECE):
		return tcp.ECNOff
	case syn.Flags.Has(tcp.ACK):
		return tcp.ECNAccept
	}
	return tcp.ECNRequest
}

// syn is the first of our own.
func (c *Connection) syn() (segment, bool) {
	for _, s := range c.segments {
		if s.own && s.Flags.Has(tcp.SYN) {
			return s, true
		}
	}
	return segment{}, false
}

// noDelay says whether the recorded end has sent a small segment while others were not acknowledged: it does without Nagle's
// algorithm (RFC 9293 section 3.7.4).
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

// mss is the payload of a full segment of our own: what the peer's SYN allows, less the timestamps.
func (c *Connection) mss() int {
	mss := tcp.DefaultMSS
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

// maxMissing is how many bytes may be missing at once; a segment further away is forged, or of another connection.
const maxMissing = 1 << 20

// script derives what the user did. What was sent up to a PSH was written at once, when its first byte was sent.
func (c *Connection) script() []deed {
	var deeds []deed
	var nxt tcp.Seq
	write := -1 // the deed that further bytes belong to
	for i := range c.segments {
		s := &c.segments[i]
		if !s.own {
			continue
		}
		d := deed{index: i, open: s.Flags&(tcp.SYN|tcp.ACK) == tcp.SYN, abort: s.Flags.Has(tcp.RST)}
		if s.Flags.Has(tcp.SYN) {
			nxt = s.Seq.Add(1)
		}
		end := s.Seq.Add(s.DataLen())
		var fresh []byte
		n := end.Sub(nxt)                // that were not sent before
		missing := max(n-s.DataLen(), 0) // from the capture: zeros will do
		if n > 0 && missing <= maxMissing && s.Flags&(tcp.RST|tcp.SYN) == 0 {
			fresh = append(make([]byte, missing), s.Payload[s.DataLen()-(n-missing):]...)
			nxt = end
		}
		d.close = s.Flags.Has(tcp.FIN) && end == nxt
		switch {
		case fresh != nil && write >= 0:
			deeds[write].data = append(deeds[write].data, fresh...)
		case fresh != nil:
			d.data, write = fresh, len(deeds)
		}
		if d.open || d.abort || d.close || d.data != nil {
			deeds = append(deeds, d)
		}
		if s.Flags.Has(tcp.PSH) || d.close {
			write = -1
		}
	}
	return deeds
}
