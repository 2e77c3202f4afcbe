package tcp

// Seq is a sequence number. Numbers are compared modulo 2^32 (RFC 9293 section 3.4), which is sound while
// the two are less than 2^31 apart.
type Seq uint32

// Less says whether a comes before b.
func (a Seq) Less(b Seq) bool { return int32(a-b) < 0 }

// LessEq says whether a comes before b or is b.
func (a Seq) LessEq(b Seq) bool { return int32(a-b) <= 0 }

// Add is the number n octets after a; n may be negative.
func (a Seq) Add(n int) Seq { return a + Seq(int32(n)) }

// Sub is the distance from b to a in octets, negative when a comes first.
func (a Seq) Sub(b Seq) int { return int(int32(a - b)) }

// maxSeq and minSeq are the later and the earlier of two numbers.
func maxSeq(a, b Seq) Seq {
	if a.Less(b) {
		return b
	}
	return a
}

func minSeq(a, b Seq) Seq {
	if b.Less(a) {
		return b
	}
	return a
}

// Range is the stretch of sequence space from Start up to, not including, End.
type Range struct{ Start, End Seq }

// Len is the number of octets in the range.
func (r Range) Len() int { return r.End.Sub(r.Start) }
