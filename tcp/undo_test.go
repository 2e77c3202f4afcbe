package tcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// undone is the number of recoveries that each rule has undone.
func (s *script) undone() [3]uint64 {
	st := s.c.cfg.Stats
	return [...]uint64{st.UndoDSACK.Value(), st.UndoEifel.Value(), st.UndoFRTO.Value()}
}

var (
	undoneNever  = [3]uint64{}
	undoneDSACK  = [3]uint64{1, 0, 0}
	undoneEifel  = [3]uint64{0, 1, 0}
	undoneByFRTO = [3]uint64{0, 0, 1}
)

// restored expects the window from before the recovery, and no lost data.
func (s *script) restored(by [3]uint64, cwnd, ssthresh int) *script {
	s.t.Helper()
	i := s.c.Info()
	require.Equal(s.t, by, s.undone())
	require.Equal(s.t, "open", i.CAState.String())
	require.Equal(s.t, []int{cwnd, ssthresh, 0}, []int{i.SndCwnd, i.SndSsthresh, i.Lost})
	return s
}

// timedOut is a connection without timestamps after a timeout of ten segments, with more data to send. With SACK it has sent a
// tail loss probe before.
func timedOut(t *testing.T, algorithm string, sack bool) *script {
	s := newScript(t)
	if sack {
		s = sackEstablished(t, 10)
	} else {
		s.with(func(g *Config, _ *Params) { g.Congestion = algorithm }).established("mss 1000").write(10_000)
		s.silence(0)
	}
	s.write(20_000)
	if sack {
		s.after(202 * time.Millisecond).sends(segLine(11001, 1000, "")) // the probe carries new data
	}
	return s.expire().sends(segLine(1001, 1000, "")).quiet()
}

// TCP-242: after a spurious timeout two new segments follow the first ACK, and the next ACK, which covers data that was not retransmitted,
// restores the window. No other data is retransmitted.
func TestFRTO(t *testing.T) {
	for _, algorithm := range []string{"reno", "cubic"} {
		s := timedOut(t, algorithm, false)
		s.recv(". seq 5001 ack 2001 win 64240").sends(segLine(11001, 1000, ""), segLine(12001, 1000, "")).quiet()
		s.recv(". seq 5001 ack 3001 win 64240").restored(undoneByFRTO, 11_000, infinite) // slow start continues
		s.sends(segLine(13001, 1000, "")).quiet()
		require.EqualValues(t, 1, s.c.Info().TotalRetrans)
	}
}

// TCP-242: the same with SACK, also when the second ACK brings SACKs alone.
func TestFRTOWithSACK(t *testing.T) {
	for cwnd, second := range map[int]string{11_000: ". seq 5001 ack 3001 win 64240", 10_000: ". seq 5001 ack 2001 win 64240 <sack 1 {3001:4001}>"} {
		s := timedOut(t, "reno", true)
		s.recv(". seq 5001 ack 2001 win 64240").sends(segLine(12001, 1000, ""), segLine(13001, 1000, "")).quiet()
		s.recv(second).restored(undoneByFRTO, cwnd, infinite)
		require.EqualValues(t, 1, s.c.Info().TotalRetrans)
	}
}

// TCP-242: a real loss is repaired: a duplicate ACK, or a SACK of the new data, follows the new segments.
func TestFRTOOfTrueLoss(t *testing.T) {
	s := timedOut(t, "reno", false)
	s.recv(". seq 5001 ack 2001 win 64240").sends(segLine(11001, 1000, ""), segLine(12001, 1000, "")).quiet()
	s.recv(". seq 5001 ack 2001 win 64240").sends(segLine(2001, 1000, "")).quiet()
	require.Equal(t, undoneNever, s.undone())
	require.Equal(t, "loss", s.c.Info().CAState.String())

	s = timedOut(t, "reno", true)
	s.recv(". seq 5001 ack 2001 win 64240").sends(segLine(12001, 1000, ""), segLine(13001, 1000, "")).quiet()
	s.recv(". seq 5001 ack 2001 win 64240 <sack 1 {12001:13001}>").sends(segLine(2001, 1000, "")).quiet()
	s.recv(". seq 5001 ack 4001 win 64240 <sack 1 {12001:14001}>") // data that was not retransmitted had arrived, but one segment was lost
	require.Equal(t, undoneNever, s.undone())
	require.Equal(t, "loss", s.c.Info().CAState.String())
}

// TCP-242: one segment and all ACKs are lost: the first ACK covers all data in flight. That proves nothing.
func TestFRTOOfLostAcks(t *testing.T) {
	s := timedOut(t, "reno", false)
	s.recv(". seq 5001 ack 11001 win 64240")
	require.Equal(t, undoneNever, s.undone())
	require.Equal(t, 2000, s.c.cc.cwnd)
}

