package tcp

import (
	"fmt"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
)

// headerWith is a header with the given option bytes, padded with zeros, and a payload.
func headerWith(options []byte, payload string) []byte {
	n := HeaderLen + (len(options)+3)&^3
	b := make([]byte, n, n+len(payload))
	b[12] = byte(n / 4 << 4)
	copy(b[HeaderLen:], options)
	return append(b, payload...)
}

// TCP-005, TCP-007, TCP-008, TCP-009, TCP-011, TCP-169
func TestOptionLengths(t *testing.T) {
	mss := Options{MSS: 1460}
	for _, tt := range []struct {
		name    string
		options []byte
		want    Options
	}{
		{"MSS", []byte{2, 4, 5, 180}, mss},
		{"MSS after a NOP, then the end", []byte{1, 2, 4, 5, 180, 0}, mss},
		{"after the end", []byte{1, 0, 2, 4, 5, 180}, Options{}},
		{"unknown", []byte{250, 7, 2, 4, 1, 1, 1, 2, 4, 5, 180}, mss},
		{"unknown and empty", []byte{250, 2, 2, 4, 5, 180}, mss},
		{"length 0", []byte{250, 0, 2, 4, 5, 180}, Options{}},
		{"length 1", []byte{2, 1, 2, 4, 5, 180}, Options{}},
		{"past the header", []byte{2, 4, 5, 180, 1, 1, 3, 3}, mss},
		{"no length", []byte{2, 4, 5, 180, 1, 1, 1, 3}, mss},
		{"scale above 14", []byte{3, 3, 15}, Options{HasScale: true, Scale: 14}},
		{"MSS of another length", []byte{2, 3, 5, 3, 3, 7}, Options{HasScale: true, Scale: 7}},
	} {
		var s Segment
		require.NoError(t, s.Parse(headerWith(tt.options, "data")), tt.name)
		require.Equal(t, tt.want, s.Options, tt.name)
		require.Equal(t, "data", string(s.Payload), tt.name)
	}
}

// TCP-006: options in segments without SYN.
func TestOptionsOnData(t *testing.T) {
	s := newScript(t).established("")
	var seg Segment
	require.NoError(t, seg.Parse(headerWith([]byte{1, 1, 250, 3, 9, 2, 4, 0, 1}, string(pattern(5001, 10)))))
	seg.Flags, seg.Seq, seg.Ack, seg.Wnd = ACK, 5001, 1001, 64240
	s.input(&seg)
	s.reads(5001, 10)
	require.Equal(t, 1460, s.c.MSS(), "an MSS counts in a SYN only")
}

// TCP-008, TCP-010: each option that we send has a length, NOPs align the options, and no end-of-list option is sent.
func TestSentOptions(t *testing.T) {
	for bits := range 1 << 5 {
		has := func(bit int) bool { return bits>>bit&1 != 0 }
		o := Options{SackPermitted: has(0), HasTS: has(1), HasScale: has(2)}
		if o.HasTS {
			o.TSVal, o.TSEcr = 1, 2
		}
		if has(3) {
			o.MSS = 1460
		}
		if has(4) {
			o.SackCount, o.Sack[0] = 1, Range{1, 2}
		}
		s := Segment{Options: o}
		b := make([]byte, s.HeaderLen())
		s.PutHeader(b)
		for rest := b[HeaderLen:]; len(rest) > 0; {
			require.NotEqual(t, byte(kindEnd), rest[0])
			n := 1
			if rest[0] != kindNop {
				n = int(rest[1])
			}
			rest = rest[n:]
		}
		var again Segment
		require.NoError(t, again.Parse(b))
		require.Equal(t, o, again.Options)
	}
}

// TCP-001, TCP-002: windows of 65,535 bytes and much larger ones, in both directions.
func TestLargeWindows(t *testing.T) {
	s := newScript(t).established("")
	for _, wnd := range []int{40000, 65535} {
		s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: 1001, Wnd: uint16(wnd)}).String())
		require.Equal(t, wnd, s.c.snd.wnd)
	}
	s = newScript(t).with(func(g *Config, p *Params) { g.NoWindowScale, p.RcvBuf = false, 1<<30 })
	s.established("mss 1460,wscale 14").recv(". seq 5001 ack 1001 win 65535")
	require.Equal(t, 65535<<14, s.c.snd.wnd)
	s.recv("P. seq 5001:6461(1460) ack 1001 win 65535").sends(". seq 1001 ack 6461 win 65535")
	require.Equal(t, 65535<<14, s.c.rcv.wnd())
}

