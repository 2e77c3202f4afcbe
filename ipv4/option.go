package ipv4

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"

	"tunstack/ip"
)

// Option kinds (RFC 791 section 3.1). The high bit means that every fragment carries a copy.
const (
	optionEnd               = 0
	optionNOP               = 1
	optionRecordRoute       = 7
	optionTimestamp         = 68
	optionLooseSourceRoute  = 131
	optionStrictSourceRoute = 137
	optionRouterAlert       = 148 // RFC 2113

	optionCopied  = 0x80
	maxOptionsLen = MaxHeaderLen - HeaderLen
)

// options are the options of a header that IP itself acts on, as slices of the header.
type options struct {
	source, record, stamp []byte
	alert                 bool // Router Alert
}

// scanOptions checks the options of a header and returns those that IP acts on; it skips unknown options (RFC 1122 section
// 3.2.1.8). bad is the index of the first wrong byte, or -1.
func scanOptions(b []byte) (o options, bad int) {
	for i := 0; i < len(b); {
		switch b[i] {
		case optionEnd:
			return o, -1
		case optionNOP:
			i++
			continue
		}
		n := optionLen(b[i:])
		if n == 0 {
			return o, i
		}
		if at := o.take(b[i : i+n : i+n]); at >= 0 {
			return o, i + at
		}
		i += n
	}
	return o, -1
}

// ValidOptions reports whether packets can be sent with the options b: well-formed, and a source route not begun and with a hop.
func ValidOptions(b []byte) bool {
	o, bad := scanOptions(b)
	return len(b) <= MaxHeaderLen-HeaderLen && bad < 0 && (o.source == nil || len(o.source) >= 7 && o.source[2] == 4)
}

// optionLen is the length of the option at the start of b, neither End nor NOP; 0 if the length is invalid.
func optionLen(b []byte) int {
	if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
		return 0
	}
	return int(b[1])
}

// take records one option. It returns the index of the wrong byte in it, or -1.
func (o *options) take(opt []byte) int {
	var field *[]byte
	fixed, unit := 3, 4
	switch opt[0] {
	case optionLooseSourceRoute, optionStrictSourceRoute:
		field = &o.source
	case optionRecordRoute:
		field = &o.record
	case optionTimestamp:
		field, fixed = &o.stamp, 4
	case optionRouterAlert:
		o.alert = true
		return -1
	default:
		return -1
	}
	switch {
	case *field != nil:
		return 0
	case len(opt) < fixed:
		return 1
	case fixed == 4 && (opt[3]&15 == stampAddress || opt[3]&15 == stampSpecified):
		unit = 8
	}
	if (len(opt)-fixed)%unit != 0 {
		return 1
	}
	if at := int(opt[2]) - 1 - fixed; at < 0 || at%unit != 0 { // the pointer counts from one
		return 2
	}
	*field = opt
	return -1
}

// full reports whether the pointer of a route or timestamp option has passed its end.
func full(opt []byte) bool { return int(opt[2]) > len(opt) }

// record writes an address at the option's pointer.
func record(opt []byte, a netip.Addr) {
	if opt == nil || full(opt) {
		return
	}
	a4 := a.As4()
	copy(opt[opt[2]-1:], a4[:])
	opt[2] += 4
}

// Flags of the Timestamp option.
const (
	stampOnly      = 0
	stampAddress   = 1
	stampSpecified = 3
)

// stamp adds a timestamp. The high bit marks it as other than the time of day (RFC 791 section 3.1).
func stamp(opt []byte, a netip.Addr, now time.Duration) {
	if opt == nil {
		return
	}
	if full(opt) {
		if opt[3] < 0xf0 {
			opt[3] += 1 << 4 // one more stack without room
		}
		return
	}
	at := opt[opt[2]-1:]
	a4 := a.As4()
	switch opt[3] & 15 {
	case stampOnly:
	case stampAddress:
		at = at[copy(at, a4[:]):]
		opt[2] += 4
	case stampSpecified:
		if [4]byte(at) != a4 {
			return
		}
		at = at[4:]
		opt[2] += 4
	default:
		return
	}
	binary.BigEndian.PutUint32(at, uint32(now.Milliseconds())|1<<31)
	opt[2] += 4
}

// copiedOptions are the options that all fragments carry, not only the first.
func copiedOptions(b []byte) []byte {
	var kept []byte
	for i := 0; i < len(b) && b[i] != optionEnd; {
		if b[i] == optionNOP {
			i++
			continue
		}
		n := optionLen(b[i:])
		if n == 0 {
			break
		}
		if b[i]&optionCopied != 0 {
			kept = append(kept, b[i:i+n]...)
		}
		i += n
	}
	return kept
}

// ReplyOptions is the source route of an answer to a datagram with the options received: the recorded route reversed, in the
// form that Send takes (RFC 1122 section 3.2.1.8(c)); nil if there was none (ip.Family).
func (s *Stack) ReplyOptions(received []byte) []byte {
	o, bad := scanOptions(received)
	if bad >= 0 || len(o.source) < 7 {
		return nil
	}
	return appendReversed(nil, o.source)
}

func appendReversed(b, route []byte) []byte {
	hops := (len(route) - 3) / 4
	b = append(b, route[0], byte(3+4*hops), 4)
	for i := hops - 1; i >= 0; i-- {
		b = append(b, route[3+4*i:][:4]...)
	}
	return b
}

// EchoOptions are the options of the answer to a received echo request: the source route reversed, and Record Route and
// Timestamp with this stack added, so that they cover the whole round trip (RFC 1122 section 3.2.2.6).
func EchoOptions(d *ip.Datagram, now time.Duration) (b []byte) {
	o, bad := scanOptions(d.Options)
	if bad >= 0 {
		return nil
	}
	if len(o.source) >= 7 {
		b = appendReversed(b, o.source)
	}
	if o.record != nil {
		n := len(b)
		b = append(b, o.record...)
		record(b[n:], d.Dst)
	}
	if o.stamp != nil {
		n := len(b)
		b = append(b, o.stamp...)
		stamp(b[n:], d.Dst, now)
	}
	return b
}

// applyOptions writes the options of a datagram to be sent into its header and returns the path to its first hop. With a source
// route that is another path than to.
func (s *Stack) applyOptions(h *Header, opts []byte, to *ip.Path) (*ip.Path, error) {
	o, bad := scanOptions(opts)
	if bad >= 0 || len(opts) > maxOptionsLen {
		return nil, syscall.EINVAL
	}
	h.Options = opts
	if o.source == nil {
		return to, nil
	}
	if len(o.source) < 7 || len(o.source)%4 != 3 || o.source[2] != 4 {
		return nil, syscall.EINVAL
	}
	h.Options = append([]byte(nil), opts...)
	o, _ = scanOptions(h.Options)
	final := h.Dst.As4()
	h.Dst = netip.AddrFrom4([4]byte(o.source[3:]))
	copy(o.source[3:], o.source[7:])
	copy(o.source[len(o.source)-4:], final[:])
	first, err := s.ip.Route(h.Dst, h.Src)
	if err != nil {
		return nil, err
	}
	return first.Path(), nil
}