// TCP-242: without new data to send, the loss is repaired as after any timeout.
func TestFRTOWithoutNewData(t *testing.T) {
	s := newScript(t).established("mss 1000").write(10_000)
	s.silence(0)
	s.expire().sends(segLine(1001, 1000, "")).quiet()
	s.recv(". seq 5001 ack 2001 win 64240").sends(segLine(2001, 1000, ""), segLine(3001, 1000, "")).quiet()
	s.recv(". seq 5001 ack 3001 win 64240")
	require.Equal(t, undoneNever, s.undone())
}

// stamped is a connection with timestamps that has sent ten segments at 1 s, with more data to send.
func stamped(t *testing.T, sack bool) *script {
	s := newScript(t).with(func(g *Config, _ *Params) { g.NoTimestamps, g.NoSACK = false, !sack })
	s.now = 900 * time.Millisecond
	s.listen().recv("S seq 5000 win 64240 <mss 1012,sackOK,TS val 1 ecr 0>")
	s.silence(100 * time.Millisecond)
	s.recv(". seq 5001 ack 1001 win 64240 <TS val 1 ecr 900>").is(Established).write(30_000)
	s.silence(0)
	require.Equal(t, 10_000, s.c.Info().Unacked)
	return s
}

// stampedLine is a segment of 1000 bytes with timestamps.
func stampedLine(seq int, at time.Duration, echo int) string {
	return fmt.Sprintf(". seq %d:%d(1000) ack 5001 win 65535 <TS val %d ecr %d>", seq, seq+1000, at.Milliseconds(), echo)
}

// TCP-243: an ACK after a timeout that echoes the timestamp of the first copy restores the window at once; one that echoes the
// timestamp of the retransmission does not.
func TestEifelAfterTimeout(t *testing.T) {
	s := stamped(t, false)
	s.expire().sends(stampedLine(1001, 1300*time.Millisecond, 1)).quiet()
	s.after(50*time.Millisecond).recv(". seq 5001 ack 2001 win 64240 <TS val 2 ecr 1000>").restored(undoneEifel, 11_000, infinite)
	s.sends(stampedLine(11001, 1350*time.Millisecond, 2), stampedLine(12001, 1350*time.Millisecond, 2)).quiet()

	s = stamped(t, false)
	s.expire().sends(stampedLine(1001, 1300*time.Millisecond, 1)).quiet()
	s.after(50 * time.Millisecond).recv(". seq 5001 ack 2001 win 64240 <TS val 2 ecr 1300>")
	require.Equal(t, undoneNever, s.undone())
	s.sends(stampedLine(2001, 1350*time.Millisecond, 2), stampedLine(3001, 1350*time.Millisecond, 2)).quiet()
}

// TCP-243: an ACK of all data in flight with an old timestamp, from a peer without D-SACK, shows that ACKs were lost.
func TestEifelOfLostAcks(t *testing.T) {
	s := stamped(t, false)
	s.expire().sends(stampedLine(1001, 1300*time.Millisecond, 1)).quiet()
	s.recv(". seq 5001 ack 11001 win 64240 <TS val 2 ecr 1000>")
	require.Equal(t, undoneNever, s.undone())
}

// TCP-243: three duplicate ACKs for a late segment begin a spurious recovery. RACK waits for late segments from then on.
func TestEifelAfterFastRetransmit(t *testing.T) {
	for _, echo := range []int{1000, 1100} {
		s := stamped(t, true)
		s.silence(100 * time.Millisecond)
		for i := range 3 {
			s.recv(fmt.Sprintf(". seq 5001 ack 1001 win 64240 <TS val 2 ecr 1000,sack 1 {2001:%d}>", 3001+1000*i))
			s.silence(0)
		}
		require.Equal(t, "recovery", s.c.Info().CAState.String())
		s.after(time.Millisecond).recv(fmt.Sprintf(". seq 5001 ack 5001 win 64240 <TS val 3 ecr %d>", echo))
		if echo == 1000 {
			s.restored(undoneEifel, 11_000, infinite)
			require.True(t, s.c.rack.reordered)
		} else {
			require.Equal(t, undoneNever, s.undone())
			require.Equal(t, "recovery", s.c.Info().CAState.String())
		}
	}
}