// TCP-033: the MSS is the smallest that peer, path and user allow, less the options.
func TestSegmentSize(t *testing.T) {
	for _, tt := range []struct {
		mtu, ip, maxSeg int
		options         string
		want            int
	}{
		{1500, 0, 0, "mss 1460", 1460},
		{1500, 0, 0, "mss 1460,TS val 1 ecr 0", 1448},
		{1500, 0, 0, "mss 9000", 1460},
		{1000, 0, 0, "mss 1460,TS val 1 ecr 0", 948},
		{1500, 0, 0, "mss 500,TS val 1 ecr 0", 488},
		{1500, 0, 600, "mss 1460", 600},
	} {
		s := newScript(t).with(all).with(func(_ *Config, p *Params) { p.MaxSeg = tt.maxSeg })
		s.mtu = tt.mtu
		s.established(tt.options).write(20000)
		var seg Segment
		require.True(t, s.output(&seg))
		require.Equal(t, tt.want, seg.DataLen(), tt)
	}
}

// silence lets d pass without a segment of the peer and returns the number of segments sent.
func (s *script) silence(d time.Duration) (n int) {
	var seg Segment
	for end := s.now + d; ; {
		for s.output(&seg) {
			n++
		}
		next := s.c.Deadline()
		if next == 0 || next > end {
			s.now = end
			return n
		}
		s.now = max(next, s.now)
	}
}

// TCP-051: the user sets R2 for one connection, up to infinity.
func TestUserTimeout(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.UserTimeout = 5 * time.Second }).established("").write(10)
	s.silence(4 * time.Second)
	s.is(Established).silence(4 * time.Second)
	s.is(Closed)
	require.Equal(t, syscall.ETIMEDOUT, s.c.Err())
	s = newScript(t).with(func(_ *Config, p *Params) { p.UserTimeout = math.MaxInt64 }).established("").write(10)
	require.Greater(t, s.silence(30*24*time.Hour), 10000)
	s.is(Established)
}

// TCP-053, TCP-054: R1 is three retransmissions, R2 is above 100 s.
func TestDefaultsOfR1AndR2(t *testing.T) {
	s := newScript(t).established("").write(10)
	require.Equal(t, 3, s.silence(s.c.rtt.rto*7-1)) // the segment and two retransmissions
	require.Zero(t, s.c.Events()&Troubled)
	require.Equal(t, 1, s.silence(time.Millisecond))
	require.NotZero(t, s.c.Events()&Troubled)
	s.silence(100 * time.Second)
	s.is(Established).silence(time.Hour)
	s.is(Closed)
}

// TCP-073, TCP-074, TCP-075, TCP-077, TCP-078: the window shrinks below the data in flight, and then to 0.
func TestShrinkingWindow(t *testing.T) {
	s := newScript(t).established("mss 1000").write(8000)
	for i := range 8 {
		flags := ""
		if i == 7 {
			flags = "P"
		}
		s.sends(segLine(1001+1000*i, 1000, flags))
	}
	s.recv(". seq 5001 ack 1001 win 3000").write(1000).quiet()
	require.Negative(t, s.una().Add(s.c.snd.wnd).Sub(s.nxt()))
	s.expire().sends(segLine(1001, 1000, "")).quiet()
	s.recv(". seq 5001 ack 4001 win 0")
	s.silence(time.Minute)
	for range 100 { // more than an hour in which the peer answers probes
		s.recv(". seq 5001 ack 4001 win 0")
		require.NotZero(t, s.silence(2*time.Minute))
		s.is(Established)
	}
	s.recv(". seq 5001 ack 4001 win 60000")
	for s.una() != 10001 {
		require.NotZero(t, s.silence(time.Second))
		s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: s.nxt(), Wnd: 60000}).String())
	}
	require.Zero(t, s.c.Unacked())
}

// TCP-097, TCP-098, TCP-099: data is sent without a push of the user, in the largest segments, and the last one carries PSH.
func TestPush(t *testing.T) {
	s := newScript(t).established("mss 1000")
	for range 30 {
		s.write(100)
	}
	s.sends(segLine(1001, 1000, ""), segLine(2001, 1000, ""), segLine(3001, 1000, "P")).quiet()
	s.recv(". seq 5001 ack 4001 win 64240").write(1).sends(segLine(4001, 1, "P"))
	s.write(1).quiet() // delayed by Nagle's algorithm
	s.recv(". seq 5001 ack 4002 win 64240").sends(segLine(4002, 1, "P"))
}

