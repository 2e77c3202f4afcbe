package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
)

// pair is a connection over two links that transfers size bytes.
func pair(size int, forth, back *Link) (*Sim, *Stream, *Stream) {
	s := New(1, 0)
	src, dst := &Stream{Key: 1, Peer: 2, Size: size}, &Stream{Key: 2, Peer: 1}
	setup := tcp.Setup{ISS: 99, MTU: 1500, LinkMTU: 1500}
	s.Connect(0, &End{Setup: setup, User: src}, &End{Setup: setup, User: dst}, forth, back)
	return s, src, dst
}

func TestLink(t *testing.T) {
	t.Run("delay", func(t *testing.T) {
		s, _, dst := pair(0, &Link{Delay: 30 * time.Millisecond}, &Link{Delay: 70 * time.Millisecond})
		for !dst.EOF && s.Step() {
		}
		require.Equal(t, 130*time.Millisecond, s.Now.Round(time.Microsecond), "SYN, SYN,ACK, FIN")
	})
	t.Run("rate", func(t *testing.T) {
		s, _, dst := pair(1_448_000, &Link{Rate: 1_500_000, Queue: 1 << 30}, &Link{})
		for !dst.EOF && s.Step() {
		}
		require.InDelta(t, 1.0, s.Now.Seconds(), 0.01)
	})
	t.Run("corruption is found", func(t *testing.T) {
		s, src, dst := pair(500_000, &Link{Delay: time.Millisecond, Corrupt: 0.05}, &Link{Delay: time.Millisecond})
		require.NoError(t, s.Run(1_000_000))
		require.Positive(t, s.Flows[0].Ends[1].BadChecksums)
		require.NoError(t, dst.Err)
		require.Equal(t, src.Size, dst.Got)
	})
	t.Run("one ACK per slot", func(t *testing.T) {
		back := &Link{Slot: 10 * time.Millisecond}
		s, _, dst := pair(200_000, &Link{Delay: time.Millisecond, Rate: 10_000_000, Queue: 1 << 20}, back)
		acks := map[time.Duration]int{}
		s.Hook = func(e Event) {
			if e.From == 1 && e.Arrived && pureAck(e.Segment) {
				acks[e.At]++
			}
		}
		require.NoError(t, s.Run(1_000_000))
		require.Equal(t, 200_000, dst.Got)
		for at, n := range acks {
			require.Equal(t, 1, n, at)
		}
	})
	t.Run("a smaller MTU is told", func(t *testing.T) {
		s, _, dst := pair(500_000, &Link{Delay: 10 * time.Millisecond, MTU: []Change{{At: 100 * time.Millisecond, MTU: 1000}}}, &Link{Delay: 10 * time.Millisecond})
		require.NoError(t, s.Run(1_000_000))
		require.Equal(t, 500_000, dst.Got)
		require.Equal(t, 1000, s.Flows[0].Ends[0].Conn.MTU())
	})
}

// Over IPv6 the header of 40 bytes counts, in the MSS and in what fits a path.
func TestFamilies(t *testing.T) { // TCP6-002, TCP6-003, TCP6-004
	for header, least := range map[int]int{tcp.IPv4Header: 576, tcp.IPv6Header: 1280} {
		const at = 100 * time.Millisecond
		s, _, dst := pair(500_000, &Link{Delay: 10 * time.Millisecond, MTU: []Change{{At: at, MTU: least}}}, &Link{Delay: 10 * time.Millisecond})
		for _, e := range s.Flows[0].Ends {
			e.Setup.NetHeader = header
		}
		sizes := map[int]int{}
		s.Hook = func(e Event) {
			switch n := header + e.Segment.HeaderLen() + e.Segment.DataLen(); {
			case e.Segment.Flags.Has(tcp.SYN):
				require.EqualValues(t, 1500-header-tcp.HeaderLen, e.Segment.Options.MSS)
			case e.Arrived && e.From == 0:
				sizes[n]++
				require.LessOrEqual(t, n, 1500)
			}
		}
		require.NoError(t, s.Run(1_000_000))
		require.Equal(t, 500_000, dst.Got)
		require.Greater(t, sizes[1500], 10)
		require.Greater(t, sizes[least], 100)

		var k checker
		k.received(s.Flows[0].Ends[0], &tcp.Segment{Flags: tcp.SYN})
		require.Equal(t, least-header-tcp.HeaderLen, k.mss, "of a SYN that names none")
	}
}

// A machine that breaks a rule ends the simulation.
func TestRulesAreKept(t *testing.T) {
	const iss, irs = 99, 99
	ack := tcp.Segment{Flags: tcp.ACK, Seq: iss + 1, Ack: irs + 1, Wnd: 1000}
	for name, tt := range map[string]struct {
		change func(*tcp.Segment)
		broken bool
	}{
		"nothing":                  {func(*tcp.Segment) {}, false},
		"more than the window":     {func(s *tcp.Segment) { s.Seq, s.Payload = s.Seq.Add(65535), make([]byte, 2) }, true},
		"a probe":                  {func(s *tcp.Segment) { s.Seq, s.Payload = s.Seq.Add(65535), make([]byte, 1) }, false},
		"more than the MSS":        {func(s *tcp.Segment) { s.Payload = make([]byte, 1461) }, true},
		"options beyond the MSS":   {func(s *tcp.Segment) { s.Payload, s.Options.HasTS = make([]byte, 1449), true }, true},
		"a window that moves left": {func(s *tcp.Segment) { s.Wnd = 999 }, true},
		"an ACK of nothing":        {func(s *tcp.Segment) { s.Ack++ }, true},
		"an ACK that goes back":    {func(s *tcp.Segment) { s.Ack-- }, true},
		"a report of nothing": {func(s *tcp.Segment) {
			s.Options.SackCount, s.Options.Sack[0] = 1, tcp.Range{Start: irs + 5, End: irs + 9}
		}, true},
		"no ACK": {func(s *tcp.Segment) { s.Flags = tcp.PSH }, true},
	} {
		s, _, _ := pair(0, &Link{}, &Link{})
		e := s.Flows[0].Ends[0]
		e.Conn = tcp.Open(0, &e.Config, &e.Params, e.Setup)
		e.check.sent(e, &tcp.Segment{Flags: tcp.SYN, Seq: iss, Wnd: 1000})
		e.check.received(e, &tcp.Segment{Flags: tcp.SYN | tcp.ACK, Seq: irs, Ack: iss + 1, Wnd: 65535, Options: tcp.Options{MSS: 1460}})
		e.check.sent(e, &ack)
		next := ack
		tt.change(&next)
		e.check.sent(e, &next)
		require.Equal(t, tt.broken, s.Err() != nil, "%s: %v", name, s.Err())
	}
	require.True(t, Legal(tcp.FinWait1, tcp.Closing))
	require.False(t, Legal(tcp.FinWait1, tcp.TimeWait))
	require.False(t, Legal(tcp.Closed, tcp.Established))
}
