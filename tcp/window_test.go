package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TCP-148: the window of a retransmission is taken if it acknowledges more than all earlier segments, because it was sent after them.
func TestWindowOfRetransmission(t *testing.T) {
	s := newScript(t).established("mss 1000").recv(". seq 5001 ack 1001 win 2000").write(5000)
	s.sends(segLine(1001, 1000, ""), segLine(2001, 1000, "")).quiet()
	s.recv(". seq 5101 ack 2001 win 1000").quiet()
	s.recv("P. seq 5001:5101(100) ack 3001 win 0").sends(". seq 3001 ack 5101 win 65435").quiet()
	require.Zero(t, s.c.snd.wnd)
}

// TCP-073, TCP-074: data sent before the window shrank is retransmitted as far as the window allows.
func TestRetransmissionIntoSmallerWindow(t *testing.T) {
	s := newScript(t).established("mss 1000").write(1000).sends(segLine(1001, 1000, "P"))
	s.recv(". seq 5001 ack 1001 win 400").quiet()
	s.expire().sends(segLine(1001, 400, ""))
	s.recv(". seq 5001 ack 1401 win 600").sends(segLine(1401, 600, "P"))
}

// SOCK-024, TCP-164: data that arrives after the user has shut down reading, in order or not, is acknowledged and discarded.
func TestDataAfterShutdownOfReading(t *testing.T) {
	s := newScript(t).with(all).established("mss 1460,sackOK")
	s.recv("P. seq 5011:5021(10) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535 <sack 1 {5011:5021}>")
	s.c.CloseRead()
	s.recv("P. seq 5031:5041(10) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535 <sack 2 {5031:5041} {5011:5021}>")
	s.recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5021 win 65515 <sack 1 {5031:5041}>")
	s.recv("P. seq 5021:5031(10) ack 1001 win 64240").sends(". seq 1001 ack 5041 win 65495")
	s.recv("F. seq 5041 ack 1001 win 64240").sends(". seq 1001 ack 5042 win 65494").is(CloseWait)
	require.Zero(t, s.c.Readable())
}

// TCP-069: after the shutdown of reading, an announced urgent byte is no longer expected.
func TestUrgentAfterShutdownOfReading(t *testing.T) {
	s := newScript(t).established("").recv(".U seq 5001 ack 1001 win 64240 urg 5")
	s.c.CloseRead()
	s.recv("P.U seq 5001:5011(10) ack 1001 win 64240 urg 7").sends(". seq 1001 ack 5011 win 65525")
	_, err := s.c.ReadUrgent()
	require.ErrorIs(t, err, syscall.EINVAL)
	require.False(t, s.c.UrgentPending())
}

// TCP-173: a segment with a guessed acknowledgment number, or from outside the window, does not change TS.Recent.
func TestTimestampOfForgedSegments(t *testing.T) {
	s := newScript(t).with(all).established("mss 1460,TS val 1 ecr 0")
	before := s.c.rcv.tsRecent
	s.recv("P. seq 5001:5011(10) ack 9999 win 100 <TS val 2000000000 ecr 0>")
	s.recv("P. seq 4990:5000(10) ack 1001 win 100 <TS val 2000000000 ecr 0>")
	s.recv("P. seq 4991:5001(10) ack 9999 win 100 <TS val 2000000000 ecr 0>")
	s.silence(0)
	require.Equal(t, before, s.c.rcv.tsRecent)
	s.recv("P. seq 5001:5011(10) ack 1001 win 100 <TS val 7 ecr 0>").reads(5001, 10)
	require.EqualValues(t, 7, s.c.rcv.tsRecent)
}

