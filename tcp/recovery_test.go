package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sackEstablished is a connection with SACK, an MSS of 1000 and a round-trip time of 100 ms, that has sent n segments.
func sackEstablished(t *testing.T, n int) *script {
	s := newScript(t).with(func(g *Config, _ *Params) { g.NoSACK = false }).listen()
	s.recv("S seq 5000 win 64240 <mss 1000,sackOK>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460,sackOK>")
	s.after(100 * time.Millisecond).recv(". seq 5001 ack 1001 win 64240").is(Established).write(1000 * n)
	for i := range n - 1 {
		s.sends(segLine(1001+1000*i, 1000, ""))
	}
	return s.sends(segLine(1001+1000*(n-1), 1000, "P")).quiet()
}

// TCP-186, TCP-187: one probe after two round trips, which sends the last segment again; then the retransmission timer.
func TestTailLossProbe(t *testing.T) {
	s := sackEstablished(t, 3)
	s.after(202 * time.Millisecond).sends(segLine(3001, 1000, "P"))
	s.expire().sends(segLine(1001, 1000, ""))
	require.Equal(t, CALoss, s.c.Info().CAState, "by the retransmission timer")
}

// TCP-186: the probe of a lone segment allows for a delayed ACK, but comes no later than the timeout, and replaces it.
func TestTailLossProbeOfOneSegment(t *testing.T) {
	s := sackEstablished(t, 1)
	s.after(300 * time.Millisecond).sends(segLine(1001, 1000, "P")).quiet()
	require.Zero(t, s.c.cfg.Stats.Timeouts.Value())
	require.Equal(t, CAOpen, s.c.Info().CAState)
	s.after(300 * time.Millisecond).sends(segLine(1001, 1000, "P"))
	require.Equal(t, CALoss, s.c.Info().CAState)
}

// TCP-186: the probe sends new data if there is some.
func TestTailLossProbeNewData(t *testing.T) {
	s := sackEstablished(t, 2)
	s.write(10) // Nagle's algorithm delays it
	s.after(202 * time.Millisecond).sends(segLine(3001, 10, "P"))
}

// TCP-188: a probe that has repaired a loss reduces the window; an unnecessary one does not.
func TestTailLossProbeRepaired(t *testing.T) {
	probed := func() (*script, int) {
		s := sackEstablished(t, 10).after(100 * time.Millisecond).recv(". seq 5001 ack 9001 win 64240").after(202 * time.Millisecond)
		cwnd := s.c.Info().SndCwnd
		return s.sends(segLine(10001, 1000, "P")).after(100 * time.Millisecond), cwnd
	}
	s, cwnd := probed()
	s.recv(". seq 5001 ack 11001 win 64240")
	require.Less(t, s.c.Info().SndCwnd, cwnd)
	s, cwnd = probed()
	s.recv(". seq 5001 ack 11001 win 64240 <sack 1 {10001:11001}>")
	require.GreaterOrEqual(t, s.c.Info().SndCwnd, cwnd)
}

// TCP-190: FlightSize includes the window that early ACKs of a batch have freed when a later one of it shows a loss.
func TestLossInBatch(t *testing.T) {
	const flight = 16000 // 10 segments at first, of which 6 are acknowledged in slow start, each for 2 new ones
	for _, tt := range []struct {
		algorithm string
		ssthresh  int
	}{{"reno", flight / 2}, {"cubic", flight * 7 / 10}} { // RFC 5681 equation 4, RFC 9438 4.6
		s := sackEstablished(t, 10).write(10000).do(func(c *Conn, _ time.Duration) { c.cc.use(tt.algorithm) }).quiet()
		s.after(100 * time.Millisecond).recv(". seq 5001 ack 7001 win 64240")
		s.recv(". seq 5001 ack 7001 win 64240 <sack 1 {8001:11001}>")
		require.Equal(t, CARecovery, s.c.Info().CAState)
		require.Equal(t, tt.ssthresh, s.c.Info().SndSsthresh, tt.algorithm)
	}
}

