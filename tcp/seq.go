package tcp

// Seq is a sequence number. Comparisons are modulo 2^32 (RFC 9293 section 3.4), and correct if the two numbers are less than 2^31 apart.
type Seq uint32

// Less reports whether a comes before b.
func (a Seq) Less(b Seq) bool { return int32(a-b) < 0 }

// LessEq reports whether a comes before b or is b.
func (a Seq) LessEq(b Seq) bool { return int32(a-b) <= 0 }

// Add returns the number n bytes after a; n may be negative.
func (a Seq) Add(n int) Seq { return a + Seq(int32(n)) }

// Sub returns the distance from b to a in bytes, negative if a comes first.
func (a Seq) Sub(b Seq) int { return int(int32(a - b)) }

// maxSeq and minSeq return the later and the earlier of two numbers.
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

// Range is the sequence numbers from Start up to, but not including, End.
type Range struct{ Start, End Seq }

// Len is the number of bytes in the range.
func (r Range) Len() int { return r.End.Sub(r.Start) }
