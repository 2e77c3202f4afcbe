package ipv4

import (
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// reader reads a datagram's payload in order: the linear part, then the spans.
type reader struct{ parts [3][]byte }

func payloadOf(p *packet.Buffer, headerLen int) reader {
	spans := p.Spans()
	return reader{[3][]byte{p.Bytes()[headerLen:], spans[0], spans[1]}}
}

// fill copies the next len(b) bytes to b.
func (r *reader) fill(b []byte) {
	for i := range r.parts {
		n := copy(b, r.parts[i])
		r.parts[i], b = r.parts[i][n:], b[n:]
	}
}

// fragment sends the datagram p with header h in fragments of at most to.MTU bytes (RFC 791 section 3.2); p may be a fragment
// itself. It takes p over.
func (s *Stack) fragment(now time.Duration, to *ip.Path, h *Header, p *packet.Buffer) error {
	defer p.Free()
	p.CompleteChecksum()
	payload := payloadOf(p, h.Len())
	f := *h
	for rest := p.Len() - h.Len(); rest > 0; {
		size := to.MTU - f.Len()
		if f.MF = h.MF || rest > size; f.MF {
			size &^= 7
		}
		size = min(size, rest)
		b := packet.New(f.Len() + size)
		b.Cast, b.Queue = p.Cast, p.Queue
		f.TotalLen = f.Len() + size
		f.put(b.Extend(f.Len()))
		payload.fill(b.Extend(size))
		s.stats.FragmentsOut.Inc()
		if err := to.Out.Transmit(now, b, to.NextHop); err != nil {
			return err
		}
		f.Offset += uint16(size)
		f.Options = copiedOptions(f.Options)
		rest -= size
	}
	return nil
}