// fastRetransmitted is a connection without timestamps that has retransmitted its first segment after three duplicate ACKs.
func fastRetransmitted(t *testing.T, algorithm string) *script {
	s := sackEstablished(t, 10).do(func(c *Conn, now time.Duration) {
		c.cc.use(algorithm)
		c.cc.algorithm.start(now, c)
	}).write(20_000)
	s.after(100 * time.Millisecond).recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:5001}>").sends(segLine(1001, 1000, ""))
	s.silence(0)
	require.Equal(t, "recovery", s.c.Info().CAState.String())
	return s
}

// TCP-244: a D-SACK for all retransmitted data restores the window, during recovery and soon after it.
func TestUndoByDSACK(t *testing.T) {
	for _, algorithm := range []string{"reno", "cubic"} {
		s := fastRetransmitted(t, algorithm).recv(". seq 5001 ack 5001 win 64240")
		require.Less(t, s.c.Info().SndCwnd, 10_000)
		s.recv(". seq 5001 ack 5001 win 64240 <sack 1 {1001:2001}>").restored(undoneDSACK, 10_000, infinite)

		s = fastRetransmitted(t, algorithm).recv(". seq 5001 ack 11001 win 64240")
		require.Equal(t, "open", s.c.Info().CAState.String())
		require.Less(t, s.c.Info().SndCwnd, 10_000)
		s.recv(". seq 5001 ack 11001 win 64240 <sack 1 {1001:2001}>").restored(undoneDSACK, 10_000, infinite)
	}
}

// TCP-244: a D-SACK for a part, for data that was not retransmitted, or long after recovery, undoes nothing. Nor is a recovery undone while the
// network reports congestion.
func TestNoUndoByDSACK(t *testing.T) {
	s := fastRetransmitted(t, "reno")
	for _, block := range []string{"1001:1501", "2001:3001"} {
		s.recv(". seq 5001 ack 5001 win 64240 <sack 1 {" + block + "}>")
	}
	require.Equal(t, undoneNever, s.undone())

	s = fastRetransmitted(t, "reno").recv(". seq 5001 ack 11001 win 64240")
	s.silence(0)
	for range 2 { // one round trip later
		s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: s.nxt(), Wnd: 64240}).String())
		s.silence(0)
	}
	s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: s.una(), Wnd: 64240, Options: Options{SackCount: 1, Sack: [4]Range{{1001, 2001}}}}).String())
	require.Equal(t, undoneNever, s.undone())

	s = fastRetransmitted(t, "reno").do(func(c *Conn, _ time.Duration) { c.ecn.ok = true })
	s.recv(".E seq 5001 ack 5001 win 64240").recv(". seq 5001 ack 5001 win 64240 <sack 1 {1001:2001}>")
	require.Equal(t, undoneNever, s.undone())
}

// TCP-244: a recovery that another algorithm has begun cannot be undone.
func TestNoUndoAfterChange(t *testing.T) {
	for _, algorithm := range Algorithms {
		s := fastRetransmitted(t, "reno").do(func(c *Conn, now time.Duration) {
			p := c.Params()
			p.Congestion = algorithm
			c.SetParams(now, &p)
		})
		s.recv(". seq 5001 ack 5001 win 64240").recv(". seq 5001 ack 5001 win 64240 <sack 1 {1001:2001}>")
		if algorithm == "reno" {
			require.Equal(t, undoneDSACK, s.undone())
		} else {
			require.Equal(t, undoneNever, s.undone())
		}
	}
}

// TCP-244: CUBIC's curve continues as before the recovery (RFC 9438 section 4.9).
func TestUndoRestoresCurve(t *testing.T) {
	s := fastRetransmitted(t, "cubic")
	w := s.c.cc.algorithm.(*windowed[cubic, *cubic])
	require.NotZero(t, w.state.wMax)
	s.recv(". seq 5001 ack 5001 win 64240 <sack 1 {1001:2001}>")
	require.Equal(t, undoneDSACK, s.undone())
	require.Zero(t, w.state)
}

// TCP-244: BBR restores its model from before a spurious loss, and returns to Startup.
func TestUndoOfBBR(t *testing.T) {
	s := fastRetransmitted(t, "bbr")
	b := s.c.cc.algorithm.(*bbr)
	b.state, b.pipe.reached = bbrDrain, true
	b.model.bwLo, b.model.hi, b.model.lo = 1, 1000, 2000
	s.recv(". seq 5001 ack 5001 win 64240 <sack 1 {1001:2001}>")
	require.Equal(t, undoneDSACK, s.undone())
	require.Equal(t, bbrStartup, b.state)
	require.Equal(t, []any{false, false, infinite, infinite}, []any{b.pipe.reached, b.model.lossInRound, b.model.hi, b.model.lo})
	require.GreaterOrEqual(t, s.c.Info().SndCwnd, 10_000)
}