// TCP-183: a lost retransmission is repaired before the timer expires, because a later one was delivered.
func TestLostRetransmission(t *testing.T) {
	s := sackEstablished(t, 10)
	s.after(100 * time.Millisecond).recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:3001}>")
	s.recv(". seq 5001 ack 1001 win 64240 <sack 1 {4001:7001}>").sends(segLine(1001, 1000, "")) // 1001 and 3001 are lost
	s.recv(". seq 5001 ack 1001 win 64240 <sack 1 {4001:10001}>").sends(segLine(3001, 1000, ""))
	s.after(100 * time.Millisecond).recv(". seq 5001 ack 1001 win 64240 <sack 2 {2001:4001} {4001:10001}>")
	s.sends(segLine(1001, 1000, ""))
	require.Equal(t, CARecovery, s.c.Info().CAState)
}

// TCP-184: reordering within a quarter of the round-trip time is not a loss.
func TestReorderingWindow(t *testing.T) {
	s := sackEstablished(t, 3).after(100 * time.Millisecond)
	s.recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:3001}>").after(20 * time.Millisecond).quiet()
	s.recv(". seq 5001 ack 3001 win 64240")
	require.Equal(t, CAOpen, s.c.Info().CAState)
	require.Zero(t, s.c.Info().TotalRetrans)
}

// TCP-184: a longer delay is a loss.
func TestReorderingTimer(t *testing.T) {
	s := sackEstablished(t, 3).after(100 * time.Millisecond)
	s.recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:3001}>")
	s.after(25 * time.Millisecond).sends(segLine(1001, 1000, ""))
}

// TCP-179: a receiver that discards data that it has reported gets the first segment again after a timeout.
func TestReneging(t *testing.T) {
	s := sackEstablished(t, 3).after(100 * time.Millisecond)
	s.recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:4001}>").after(25 * time.Millisecond).sends(segLine(1001, 1000, ""))
	s.recv(". seq 5001 ack 2001 win 64240").quiet()
	s.expire().sends(segLine(2001, 1000, ""))
	require.Zero(t, s.c.Info().Sacked)
}

// TCP-185: a timeout does not mark segments as lost that were sent shortly before.
func TestTimeoutSparesFreshFlights(t *testing.T) {
	s := sackEstablished(t, 3)
	s.after(202 * time.Millisecond).sends(segLine(3001, 1000, "P")) // the probe, just before
	s.after(s.c.Deadline() - 10*time.Millisecond - s.now).write(1000).sends(segLine(4001, 1000, "P"))
	s.after(10 * time.Millisecond).sends(segLine(1001, 1000, "")).quiet()
	require.Equal(t, 2000, s.c.Info().Lost, "the second and third segment")
}

// TCP-182, TCP-167: duplicate ACKs after a timeout do not begin a new recovery.
func TestNoRecoveryAfterTimeout(t *testing.T) {
	s := newScript(t).established("mss 1000").write(5000)
	for i := range 5 {
		s.sends(segLine(1001+1000*i, 1000, map[bool]string{true: "P"}[i == 4]))
	}
	s.expire().sends(segLine(1001, 1000, "")).quiet()
	for range 4 {
		s.recv(". seq 5001 ack 1001 win 64240")
	}
	require.Equal(t, CALoss, s.c.Info().CAState)
	require.Equal(t, 1000, s.c.Info().SndCwnd, "the loss window")
}