// TCP-126, TCP-127: one ACK acknowledges all data that has arrived.
func TestAcksAreAggregated(t *testing.T) {
	s := newScript(t).established("mss 1000")
	for i := range 4 {
		s.recv("P. seq " + rangeOf(5001+1000*i, 1000) + " ack 1001 win 64240")
	}
	s.sends(". seq 1001 ack 9001 win 65535").quiet()
}

func rangeOf(seq, n int) string {
	line := (&Segment{Seq: Seq(seq), Payload: make([]byte, n)}).String() // "none seq 1:2(1) win 0"
	return line[len("none seq ") : len(line)-len(" win 0")]
}

// TCP-139: the four cases of the acceptability test, at their boundaries.
func TestAcceptability(t *testing.T) {
	c := newScript(t).established("").c
	for _, tt := range []struct {
		wnd, seq, n int // sequence numbers relative to RCV.NXT
		want        bool
	}{
		{0, 0, 0, true}, {0, -1, 0, false}, {0, 1, 0, false},
		{100, -1, 0, false}, {100, 0, 0, true}, {100, 99, 0, true}, {100, 100, 0, false},
		{0, 0, 1, false}, {0, -1, 2, false},
		{100, -10, 10, false}, {100, -10, 11, true}, {100, 0, 100, true}, {100, 99, 10, true}, {100, 100, 1, false},
		{100, -10, 200, true}, // the RFC's test of the ends alone would refuse it
	} {
		c.rcv.edge = c.rcv.nxt.Add(tt.wnd)
		s := Segment{Seq: c.rcv.nxt.Add(tt.seq), Payload: make([]byte, tt.n)}
		require.Equal(t, tt.want, c.acceptable(&s), tt)
	}
}

// An end that has filled the peer's window sends ACKs with the sequence number of its right edge. If both ends have, and all data is lost,
// no other segments arrive.
func TestAcknowledgmentAtEdge(t *testing.T) {
	s := newScript(t).established("").write(1000).sends("P. seq 1001:2001(1000) ack 5001 win 65535")
	edge := 5001 + 65535
	s.recv(fmt.Sprintf(". seq %d ack 1501 win 64240", edge)).quiet()
	require.Equal(t, Seq(1501), s.una())
	s.recv(fmt.Sprintf("R seq %d win 0", edge)).quiet().is(Established)
	s.recv(fmt.Sprintf("F. seq %d ack 2001 win 64240", edge)).sends(". seq 2001 ack 5001 win 65535")
	s.recv(fmt.Sprintf(". seq %d ack 2001 win 64240", edge+1)).sends(". seq 2001 ack 5001 win 65535")
	require.Equal(t, Seq(1501), s.una())
}

// TCP-129, TCP-138, TCP-140, TCP-145: the order of the checks, shown by segments that fail more than one.
func TestOrderOfChecks(t *testing.T) {
	ack := ". seq 1001 ack 5001 win 65535"
	for _, tt := range []struct {
		name, in string
		state    State
		out      []string
	}{
		{"old data", "P. seq 4991:5001(10) ack 1001 win 9", Established, []string{ack}},
		{"data beyond the window", "P. seq 70537:70547(10) ack 1001 win 9", Established, []string{ack}},
		{"old FIN", "F. seq 4999 ack 1001 win 9", Established, []string{ack}},
		{"old RST", "R seq 4999 win 0", Established, nil},
		{"old RST with SYN", "SR seq 4999 win 0", Established, nil},
		{"old SYN", "S seq 4999 win 9", Established, []string{ack}},
		{"RST before SYN", "SR. seq 5001 ack 9999 win 0", Closed, nil},
		{"RST before ACK", "R. seq 5001 ack 9999 win 0", Closed, nil},
		{"SYN before ACK", "S. seq 5001 ack 9999 win 9", Established, []string{ack}},
		{"no ACK", "FP seq 5001:5011(10) win 9", Established, nil},
		{"ACK before data and FIN", "FP. seq 5001:5011(10) ack 9999 win 9", Established, []string{ack}},
		{"ACK far too old", "P. seq 5001:5011(10) ack 4294900000 win 9", Established, []string{ack}},
		{"data before FIN", "FP. seq 5001:5011(10) ack 1001 win 9", CloseWait, []string{". seq 1001 ack 5012 win 65524"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t).established("").recv(tt.in).is(tt.state).sends(tt.out...).quiet()
			require.Equal(t, tt.state == CloseWait, s.c.Readable() > 0)
		})
	}
	newScript(t).listen().recv("S seq 5000 win 9").sends("S. seq 1000 ack 5001 win 65535 <mss 1460>").
		recv("P seq 5001:5011(10) win 9").is(SynReceived).quiet()
}

