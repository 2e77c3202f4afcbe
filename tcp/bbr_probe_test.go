package tcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowPeer acknowledges data 50 ms after its transmission, until so many bytes have arrived or nothing is sent any more.
func slowPeer(s *script, bytes, window int) {
	sent := s.una()
	for from := sent; s.una().Sub(from) < bytes; {
		var seg Segment
		for s.output(&seg) {
			sent = maxSeq(sent, seg.End())
		}
		if sent == s.una() {
			require.NotZero(s.t, s.c.Deadline())
			s.now = s.c.Deadline()
			continue
		}
		s.now += 50 * time.Millisecond
		s.recv(fmt.Sprintf(". seq 5001 ack %d win %d", sent, window))
	}
}

// A window that opens byte by byte does not set the model's rate.
func TestBBRAndProbes(t *testing.T) {
	s := newScript(t).with(func(g *Config, _ *Params) { g.Congestion = "bbr" }).established("").write(200_000)
	slowPeer(s, 120_000, 40_000)
	s.recv(fmt.Sprintf(". seq 5001 ack %d win 0", s.una()))
	slowPeer(s, 60, 0)
	s.recv(fmt.Sprintf(". seq 5001 ack %d win 40000", s.una()))
	began := s.now
	slowPeer(s, 60_000, 40_000)
	require.Less(t, s.now-began, time.Second)
}

// TCP-240: pacing does not delay the retransmission after a timeout.
func TestTimeoutWaitsForNoPace(t *testing.T) {
	s := newScript(t).with(func(g *Config, _ *Params) { g.Congestion = "bbr" }).established("").write(3000)
	var seg Segment
	for s.output(&seg) {
	}
	s.c.cc.pace.next = s.now + time.Hour
	s.now = s.c.timers.rexmt
	require.True(t, s.output(&seg))
	require.EqualValues(t, 1001, seg.Seq)
}
