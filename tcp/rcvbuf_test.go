package tcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// flood is a peer that sends batches of n bytes, each after the pause before it, and echoes the timestamps of
// acknowledgments that are rtt old. The user reads at once.
func (s *script) flood(n int, rtt time.Duration, pauses ...time.Duration) {
	s.t.Helper()
	type stamped struct {
		at  time.Duration
		val uint32
	}
	var acks []stamped
	echo := uint32(0)
	b := make([]byte, n)
	for _, pause := range pauses {
		s.now += pause
		for len(acks) > 0 && acks[0].at+rtt <= s.now {
			echo, acks = acks[0].val, acks[1:]
		}
		for left := n; left > 0; left -= 1000 {
			seq := s.rcvNxt()
			s.recv(fmt.Sprintf(". seq %d:%d(1000) ack 1001 win 64240 <TS val 1 ecr %d>", seq, seq.Add(1000), echo))
		}
		require.Equal(s.t, n, s.c.Read(s.now, b))
		for seg := (Segment{}); s.output(&seg); seg = (Segment{}) {
			acks = append(acks, stamped{s.now, seg.Options.TSVal})
		}
	}
}

func every(d time.Duration, times int) []time.Duration {
	pauses := make([]time.Duration, times)
	for i := range pauses {
		pauses[i] = d
	}
	return pauses
}

func floodScript(t *testing.T) *script {
	s := newScript(t).with(all).with(func(c *Config, _ *Params) { c.NoWindowScale = false })
	s.now = time.Second
	return s.established("mss 1460,wscale 7,TS val 1 ecr 0")
}

// The automatic sizing makes the receive buffer several times the data of a round trip under load, which may be far
// longer than the round trip of the handshake.
func TestReceiveBufferFollowsRoundTripUnderLoad(t *testing.T) {
	const perMs = 40000
	s := floodScript(t)
	s.flood(perMs, 5*time.Millisecond, every(time.Millisecond, 500)...)
	require.InDelta(t, 5*time.Millisecond, s.c.rcv.arrival.rtt, float64(time.Millisecond))
	require.GreaterOrEqual(t, s.c.rcv.buffer, 8*5*perMs)
	require.LessOrEqual(t, s.c.rcv.buffer, 8*7*perMs)

	s = floodScript(t)
	s.flood(perMs, 500*time.Microsecond, every(time.Millisecond, 500)...)
	require.LessOrEqual(t, s.c.rcv.buffer, 8*2*perMs, "a short way needs no more")
}

// Idle time of the peer does not count as round-trip time.
func TestReceiveBufferOfPausingPeer(t *testing.T) {
	s := floodScript(t)
	s.flood(10000, time.Millisecond, append(every(10*time.Second, 20), every(time.Millisecond, 500)...)...)
	require.LessOrEqual(t, s.c.rcv.arrival.rtt, 3*time.Millisecond)
	require.LessOrEqual(t, s.c.rcv.buffer, 256<<10)
}

// TCP-173: the receiver's round trip starts at the ACK that is echoed, not at an earlier one that was lost. A long idle time
// of the peer increases it only a little.
func TestArrivalRTT(t *testing.T) {
	var a arrivalRTT
	stamp := func(now time.Duration) uint32 { return uint32(now / ms) }
	exchange := func(sent, echoed, arrives time.Duration) {
		a.sent(sent, stamp(sent))
		a.sent(echoed, stamp(echoed))
		a.echoed(arrives, stamp(echoed), stamp(arrives))
	}
	exchange(1000*ms, 1000*ms, 1010*ms)
	require.Equal(t, 10*ms, a.rtt)
	exchange(2000*ms, 9000*ms, 9010*ms)
	require.LessOrEqual(t, a.rtt, 11*ms)
	exchange(20*time.Second, 20*time.Second, 80*time.Second)
	require.LessOrEqual(t, a.rtt, 12*ms)
	for now := 80 * time.Second; now < 84*time.Second; now += 100 * ms {
		exchange(now, now, now+40*ms)
	}
	require.InDelta(t, 40*ms, a.rtt, float64(5*ms))
}

// TCP-173: a segment that fills a gap is a retransmission: its echo gives no sample.
func TestArrivalRTTOfRetransmission(t *testing.T) {
	s := floodScript(t).after(time.Second).recv("P. seq 5001:5011(10) ack 1001 win 64240 <TS val 1 ecr 0>")
	s.silence(0)
	s.recv("P. seq 5021:5031(10) ack 1001 win 64240 <TS val 2 ecr 0>").silence(0)
	s.after(10*time.Second).recv("P. seq 5011:5021(10) ack 1001 win 64240 <TS val 3 ecr 2000>").reads(5001, 30)
	require.Zero(t, s.c.rcv.arrival.rtt)
	s.silence(0)
	s.after(10 * time.Millisecond).recv("P. seq 5031:5041(10) ack 1001 win 64240 <TS val 4 ecr 12000>")
	require.InDelta(t, 10*ms, s.c.rcv.arrival.rtt, float64(ms))
}
