package tcp

import (
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

const boardMSS = 1000

// sentAhead is a sender with size bytes in flight, sent as super-segments at different times, and an RTT sample.
func sentAhead(t testing.TB, size int) *script {
	s := &script{mtu: 1500, gso: 1 << 16, cfg: Config{NoTimestamps: true, Congestion: "reno", MaxSndBuf: 2 * size}}
	s.t, _ = t.(*testing.T)
	cfg, setup := s.setup()
	s.c = Accept(0, cfg, &Params{SndBuf: 2 * size, NoDelay: true}, setup, &Segment{Flags: SYN, Seq: 5000, Wnd: 65535,
		Options: Options{MSS: boardMSS, HasScale: true, Scale: 14, SackPermitted: true}})
	var seg Segment
	require.True(t, s.c.Output(0, &seg))
	s.now = 10 * time.Millisecond
	s.c.Input(s.now, &Segment{Flags: ACK, Seq: 5001, Ack: testISS + 1, Wnd: 65535})
	s.c.cc.cwnd = 2 * size
	require.Equal(t, size, s.c.Write(s.now, make([]byte, size)))
	for s.c.Output(s.now, &seg) {
		s.now += time.Microsecond
	}
	require.Equal(t, size, s.c.snd.nxt.Sub(s.c.snd.una))
	return s
}

// reported is an ACK with blocks of so many bytes at the given distances from SND.UNA.
func (s *script) reported(size int, at ...int) {
	seg := Segment{Flags: ACK, Seq: 5001, Ack: s.c.snd.una, Wnd: 65535}
	for i, off := range at {
		start := s.c.snd.una.Add(off)
		seg.Options.Sack[i] = Range{start, start.Add(size)}
	}
	seg.Options.SackCount = uint8(len(at))
	s.now += time.Microsecond
	s.c.Input(s.now, &seg)
	var out Segment
	for s.c.Output(s.now, &out) {
	}
}

// work returns the number of flights that f visits.
func (s *script) work(f func()) int {
	before := s.c.snd.board.visits
	f()
	return int(s.c.snd.board.visits - before)
}

// allowed bounds the visits of an ACK that changes n flights of b: a few for each, and the steps of binary search.
func (b *scoreboard) allowed(n int) int { return (n + 8) * (8 + 2*bits.Len(uint(b.len()))) }

// SEC-060: SACK blocks of one byte split no flight, and blocks of whole segments make at most one flight per segment. In both cases the cost
// of an ACK is proportional to its new information (CVE-2019-11478).
func TestSackSplitting(t *testing.T) {
	const size = 8 << 20
	const segments = size/boardMSS + 1
	s := sentAhead(t, size)
	flights := s.c.snd.board.len()
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		at := func() int { return r.IntN(size - 1) }
		visits := s.work(func() { s.reported(1, at(), at(), at(), at()) })
		require.LessOrEqual(t, visits, s.c.snd.board.allowed(0))
	}
	require.Equal(t, flights, s.c.snd.board.len(), "no segment was reported whole")
	require.Zero(t, s.c.snd.board.sacked)

	order := r.Perm(segments / 2)
	for ; len(order) >= 4; order = order[4:] {
		b := &s.c.snd.board
		lost := b.lost
		at := func(i int) int { return (2*order[i] + 1) * boardMSS }
		visits := s.work(func() { s.reported(boardMSS, at(0), at(1), at(2), at(3)) })
		newly := 4 + max(b.lost-lost, 0)/boardMSS + int(s.c.counts.retransmits)
		s.c.counts.retransmits = 0
		require.LessOrEqual(t, visits, b.allowed(newly))
	}
	require.LessOrEqual(t, s.c.snd.board.len(), segments)
	require.Greater(t, s.c.snd.board.len(), segments*9/10, "the test splits")
	require.NoError(t, s.c.Check())
	require.LessOrEqual(t, s.c.snd.board.memory(), 2*segments*flightSize)

	visits := s.work(func() { s.reported(boardMSS*segments/4, 0, size/4, size/2, size/4*3-boardMSS) })
	require.LessOrEqual(t, s.c.snd.board.len(), 16, "what is reported is one flight")
	require.LessOrEqual(t, visits, 64*segments)
	visits = s.work(func() { s.reported(boardMSS*segments/4, 0, size/4, size/2, size/4*3-boardMSS) })
	require.LessOrEqual(t, visits, s.c.snd.board.allowed(0), "to repeat it costs nothing")
}

// SEC-060: windows that open and close, or shrink byte by byte, do not make ACKs expensive either.
func TestWindowFlapping(t *testing.T) {
	s := sentAhead(t, 1<<20)
	for i := range 300 {
		s.reported(boardMSS, (2*i+1)*boardMSS)
	}
	ack := func(wnd uint16) {
		s.now += time.Microsecond
		s.c.Input(s.now, &Segment{Flags: ACK, Seq: 5001, Ack: s.c.snd.una, Wnd: wnd})
		var out Segment
		for s.c.Output(s.now, &out) {
		}
	}
	ack(0)
	ack(1)
	for range 1000 {
		s.c.counts.retransmits = 0
		visits := s.work(func() { ack(0); ack(1) })
		require.LessOrEqual(t, visits, 2*s.c.snd.board.allowed(int(s.c.counts.retransmits)))
	}
	flights := s.c.snd.board.len()
	s.c.snd.shift = 0
	for wnd := range 3000 {
		ack(uint16(wnd))
	}
	require.LessOrEqual(t, s.c.snd.board.len(), flights+4)
	require.NoError(t, s.c.Check())
}

// The flights that SACKs split are charged to the send buffer, and leave less room for the user's data.
func TestFlightsAreCharged(t *testing.T) {
	const size = 1 << 20
	s := sentAhead(t, size)
	room := func() int { return s.c.fits(make([]byte, 4*size)) }
	before := room()
	require.Equal(t, size, before)
	for i := range size/boardMSS/2 - 1 {
		s.reported(boardMSS, (2*i+1)*boardMSS)
	}
	require.Less(t, room(), before-size/boardMSS*flightSize/2)
	s.now += time.Microsecond
	s.c.Input(s.now, &Segment{Flags: ACK, Seq: 5001, Ack: s.c.snd.nxt, Wnd: 65535})
	require.Equal(t, 2*size, room())
}

func TestSizesThatAreCharged(t *testing.T) {
	require.EqualValues(t, flightSize, unsafe.Sizeof(flight{}))
	require.EqualValues(t, resendSize, unsafe.Sizeof(resend{}))
	require.EqualValues(t, blockSize, unsafe.Sizeof(block{}))
	require.EqualValues(t, transmissionSize, unsafe.Sizeof(transmission{}))
}

// BenchmarkSackSplitting measures an ACK that reports four segments among 8 MiB in flight, half of which are reported already.
func BenchmarkSackSplitting(b *testing.B) {
	const size = 8 << 20
	for _, c := range []struct {
		name   string
		length int
	}{{"bytes", 1}, {"segments", boardMSS}} {
		b.Run(c.name, func(b *testing.B) {
			s := sentAhead(b, size)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if i += 4; i+4 > size/boardMSS/2 {
					b.StopTimer()
					s, i = sentAhead(b, size), 0
					b.StartTimer()
				}
				at := func(j int) int { return (2*(i+j)*2741%(size/boardMSS/2*2) + 1) * boardMSS }
				s.reported(c.length, at(0), at(1), at(2), at(3))
			}
		})
	}
}
