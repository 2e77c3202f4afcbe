package socket

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"tunstack/ip"
	"tunstack/tcp"
)

// SYN cookies (RFC 4987 section 3.6): while the number of half-open connections is at its limit, the SYN,ACK carries all the state that
// the stack would otherwise keep. All 32 bits of its sequence number are a keyed hash of the connection, the peer's sequence number, the
// period of 64 s and a class of MSS. The number reveals none of them, and at any time 8 of 2^32 numbers are valid for a connection (4
// classes, 2 periods). The low bits of the timestamp, which the peer echoes, hold window scale, SACK and ECN.

const (
	cookiePeriod   = 64 * time.Second
	cookieLifetime = 2 // periods
	cookieTSBits   = 6 // low bits of the timestamp: window scale (4 bits; 15: none), SACK, ECN
	cookieNoScale  = 15
)

// cookieClasses are classes of MSS, from large to small; the third is that of a peer that announces none. Each additional class makes it
// easier to guess a cookie.
type cookieClasses [4]uint16

var (
	cookieMSS  = cookieClasses{1460, 1360, 536, 88}
	cookieMSS6 = cookieClasses{1440, 1360, 1220, 88}
)

// classesFor are the classes of a connection.
func classesFor(id ip.FourTuple) *cookieClasses {
	if id.Version() == ip.V6 {
		return &cookieMSS6
	}
	return &cookieMSS
}

// cookies make and check SYN cookies.
type cookies struct{ key secret }

// numbers returns the cookies of a SYN in a period, one for each class.
func (k *cookies) numbers(id ip.FourTuple, syn tcp.Seq, period uint32) (list [len(cookieClasses{})]tcp.Seq) {
	var space [64]byte
	b := id.Append(append(space[:0], k.key[:]...))
	b = binary.BigEndian.AppendUint32(b, uint32(syn))
	b = binary.BigEndian.AppendUint32(b, period)
	h := sha256.Sum256(b)
	for i := range list {
		list[i] = tcp.Seq(binary.BigEndian.Uint32(h[4*i:]))
	}
	return list
}

// make returns the initial sequence number of the SYN,ACK that answers syn.
func (k *cookies) make(now time.Duration, id ip.FourTuple, syn *tcp.Segment) tcp.Seq {
	classes := classesFor(id)
	mss := cmp.Or(syn.Options.MSS, classes[2])
	class := slices.IndexFunc(classes[:], func(m uint16) bool { return m <= mss })
	if class < 0 {
		class = len(classes) - 1
	}
	return k.numbers(id, syn.Seq, uint32(now/cookiePeriod))[class]
}

// check returns the MSS of the cookie's class; false if this stack has not made the cookie for this connection in the last two periods.
func (k *cookies) check(now time.Duration, id ip.FourTuple, cookie, syn tcp.Seq) (uint16, bool) {
	current := uint32(now / cookiePeriod)
	for age := range min(cookieLifetime, current+1) {
		list := k.numbers(id, syn, current-age)
		if class := slices.Index(list[:], cookie); class >= 0 {
			return classesFor(id)[class], true
		}
	}
	return 0, false
}

// cookieTimestamp returns the latest timestamp, not after now, that has the options of a SYN in its low bits.
func cookieTimestamp(now uint32, o *tcp.Options, ecn bool) uint32 {
	bits := uint32(cookieNoScale)
	if o.HasScale {
		bits = uint32(o.Scale)
	}
	if o.SackPermitted {
		bits |= 1 << 4
	}
	if ecn {
		bits |= 1 << 5
	}
	ts := now&^(1<<cookieTSBits-1) | bits
	if int32(ts-now) > 0 {
		ts -= 1 << cookieTSBits
	}
	return ts
}

// cookieOptions restores the options of a SYN from the echoed timestamp.
func cookieOptions(ts uint32, o *tcp.Options) (ecn bool) {
	if scale := ts & 15; scale != cookieNoScale {
		o.HasScale, o.Scale = true, uint8(scale)
	}
	o.SackPermitted = ts>>4&1 == 1
	return ts>>5&1 == 1
}

// sendCookie answers a SYN with a cookie and keeps no state.
func (s *Stack) sendCookie(now time.Duration, f *flow, set *settings, syn *tcp.Segment) {
	setup := s.setup(now, f, set)
	setup.ISS = s.cookies.make(now, f.id, syn)
	if !syn.Options.HasTS { // without a timestamp there is no room for these options
		syn.Options.SackPermitted, syn.Options.HasScale = false, false
		syn.Flags &^= tcp.ECE | tcp.CWR
	}
	var synAck tcp.Segment
	if !tcp.Accept(now, &s.cfg.Config, set.params, setup, syn).Output(now, &synAck) {
		return
	}
	if o := &synAck.Options; o.HasTS {
		clock := o.TSVal - setup.TSOffset
		o.TSVal = cookieTimestamp(clock, &syn.Options, synAck.Flags.Has(tcp.ECE)) + setup.TSOffset
	}
	s.stats.CookiesOut.Inc()
	_ = s.transmit(now, f, set, &synAck) // after an error the peer retransmits its SYN, as after a lost SYN,ACK
}

// readCookie restores the SYN of a handshake from the cookie in its final ACK; false if the ACK has no valid cookie.
func (s *Stack) readCookie(now time.Duration, f *flow, ack *tcp.Segment) (tcp.Segment, bool) {
	mss, ok := s.cookies.check(now, f.id, ack.Ack-1, ack.Seq-1)
	syn := tcp.Segment{Flags: tcp.SYN, Seq: ack.Seq - 1, Wnd: ack.Wnd, Options: tcp.Options{MSS: mss}}
	if ok && ack.Options.HasTS {
		syn.Options.HasTS, syn.Options.TSVal = true, ack.Options.TSVal
		_, offset := s.secret.derive(f.id)
		if cookieOptions(ack.Options.TSEcr-offset, &syn.Options) {
			syn.Flags |= tcp.ECE | tcp.CWR
		}
	}
	return syn, ok
}