// TCP-151: data after the peer's FIN is ignored.
func TestDataAfterFin(t *testing.T) {
	fin := "F. seq 5001 ack 1001 win 64240"
	for state, reach := range map[State]func(s *script){
		CloseWait: func(s *script) { s.recv(fin) },
		LastAck:   func(s *script) { s.recv(fin).do((*Conn).CloseWrite) },
		Closing:   func(s *script) { s.do((*Conn).CloseWrite).sends("F. seq 1001 ack 5001 win 65535").recv(fin) },
		TimeWait: func(s *script) {
			s.do((*Conn).CloseWrite).sends("F. seq 1001 ack 5001 win 65535").recv("F. seq 5001 ack 1002 win 64240")
		},
	} {
		s := newScript(t).established("")
		reach(s)
		s.silence(0)
		s.c.Events()
		s.is(state).recv("PU. seq 5002:5012(10) ack 1001 win 64240 urg 3").is(state)
		require.Zero(t, s.c.Readable(), state)
		require.Zero(t, s.c.Events()&Urgent, state)
		require.Equal(t, Seq(5002), s.rcvNxt(), state)
	}
}

// TCP-158, TCP-165: the smaller of the two windows bounds the data in flight.
func TestFlightSize(t *testing.T) {
	for _, tt := range []struct{ wnd, flight int }{{2500, 2500}, {64000, 10000}} {
		s := newScript(t).with(func(_ *Config, p *Params) { p.NoDelay = true }).established("mss 1000")
		s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: 1001, Wnd: uint16(tt.wnd)}).String()).write(30000)
		s.silence(0)
		require.LessOrEqual(t, s.nxt().Sub(s.una()), tt.flight)
		require.Greater(t, s.nxt().Sub(s.una()), tt.flight-1000)
	}
}

// TCP-175: a timestamp older than 24 days is not used for PAWS.
func TestOldTimestampExpires(t *testing.T) {
	const days = 24 * 24 * time.Hour
	for _, tt := range []struct {
		idle time.Duration
		read int
	}{{days - time.Second, 0}, {days + time.Second, 10}} {
		s := newScript(t).with(all).established("mss 1460,TS val 1 ecr 0")
		s.after(tt.idle).recv("P. seq 5001:5011(10) ack 1001 win 64240 <TS val 4294967290 ecr 0>")
		require.Equal(t, tt.read, s.c.Readable())
	}
}

// SEC-020: the number of blocks of many tiny segments is bounded, and data in the gaps is received later.
func TestTinySegmentsAreBounded(t *testing.T) {
	for _, limit := range []int{100_000, 8 << 20} {
		s := newScript(t).with(func(_ *Config, p *Params) { p.RcvBuf = limit }).established("")
		deliver := func(seq int) {
			s.input(&Segment{Flags: ACK, Seq: Seq(seq), Ack: 1001, Wnd: 64240, Payload: pattern(Seq(seq), 1)})
		}
		for i := range 20000 {
			deliver(5003 + 2*i)
		}
		s.silence(0)
		g := &s.c.rcv.reassembler
		held := len(g.blocks)
		require.LessOrEqual(t, held, maxBlocks)
		require.Less(t, g.memory, maxWaste*limit+packet.MaxSize)
		require.EqualValues(t, 20000-held, s.c.cfg.Stats.DropTooManyBlocks.Value())
		for i := range 2 * held {
			deliver(5001 + i)
		}
		s.reads(5001, 2*held)
		require.Empty(t, g.blocks)
		require.Zero(t, g.memory)
	}
}

// TCP-050, TCP-054: R2 is a time as well as a number. A peer that SACKs data after the first segment, but never acknowledges that, ends
// the backoff with each SACK; it has as much time as a silent peer.
func TestR2IsATime(t *testing.T) {
	s := newScript(t).with(func(g *Config, _ *Params) { g.NoSACK = false }).established("mss 100,sackOK").write(60000)
	began := s.now
	for s.c.State() == Established {
		s.silence(s.c.Deadline() - s.now)
		for range 2 { // for the data in flight, and for the data that this ACK allows
			s.silence(10 * time.Millisecond)
			if s.una().Add(200).Less(s.nxt()) {
				s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: 1001, Wnd: 64240,
					Options: Options{SackCount: 1, Sack: [4]Range{{1101, s.nxt()}}}}).String())
			}
		}
	}
	require.Equal(t, syscall.ETIMEDOUT, s.c.Err())
	require.Greater(t, s.now-began, 15*time.Minute)
	require.Less(t, s.now-began, 20*time.Minute)
}