// TCP-160, TCP-163
func TestWindowAfterTimeoutAndIdle(t *testing.T) {
	s := sackEstablished(t, 10).after(100 * time.Millisecond).recv(". seq 5001 ack 11001 win 64240")
	s.write(20000)
	for range 20 {
		var seg Segment
		if !s.output(&seg) {
			break
		}
	}
	flight := s.nxt().Sub(s.una())
	for s.c.Info().CAState != CALoss {
		s.now = s.c.Deadline()
		var seg Segment
		for s.output(&seg) {
		}
	}
	require.Equal(t, 1000, s.c.Info().SndCwnd, "the loss window")
	require.LessOrEqual(t, s.c.Info().SndSsthresh, flight*7/10+2000, "0.7 of the flight, with room for tail loss probes")
	s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: s.nxt(), Wnd: 64240}).String())

	s = sackEstablished(t, 10).after(100 * time.Millisecond).recv(". seq 5001 ack 11001 win 64240")
	s.c.cc.cwnd = 100000
	s.after(10 * time.Second).write(30000)
	sent := 0
	var seg Segment
	for s.output(&seg) {
		sent += seg.DataLen()
	}
	require.Equal(t, 10000, sent, "the restart window is the initial one")
}

// TCP-036: on a path that drops full-sized segments without an ICMP error, smaller ones are sent.
func TestBlackHole(t *testing.T) {
	s := newScript(t).established("").write(1460).sends("P. seq 1001:2461(1460) ack 5001 win 65535")
	for range blackholeRetries - 1 {
		s.expire().sends("P. seq 1001:2461(1460) ack 5001 win 65535")
	}
	s.expire().sends(". seq 1001:2241(1240) ack 5001 win 65535")
	s.recv(". seq 5001 ack 2241 win 64240").sends("P. seq 2241:2461(220) ack 5001 win 65535")
	s.recv(". seq 5001 ack 2461 win 64240").after(blackholeMinAge).write(1460)
	s.sends("P. seq 2461:3921(1460) ack 5001 win 65535")
	for s.c.blackhole.times == 1 {
		s.silence(time.Second)
	}
	require.Greater(t, s.c.blackhole.until-s.now, blackholeMinAge, "the second time it lasts longer")
}

// Over IPv6 a black hole is left by 1280 bytes, of which 1220 are data, and no smaller size is tried: every path carries that (RFC 8200
// section 5).
func TestBlackHoleOverIPv6(t *testing.T) {
	s := newScript(t)
	s.header = IPv6Header
	s.established("").write(1440).sends("P. seq 1001:2441(1440) ack 5001 win 65535")
	for range blackholeRetries - 1 {
		s.expire().sends("P. seq 1001:2441(1440) ack 5001 win 65535")
	}
	for range 3 {
		s.expire().sends(". seq 1001:2221(1220) ack 5001 win 65535")
	}
	s.recv(". seq 5001 ack 2221 win 64240").sends("P. seq 2221:2441(220) ack 5001 win 65535")
}

// TCP-035: data in segments too large for a smaller path MTU is sent again in smaller ones.
func TestPathMTUShrinks(t *testing.T) {
	s := newScript(t).established("").write(1460).sends("P. seq 1001:2461(1460) ack 5001 win 65535")
	s.c.SetMTU(1000)
	s.sends(". seq 1001:1961(960) ack 5001 win 65535", "P. seq 1961:2461(500) ack 5001 win 65535")
}

// TCP-192, TCP-193: HyStart++ leaves slow start when round-trip times grow, and returns to it when they fall again.
func TestHyStart(t *testing.T) {
	round := func(h *hystart, m time.Duration) {
		h.last, h.current, h.samples = h.current, 0, 0
		for range hystartSamples {
			h.sample(m)
		}
	}
	var h hystart
	round(&h, 100*time.Millisecond)
	round(&h, 105*time.Millisecond)
	require.Zero(t, h.baseline, "below the threshold of 12.5 ms")
	round(&h, 120*time.Millisecond)
	require.NotZero(t, h.baseline)
	round(&h, 100*time.Millisecond)
	require.Zero(t, h.baseline, "it was jitter")
	round(&h, 130*time.Millisecond)
	require.NotZero(t, h.baseline)
	for range hystartCSSRounds - 1 {
		require.True(t, h.nextRound(0))
	}
	require.False(t, h.nextRound(0), "five rounds are enough")
}

