package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TCP-013: the window grows with any ISS.
func TestWindowGrows(t *testing.T) {
	s := newScript(t).open().sends("S seq 1000 win 65535 <mss 1460>").recv("S. seq 5000 ack 1001 win 65535 <mss 1460>")
	s.write(40 * 1460)
	start := s.c.cc.cwnd
	s.silence(0)
	s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: s.nxt(), Wnd: 65535}).String())
	require.Greater(t, s.c.cc.cwnd, start)
	require.Equal(t, s.c.snd.una, s.c.rack.highest)
}

// TCP-184: without reordering, the third segment SACKed above a hole shows a loss at once.
func TestThirdReportIsLoss(t *testing.T) {
	s := newScript(t).with(func(g *Config, _ *Params) { g.NoSACK = false }).listen()
	s.recv("S seq 5000 win 64240 <mss 1000,sackOK>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460,sackOK>")
	s.after(400 * time.Millisecond).recv(". seq 5001 ack 1001 win 64240").write(4000)
	s.sends(segLine(1001, 1000, ""), segLine(2001, 1000, ""), segLine(3001, 1000, ""), segLine(4001, 1000, "P"))
	s.after(400 * time.Millisecond).recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:3001}>").quiet()
	s.recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:4001}>").quiet()
	s.recv(". seq 5001 ack 1001 win 64240 <sack 1 {2001:5001}>").sends(segLine(1001, 1000, ""))
}

// TCP-013: recorded sequence numbers do not compare as after SND.UNA once 2^31 bytes have passed.
func TestMarksFollow(t *testing.T) {
	s := newScript(t).established("mss 1000")
	for _, mark := range s.c.marks() {
		*mark = s.c.snd.una.Add(1500 - 1<<31)
	}
	s.write(10000).sends(segLine(1001, 1000, ""), segLine(2001, 1000, ""))
	s.recv(". seq 5001 ack 2001 win 64240").recv(". seq 5001 ack 3001 win 64240")
	for _, mark := range s.c.marks() {
		require.Equal(t, s.c.snd.una, *mark)
	}
	s.silence(0)
	for range 3 {
		s.recv(". seq 5001 ack 3001 win 64240")
	}
	s.sends(segLine(3001, 1000, "")).quiet()
}
