package tcp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
)

// FuzzParse: any bytes are parsed or refused, and a parsed segment is the same after printing and parsing again.
// TCP-009: any option length is handled.
func FuzzParse(f *testing.F) {
	f.Add(make([]byte, 19))
	f.Add(append(make([]byte, 12), 0x40, 0, 0, 0, 0, 0, 0, 0))                // an offset within the header
	f.Add(append(make([]byte, 12), 0xf0, 0, 0, 0, 0, 0, 0, 0))                // and one beyond
	f.Add(append(make([]byte, 12), 0x60, 2, 0, 0, 0, 0, 0, 0, 2, 4, 5, 180))  // an MSS
	f.Add(append(make([]byte, 12), 0x60, 2, 0, 0, 0, 0, 0, 0, 250, 0, 1, 3))  // an option of length 0
	f.Add(append(make([]byte, 12), 0x60, 2, 0, 0, 0, 0, 0, 0, 1, 1, 5, 34))   // SACK past the header
	f.Add(append(make([]byte, 12), 0x60, 2, 0, 0, 0, 0, 0, 0, 3, 3, 255, 99)) // a scale of 255, then junk
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again tcp.Segment
		if s.Parse(b) != nil {
			return
		}
		_ = s.String()
		if s.HeaderLen() > tcp.MaxHeaderLen { // packed tighter than we do
			return
		}
		out := append(header(&s), s.Payload...)
		require.NoError(t, again.Parse(out))
		require.Equal(t, s, again)
	})
}

func header(s *tcp.Segment) []byte {
	b := make([]byte, s.HeaderLen())
	s.PutHeader(b)
	return b
}

// FuzzPrint: every segment that can be sent is the same after parsing.
func FuzzPrint(f *testing.F) {
	f.Add(uint16(1), uint16(2), uint8(2), uint32(3), uint32(4), uint16(5), uint16(0), uint8(0xff), uint16(1460), uint8(7), uint64(1<<32|9), []byte("data"))
	f.Add(uint16(1), uint16(2), uint8(16), uint32(1<<31), uint32(1<<32-1), uint16(0), uint16(7), uint8(0x28), uint16(0), uint8(14), uint64(0), []byte{})
	f.Fuzz(func(t *testing.T, src, dst uint16, flags uint8, seq, ack uint32, wnd, urg uint16, which uint8, mss uint16, scale uint8, ts uint64, data []byte) {
		s := tcp.Segment{SrcPort: src, DstPort: dst, Flags: tcp.Flags(flags), Seq: tcp.Seq(seq), Ack: tcp.Seq(ack), Wnd: wnd, Urg: urg, Payload: data}
		o := &s.Options
		if which&1 != 0 {
			o.MSS = mss
		}
		if which&2 != 0 {
			o.HasScale, o.Scale = true, min(scale, tcp.MaxWindowScale)
		}
		o.SackPermitted = which&4 != 0
		if which&8 != 0 {
			o.HasTS, o.TSVal, o.TSEcr = true, uint32(ts>>32), uint32(ts)
		}
		for o.SackCount < min(which>>4, 4) && s.HeaderLen()+12 <= tcp.MaxHeaderLen {
			o.Sack[o.SackCount] = tcp.Range{Start: s.Ack.Add(int(o.SackCount) * 10), End: s.Ack.Add(int(o.SackCount)*10 + 5)}
			o.SackCount++
		}
		var again tcp.Segment
		require.NoError(t, again.Parse(append(header(&s), data...)))
		if len(data) == 0 {
			s.Payload, again.Payload = nil, nil
		}
		require.Equal(t, s, again)
		for b := header(&s)[tcp.HeaderLen:]; len(b) > 0; { // TCP-008: all options but NOP have a length
			n := 1
			if b[0] != 1 {
				n = int(b[1])
				require.GreaterOrEqual(t, n, 2)
			}
			b = b[n:]
		}
	})
}
