package tcp

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TCP-047, TCP-048: slow start doubles the window per round trip; congestion avoidance adds one segment. The user chooses the algorithm.
func TestSlowStartAndAvoidance(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.Congestion, p.SndBuf = "reno", 1<<20 }).established("mss 1000").write(200000)
	round := func() {
		s.silence(0)
		for s.una() != s.nxt() {
			s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: minSeq(s.una()+1000, s.nxt()), Wnd: 64240}).String())
		}
	}
	for _, want := range []int{20000, 40000} {
		round()
		require.Equal(t, want, s.c.cc.cwnd)
	}
	s.c.cc.ssthresh = 30000
	for _, want := range []int{41000, 42000} {
		round()
		require.InDelta(t, want, s.c.cc.cwnd, 100)
	}
}

// TCP-189: the curve of RFC 9438 figure 1 and the Reno-friendly region, in rounds of one round-trip time.
func TestCubicGrowth(t *testing.T) {
	const mss = 1000
	grown := func(q *cubic, cwnd int, rtt, lasting time.Duration, limited bool) int {
		for now := rtt; now <= lasting; now += rtt {
			cwnd = q.grow(now, growth{cwnd: cwnd, acked: cwnd, mss: mss, limited: limited, srtt: rtt})
		}
		return cwnd
	}
	const rtt = 100 * time.Millisecond
	k := math.Cbrt(300 / 0.4)
	for _, at := range []time.Duration{2 * time.Second, 9 * time.Second, 12 * time.Second} {
		q := new(cubic)
		cwnd := q.reduce(1000*mss, 1000*mss, mss)
		want := 0.4*math.Pow(at.Seconds()-k, 3) + 1000
		require.InEpsilon(t, want*mss, grown(q, cwnd, rtt, at, true), 0.02, at)
	}
	q := new(cubic)
	cwnd := q.reduce(1000*mss, 1000*mss, mss)
	require.Equal(t, cwnd, grown(q, cwnd, rtt, time.Hour, false), "not in full use")

	q = new(cubic)
	cwnd = q.reduce(20*mss, 20*mss, mss) // Reno's estimate grows by 9/17 per round trip
	require.InDelta(t, (14+0.529*10)*mss, grown(q, cwnd, 10*time.Millisecond, 100*time.Millisecond, true), mss)
}

// TCP-190, TCP-191
func TestCubicReduction(t *testing.T) {
	q := new(cubic)
	require.Equal(t, 70000, q.reduce(100000, 100000, 1000))
	require.Equal(t, 100.0, q.wMax)
	require.Equal(t, 56000, q.reduce(80000, 80000, 1000))
	require.InDelta(t, 80*1.7/2, q.wMax, 1e-9, "fast convergence")
	require.Equal(t, 2000, q.reduce(2000, 1000, 1000))
	require.InDelta(t, 7560, q.reduce(10800, 10000, 1000), 1, "a window in use, of which only whole segments are sent")
	require.InDelta(t, 7700, q.reduce(50000, 10000, 1000), 1, "a window that was not in use")

	s := newScript(t).with(func(_ *Config, p *Params) { p.Congestion = "cubic" }).established("mss 1000").write(10000)
	s.silence(s.c.rtt.rto)
	require.Equal(t, 1000, s.c.cc.cwnd)
	require.Equal(t, 7000, s.c.cc.ssthresh)
}

// TCP-195: six of ten segments are lost; each ACK allows the bytes that it delivers and one segment more.
func TestPRRBelowThreshold(t *testing.T) {
	s := newScript(t).with(func(g *Config, _ *Params) { g.NoSACK = false }).established("mss 1000,sackOK").write(20000)
	s.silence(0)
	report := func(end int) int {
		s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: 1001, Wnd: 64240, Options: Options{SackCount: 1, Sack: [4]Range{{7001, Seq(end)}}}}).String())
		return s.silence(0)
	}
	report(8001)
	report(9001)
	sent := report(10001)
	require.Equal(t, CARecovery, s.c.cc.state)
	require.Less(t, s.c.snd.pipe(), s.c.cc.ssthresh)
	for _, end := range []int{11001, 12001, 13001} {
		n := report(end)
		require.LessOrEqual(t, n, 2)
		sent += n
	}
	require.GreaterOrEqual(t, sent, 4)
	for s.c.cc.state == CARecovery {
		s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: s.nxt(), Wnd: 64240}).String())
	}
	require.InDelta(t, s.c.cc.ssthresh, s.c.cc.cwnd, 1000)
}
