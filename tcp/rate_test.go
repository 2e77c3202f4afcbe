package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

// sampling is a sender whose flights have 1000 bytes.
type sampling struct {
	rateSampler
	board scoreboard
	nxt   Seq
}

func (s *sampling) send(at time.Duration) {
	w := Range{s.nxt, s.nxt + 1000}
	s.nxt = w.End
	s.board.push(w, 1000, at)
	s.rateSampler.sent(at, &s.board, 1000, s.nxt.Sub(s.board.front().Start))
}

func (s *sampling) ack(at time.Duration, to Seq) rateSample {
	var d delivery
	s.board.ackTo(to, 0, &d)
	d.rtt = at - d.latest.sent
	return s.rateSampler.acked(at, &d, 10*ms)
}

// The rate is that of the bytes delivered between the last ACK before the flight was sent and the ACK of the flight.
func TestDeliveryRate(t *testing.T) {
	var s sampling
	s.send(0)
	s.send(2 * ms)
	s.send(4 * ms)
	r := s.ack(20*ms, 1000)
	require.Equal(t, rateSample{rate: 50_000, delivered: 1000, inFlight: 1000, acked: 1000, rtt: 20 * ms}, r)
	s.send(20 * ms)
	require.InDelta(t, 2000/0.022, s.ack(22*ms, 2000).rate, 1)
	s.ack(24*ms, 3000)
	r = s.ack(40*ms, 4000) // sent after the first ACK, since which three more flights were delivered
	require.InDelta(t, 3000/0.020, r.rate, 1)
	require.EqualValues(t, 1000, r.prior)
	require.Equal(t, 3000, r.inFlight)
}

// ACK compression does not raise the rate above that of sending.
func TestDeliveryRateOfHeap(t *testing.T) {
	var s sampling
	for i := range 10 {
		s.send(time.Duration(i) * 10 * ms)
	}
	require.InDelta(t, 1000/0.1, s.ack(100*ms, 1000).rate, 1)
	s.send(100 * ms)
	s.ack(101*ms, 10_000)
	r := s.ack(200*ms, 11_000)
	require.InDelta(t, 10_000/0.1, r.rate, 1)
	s = sampling{}
	s.send(0)
	require.Zero(t, s.ack(5*ms, 1000).rate, "less than the shortest round trip")
}

// Samples of data sent while the application limits sending, and in the next round trip, are marked as application-limited.
func TestDeliveryRateOfApplication(t *testing.T) {
	var s sampling
	s.send(0)
	s.limit(1000)
	s.send(10 * ms)
	require.False(t, s.ack(20*ms, 1000).limited, "sent before")
	s.send(20 * ms)
	require.True(t, s.ack(30*ms, 2000).limited)
	s.send(30 * ms)
	require.True(t, s.ack(40*ms, 3000).limited)
	require.False(t, s.ack(50*ms, 4000).limited)
}

// The log drops acknowledged flights when it is full.
func TestTransmissionsAreForgotten(t *testing.T) {
	var s sampling
	for i := range 10_000 {
		s.send(time.Duration(i) * ms)
		if i >= 20 {
			r := s.ack(time.Duration(i)*ms, Seq(1000*(i-20)))
			require.True(t, i == 20 || r.delivered > 0)
		}
	}
	require.Less(t, cap(s.log), 100)
	s.forget()
	require.Zero(t, cap(s.log))
}

func TestPacer(t *testing.T) {
	p := pacer{model: 10e6}
	require.Equal(t, 10_000, p.quantum(1000), "a millisecond's worth")
	p.sent(time.Second, 10_000)
	require.Equal(t, time.Second, p.next, "a burst to begin with")
	p.sent(time.Second, 10_000)
	require.Equal(t, time.Second+ms, p.next)
	p.sent(time.Second+ms+ms/2, 10_000)
	require.Equal(t, time.Second+2*ms, p.next, "who is late catches up")
	p.sent(time.Minute, 10_000)
	require.Equal(t, time.Minute, p.next, "but not with what was not used for long")

	p.model = 100
	require.Equal(t, 2000, p.quantum(1000))
	p.model = 1e12
	require.Equal(t, 64<<10, p.quantum(1000))
	p.most = 1e6
	require.Equal(t, 1e6, p.rate(), "the user's bound")
	p.model = 1e5
	require.Equal(t, 1e5, p.rate(), "the lower of both")
}
