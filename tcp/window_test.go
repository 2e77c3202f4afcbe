package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TCP-148: a retransmission that acknowledges more than all before it was sent after them, and so its window counts.
func TestWindowOfRetransmission(t *testing.T) {
	s := newScript(t).established("mss 1000").recv(". seq 5001 ack 1001 win 2000").write(5000)
	s.sends(segLine(1001, 1000, ""), segLine(2001, 1000, "")).quiet()
	s.recv(". seq 5101 ack 2001 win 1000").quiet()
	s.recv("P. seq 5001:5101(100) ack 3001 win 0").sends(". seq 3001 ack 5101 win 65435").quiet()
	require.Zero(t, s.c.snd.wnd)
}

// TCP-073, TCP-074: what was sent before the window shrank is sent again as far as the window goes.
func TestRetransmissionIntoSmallerWindow(t *testing.T) {
	s := newScript(t).established("mss 1000").write(1000).sends(segLine(1001, 1000, "P"))
	s.recv(". seq 5001 ack 1001 win 400").quiet()
	s.after(s.c.timers.rexmt - s.now).sends(segLine(1001, 400, ""))
	s.recv(". seq 5001 ack 1401 win 600").sends(segLine(1401, 600, "P"))
}