// TCP-194, TCP-195: an ACK without delivered data does not change the window, even if all data in flight has meanwhile been marked
// as lost; and one segment more is allowed only when SND.UNA advances.
func TestPRRWithoutDelivery(t *testing.T) {
	s := sackEstablished(t, 10)
	s.c.snd.board.markAllLost()
	s.c.cc.enter(s.c)
	cwnd := s.c.Info().SndCwnd
	require.Positive(t, cwnd)
	s.c.cc.reduceRate(s.c, 0, false)
	require.Equal(t, cwnd, s.c.Info().SndCwnd)
	s.c.cc.repair.prr.out = 1000
	s.c.cc.reduceRate(s.c, 1000, false)
	require.Equal(t, 1000, s.c.Info().SndCwnd)
	s.c.cc.reduceRate(s.c, 1000, true)
	require.Equal(t, 2000, s.c.Info().SndCwnd)
}

// TCP-036: small segments that are retransmitted as one may be too large for the path although it is not full-sized.
func TestBlackHoleOfMergedSegments(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.NoDelay = true }).established("")
	s.write(700).sends("P. seq 1001:1701(700) ack 5001 win 65535").write(600).sends("P. seq 1701:2301(600) ack 5001 win 65535")
	for range blackholeRetries - 1 {
		s.expire().sends("P. seq 1001:2301(1300) ack 5001 win 65535")
	}
	s.expire().sends(". seq 1001:2241(1240) ack 5001 win 65535")
}

// The RTO allows for a delayed ACK, even if the round-trip time is constant.
func TestLeastRTO(t *testing.T) {
	var r rtt
	cfg := Config{}.WithDefaults()
	for range 100 {
		r.sample(150*time.Millisecond, &cfg)
	}
	require.Equal(t, 350*time.Millisecond, r.rto)
}

// TCP-163: a retransmission is a transmission: a window that was in use during a recovery was not idle.
func TestRetransmissionIsNotIdle(t *testing.T) {
	s := sackEstablished(t, 10).write(10000)
	s.after(100 * time.Millisecond).recv(". seq 5001 ack 1001 win 10000 <sack 1 {2001:11001}>").sends(segLine(1001, 1000, ""))
	s.c.cc.ssthresh = 50000
	s.expire().sends(segLine(1001, 1000, ""))
	s.c.cc.cwnd, s.c.cc.state = 50000, CAOpen
	s.after(350 * time.Millisecond).recv(". seq 5001 ack 11001 win 64240")
	s.silence(0)
	require.Equal(t, 50000, s.c.Info().SndCwnd)
}

// TCP-184: a reordering window that a D-SACK has widened narrows after 16 recoveries without a D-SACK.
func TestReorderingWindowNarrows(t *testing.T) {
	s := sackEstablished(t, 3).after(100 * time.Millisecond).recv(". seq 5001 ack 4001 win 64240 <sack 1 {1001:2001}>")
	for range rackPersist {
		require.EqualValues(t, 1, s.c.rack.steps)
		s.c.rack.recovered()
	}
	require.Zero(t, s.c.rack.steps)
}

// TCP-184: only the first block can be a D-SACK: it ends at or before SEG.ACK, or lies within the second block.
func TestDSACK(t *testing.T) {
	for ack, steps := range map[string]int{
		". seq 5001 ack 3001 win 64240 <sack 1 {2001:3001}>":                1,
		". seq 5001 ack 2001 win 64240 <sack 2 {3001:4001} {3001:5001}>":    1,
		". seq 5001 ack 2001 win 64240 <sack 2 {3001:5001} {3001:4001}>":    0,
		". seq 5001 ack 2001 win 64240 <sack 2 {4001:5001} {1001:2001}>":    0,
		". seq 5001 ack 2001 win 64240 <sack 2 {3001:4001} {5001:6001}>":    0,
		". seq 5001 ack 2001 win 64240 <sack 1 {3001:4001}>":                0,
		". seq 5001 ack 3001 win 64240 <sack 1 {90001:90002}>":              0,
		". seq 5001 ack 3001 win 64240 <sack 2 {2001:3001} {2901:3501}>":    1,
		". seq 5001 ack 2001 win 64240 <sack 2 {13001:14001} {9001:15001}>": 0, // never sent
	} {
		s := sackEstablished(t, 10).after(100 * time.Millisecond).recv(ack)
		require.EqualValues(t, steps, s.c.rack.steps, ack)
		require.Equal(t, steps > 0, s.c.rack.duplicate, ack)
	}
}

