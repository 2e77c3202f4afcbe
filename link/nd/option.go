package nd

import "tunstack/internal/stats"

// Types of options (RFC 4861 section 4.6, RFC 3971, RFC 4191, RFC 8106).
const (
	optSourceLinkLayer  = 1
	optTargetLinkLayer  = 2
	optPrefix           = 3
	optRedirectedHeader = 4
	optMTU              = 5
	optNonce            = 14
	optRoute            = 24
	optRDNSS            = 25
	optDNSSL            = 31
)

const optionHeader = 2 // type and length; the length counts units of 8 bytes, the header included

// options are the options of a message, in any order and number. Unknown ones are skipped.
type options []byte

// all yields the type and the content of each option.
func (o options) all(yield func(typ uint8, content []byte) bool) {
	for len(o) > 0 {
		n := 8 * int(o[1])
		if !yield(o[0], o[optionHeader:n]) {
			return
		}
		o = o[n:]
	}
}

// check returns the reason for discarding a message with these options. After it, all can be called. linkLayer is the type of the
// link-layer address that the message may have: the contents of options that it does not use do not matter (RFC 4861 sections 6.1, 7.1
// and 8.1).
func (o options) check(c *counters, linkLayer uint8) *stats.Counter {
	for rest := o; len(rest) > 0; {
		if len(rest) < optionHeader || rest[1] == 0 || 8*int(rest[1]) > len(rest) {
			return &c.DropOption
		}
		typ, content := rest[0], rest[optionHeader:8*int(rest[1])]
		if typ == linkLayer && !isStation(content) {
			return &c.DropLinkLayer
		}
		rest = rest[8*int(rest[1]):]
	}
	return nil
}

// isStation reports whether the content of an option is the address of an Ethernet station.
func isStation(content []byte) bool {
	return len(content) == 6 && content[0]&1 == 0 && LinkLayer(content) != LinkLayer{}
}

// first is the content of the first option of a type; nil: there is none.
func (o options) first(typ uint8) []byte {
	for t, content := range o.all {
		if t == typ {
			return content
		}
	}
	return nil
}

// linkLayer is the address in the first option of a type.
func (o options) linkLayer(typ uint8) (a LinkLayer) {
	copy(a[:], o.first(typ))
	return a
}

// appendOption appends an option, padded with zeros.
func appendOption(b []byte, typ uint8, content []byte) []byte {
	units := (optionHeader + len(content) + 7) / 8
	b = append(append(b, typ, uint8(units)), content...)
	return append(b, make([]byte, 8*units-optionHeader-len(content))...)
}

// appendLinkLayer appends an option with the link-layer address a; with the zero a it appends nothing.
func appendLinkLayer(b []byte, typ uint8, a LinkLayer) []byte {
	if a == (LinkLayer{}) {
		return b
	}
	return appendOption(b, typ, a[:])
}
