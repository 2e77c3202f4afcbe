package tcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TCP-166, TCP-241: a duplicate ACK in slow start allows one new segment for the one that it reports; the ACK that advances
// SND.UNA then counts both.
func TestNoGrowthOnDuplicates(t *testing.T) {
	for _, sack := range []bool{true, false} {
		s, report := sackEstablished(t, 10), " <sack 1 {2001:3001}>"
		if !sack {
			s, report = newScript(t).established("mss 1000").write(10_000), ""
			s.silence(0)
		}
		s.write(10_000).quiet()
		s.after(10 * time.Millisecond).recv(". seq 5001 ack 1001 win 64240" + report)
		s.sends(segLine(11001, 1000, "")).quiet()
		require.Equal(t, 10_000, s.c.cc.cwnd)
		s.recv(". seq 5001 ack 3001 win 64240")
		require.Equal(t, 12_000, s.c.cc.cwnd)
		for i := range 3 {
			s.sends(segLine(12001+1000*i, 1000, ""))
		}
		s.quiet()
	}
}

// TCP-241: after a timeout that one ACK repairs, two segments are sent, however much had arrived before.
func TestGrowthAfterTimeout(t *testing.T) {
	for _, algorithm := range []string{"reno", "cubic"} {
		for _, segments := range []int{1, 4} {
			for _, sack := range []bool{true, false} {
				s := newScript(t).with(func(g *Config, _ *Params) { g.NoSACK, g.Congestion = !sack, algorithm })
				s.established("mss 1000,sackOK").write(1000 * segments)
				s.silence(0)
				for s.c.cc.state != CALoss {
					s.silence(10 * time.Millisecond)
				}
				s.recv(fmt.Sprintf(". seq 5001 ack %d win 64240", 1001+1000*segments))
				require.Equal(t, CAOpen, s.c.cc.state)
				s.write(10_000).sends(segLine(1001+1000*segments, 1000, ""), segLine(2001+1000*segments, 1000, "")).quiet()
			}
		}
	}
}

// TCP-162, TCP-195: without SACK, the ACK that ends recovery does not count segments that duplicate ACKs have counted.
func TestGrowthAtEndOfRecovery(t *testing.T) {
	s := newScript(t).established("mss 1000").write(20_000)
	s.silence(0)
	for range 9 {
		s.recv(". seq 5001 ack 1001 win 64240")
		s.silence(0)
	}
	require.Equal(t, CARecovery, s.c.cc.state)
	require.Equal(t, 6000, s.c.cc.ssthresh, "half of twelve segments")
	s.recv(". seq 5001 ack 13001 win 64240")
	require.Equal(t, CAOpen, s.c.cc.state)
	require.Equal(t, 6000+1000*3000/6000, s.c.cc.cwnd, "nine of them were counted")
}