// TCP-173: a duplicate of the last segment, whose ACK was lost, updates TS.Recent; one of an earlier segment does not.
func TestTimestampOfDuplicates(t *testing.T) {
	s := newScript(t).with(all).established("mss 1460,sackOK,TS val 1 ecr 0")
	s.recv("P. seq 5001:5011(10) ack 1001 win 100 <TS val 7 ecr 0>").sends(". seq 1001 ack 5011 win 65525 <TS val 0 ecr 7>")
	s.recv("P. seq 5001:5011(10) ack 1001 win 100 <TS val 9 ecr 0>")
	s.sends(". seq 1001 ack 5011 win 65525 <TS val 0 ecr 9,sack 1 {5001:5011}>")
	s.recv("P. seq 5001:5006(5) ack 1001 win 100 <TS val 11 ecr 0>")
	s.sends(". seq 1001 ack 5011 win 65525 <TS val 0 ecr 9,sack 1 {5001:5006}>")
}

// TCP-051, TCP-156: the connection ends when the user timeout is over, not at the next retransmission.
func TestUserTimeoutIsPunctual(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.UserTimeout = 5 * time.Second }).established("").write(10)
	s.silence(5*time.Second - 1)
	s.is(Established).silence(1)
	s.is(Closed)
}

// TCP-085: a window that opens by little is not filled with small segments, even with urgent data.
func TestUrgentDataIntoSliverOfWindow(t *testing.T) {
	s := newScript(t).established("mss 1000").recv(". seq 5001 ack 1001 win 1000")
	require.Equal(t, 3000, s.c.WriteUrgent(s.now, pattern(1001, 3000)))
	s.sends(".U seq 1001:2001(1000) ack 5001 win 65535 urg 3000").quiet()
	s.recv(". seq 5001 ack 2001 win 7").quiet()
	s.recv(". seq 5001 ack 2001 win 1000").sends(".U seq 2001:3001(1000) ack 5001 win 65535 urg 2000").quiet()
}

// Data sent in small segments is retransmitted in full-sized ones, with the FIN.
func TestSmallSegmentsAreSentAgainAsOne(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.NoDelay = true }).established("mss 1000")
	for i := range 30 {
		s.after(time.Millisecond).write(50).sends(segLine(1001+50*i, 50, "P"))
	}
	s.do((*Conn).CloseWrite).sends("F. seq 2501 ack 5001 win 65535")
	s.expire().sends(segLine(1001, 1000, ""))
	s.recv(". seq 5001 ack 2001 win 64240").sends("FP. seq 2001:2501(500) ack 5001 win 65535").quiet()
	require.NoError(t, s.c.Check())
}

// TCP-128: a small receive buffer can keep more than two out-of-order segments.
func TestReassemblyInSmallBuffer(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.RcvBuf = 1000 }).established("mss 1000")
	for i := range 20 {
		s.recv((&Segment{Flags: ACK, Seq: Seq(5011 + 20*i), Ack: 1001, Wnd: 64240, Payload: make([]byte, 10)}).String()).silence(0)
	}
	for i := range 20 {
		s.recv((&Segment{Flags: ACK, Seq: Seq(5001 + 20*i), Ack: 1001, Wnd: 64240, Payload: make([]byte, 10)}).String()).silence(0)
	}
	s.reads(5001, 400)
}

// TCP-051: the user timeout also runs while the peer answers window probes.
func TestUserTimeoutOfClosedWindow(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.UserTimeout = 30 * time.Second }).established("mss 1000")
	s.recv(". seq 5001 ack 1001 win 0").write(10).quiet()
	for s.now < 29*time.Second {
		s.now = min(s.c.Deadline(), 29*time.Second)
		if s.silence(0) > 0 {
			s.recv(". seq 5001 ack 1001 win 0")
		}
	}
	s.is(Established).silence(time.Second + time.Millisecond)
	s.is(Closed)
}

// TCP-051, SOCK-037: with keep-alive the user timeout replaces the number of probes, as in Linux.
func TestUserTimeoutOfKeepAlive(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) {
		p.KeepAlive, p.KeepIdle, p.KeepIntvl, p.KeepCnt, p.UserTimeout = true, 5*time.Second, time.Second, 2, 9*time.Second
	}).established("")
	require.Equal(t, 4, s.silence(9*time.Second-1))
	s.is(Established)
	require.Equal(t, 1, s.silence(1), "the reset")
	s.is(Closed)
}
