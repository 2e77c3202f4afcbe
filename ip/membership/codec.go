package membership

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// The parts of messages that IGMPv3 and MLDv2 have in common, but for the length of addresses.

// ParseV3 reads what follows the group in a query of V3: flags, QRV, QQIC and the sources, which it passes through scoped. False
// if b does not hold all sources.
func (q *Query) ParseV3(b []byte, addrLen int, scoped func(netip.Addr) netip.Addr) bool {
	const qrv = 7
	n := int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < 4+n*addrLen {
		return false
	}
	q.Version, q.Robustness = V3, int(b[0]&qrv)
	q.Interval = time.Duration(Float(uint(b[1]), 8)) * time.Second
	b = b[4:]
	for ; n > 0; n-- {
		a, _ := netip.AddrFromSlice(b[:addrLen])
		q.Sources, b = append(q.Sources, scoped(a)), b[addrLen:]
	}
	return true
}

// Float decodes the codes of width bits for times: from half of the range on they are a mantissa and an exponent of 3 bits (RFC 9776 sections
// 4.1.1 and 4.1.7, RFC 3810 section 5.1.3).
func Float(code, width uint) int {
	mantissa := width - 4
	if code < 1<<(width-1) {
		return int(code)
	}
	return int(code&(1<<mantissa-1)|1<<mantissa) << (code>>mantissa&7 + 3)
}

// RecordsLen is the length in bytes of m's records.
func (m *Message) RecordsLen(addrLen int) (n int) {
	for _, r := range m.Records {
		n += 4 + addrLen*(1+len(r.Sources))
	}
	return n
}

// PutRecords writes m's records into b, which is RecordsLen long (RFC 9776 section 4.2, RFC 3810 section 5.2).
func (m *Message) PutRecords(b []byte) {
	for _, r := range m.Records {
		b[0], b[1] = byte(r.Type), 0
		binary.BigEndian.PutUint16(b[2:], uint16(len(r.Sources)))
		b = b[4+copy(b[4:], r.Group.AsSlice()):]
		for _, a := range r.Sources {
			b = b[copy(b, a.AsSlice()):]
		}
	}
}