// TCP-184: the SACK block of an ACK that arrives after a later one is before SND.UNA, but not a D-SACK.
func TestReorderedACKIsNoDSACK(t *testing.T) {
	s := sackEstablished(t, 3).after(100 * time.Millisecond)
	s.recv(". seq 5001 ack 4001 win 64240").recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:4001}>")
	require.Zero(t, s.c.rack.steps)
	require.False(t, s.c.rack.duplicate)
}

// TCP-186: a probe sends again the segment that was sent, with its FIN, and so does a retransmission.
func TestLastSegmentWithFin(t *testing.T) {
	s := newScript(t).with(func(g *Config, _ *Params) { g.NoSACK = false }).listen()
	s.recv("S seq 5000 win 64240 <mss 1000,sackOK>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460,sackOK>")
	s.after(100 * time.Millisecond).recv(". seq 5001 ack 1001 win 64240").write(2000).do((*Conn).CloseWrite)
	fin := "FP. seq 2001:3001(1000) ack 5001 win 65535"
	s.sends(segLine(1001, 1000, ""), fin)
	s.expire().sends(fin)
	s.expire().sends(segLine(1001, 1000, ""))
	s.recv(". seq 5001 ack 2001 win 64240").sends(fin).quiet()
}

// TCP-167: without SACK only the first partial ACK restarts the timer, whose expiry ends a recovery that would take a round
// trip for each loss (RFC 6582 section 3.2, step 3).
func TestImpatientRecovery(t *testing.T) {
	s := newScript(t).established("mss 1000").write(10000)
	for i := range 10 {
		s.sends(segLine(1001+1000*i, 1000, map[bool]string{true: "P"}[i == 9]))
	}
	for range 5 {
		s.recv(". seq 5001 ack 1001 win 64240")
	}
	s.sends(segLine(1001, 1000, "")).quiet()
	for i := range 3 {
		before := s.c.Deadline()
		s.after(100 * time.Millisecond).recv((&Segment{Flags: ACK, Seq: 5001, Ack: Seq(2001 + 1000*i), Wnd: 64240}).String())
		s.sends(segLine(2001+1000*i, 1000, "")).quiet()
		require.Equal(t, i == 0, s.c.Deadline() != before, "partial acknowledgment %d", i)
	}
	s.expire().sends(segLine(4001, 1000, "")).quiet()
	require.Equal(t, CALoss, s.c.Info().CAState)
	s.recv(". seq 5001 ack 5001 win 64240").sends(segLine(5001, 1000, ""), segLine(6001, 1000, ""))
}

// TCP-036: a size that the path has carried is suspected after twice as many timeouts as a new one.
func TestProvenSizeIsSuspectedLate(t *testing.T) {
	s := newScript(t).established("mss 1460").write(1460).sends("P. seq 1001:2461(1460) ack 5001 win 65535")
	s.after(10 * time.Millisecond).recv(". seq 5001 ack 2461 win 64240").write(1460)
	s.sends("P. seq 2461:3921(1460) ack 5001 win 65535")
	for range 2*blackholeRetries - 1 {
		s.expire().sends("P. seq 2461:3921(1460) ack 5001 win 65535")
	}
	s.expire().sends(". seq 2461:3701(1240) ack 5001 win 65535")
}
