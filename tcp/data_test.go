package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TCP-038, TCP-039
func TestNagle(t *testing.T) {
	s := newScript(t).established("").write(1).sends("P. seq 1001:1002(1) ack 5001 win 65535")
	s.write(1).write(1).quiet()
	s.recv(". seq 5001 ack 1002 win 64240").sends("P. seq 1002:1004(2) ack 5001 win 65535").quiet()
	p := s.c.Params()
	p.NoDelay = true
	s.c.SetParams(s.now, &p)
	s.write(1).sends("P. seq 1004:1005(1) ack 5001 win 65535")
}

// TCP-087, TCP-088, TCP-089
func TestDelayedAck(t *testing.T) {
	s := newScript(t).established("")
	s.c.rcv.quick = 0
	s.recv("P. seq 5001:6461(1460) ack 1001 win 64240").after(40 * time.Millisecond).sends(". seq 1001 ack 6461 win 65535")
	s.recv("P. seq 6461:7921(1460) ack 1001 win 64240").quiet()
	s.recv("P. seq 7921:9381(1460) ack 1001 win 64240").sends(". seq 1001 ack 9381 win 65535").quiet()
}

// TCP-102, TCP-127, TCP-128, TCP-130, TCP-141, TCP-164: each byte of out-of-order and overlapping segments is delivered once.
func TestReassembly(t *testing.T) {
	s := newScript(t).established("")
	s.recv(". seq 5021:5031(10) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535")
	s.recv(". seq 5006:5023(17) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535")
	s.recv(". seq 5001:5009(8) ack 1001 win 64240").sends(". seq 1001 ack 5031 win 65505").reads(5001, 30)
	s.recv(". seq 5025:5040(15) ack 1001 win 64240").sends(". seq 1001 ack 5040 win 65496").reads(5031, 9)
	s.recv(". seq 5025:5040(15) ack 1001 win 64240").sends(". seq 1001 ack 5040 win 65496").quiet()
	require.Zero(t, s.c.Readable())
}

// TCP-177, TCP-178, TCP-180, TCP-176
func TestSackBlocks(t *testing.T) {
	s := newScript(t).with(all).established("mss 1460,sackOK")
	s.recv(". seq 5011:5021(10) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535 <sack 1 {5011:5021}>")
	s.recv(". seq 5031:5041(10) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535 <sack 2 {5031:5041} {5011:5021}>")
	s.recv(". seq 5051:5061(10) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535 <sack 3 {5051:5061} {5031:5041} {5011:5021}>")
	s.recv(". seq 5021:5031(10) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535 <sack 2 {5011:5041} {5051:5061}>")
	s.recv(". seq 5011:5021(10) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535 <sack 3 {5011:5021} {5011:5041} {5051:5061}>")
	s.recv(". seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5041 win 65495 <sack 1 {5051:5061}>")
	s.recv(". seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5041 win 65495 <sack 2 {5001:5011} {5051:5061}>")
}

// TCP-044, TCP-040, TCP-054, TCP-156: the timeouts double, until the connection fails.
func TestRetransmissionTimeout(t *testing.T) {
	s := newScript(t).with(func(g *Config, _ *Params) { g.DataRetries = 5 }).established("").write(10)
	s.sends("P. seq 1001:1011(10) ack 5001 win 65535")
	rto := s.c.rtt.rto
	for i := range 5 {
		s.after(rto << i).sends("P. seq 1001:1011(10) ack 5001 win 65535")
	}
	s.after(rto << 5).quiet().is(Closed)
	require.Equal(t, syscall.ETIMEDOUT, s.c.Err())
}

// TCP-042, TCP-172
func TestRTT(t *testing.T) {
	var r rtt
	cfg := Config{}.WithDefaults()
	r.sample(800*time.Millisecond, &cfg)
	require.Equal(t, 800*time.Millisecond, r.srtt)
	require.Equal(t, 400*time.Millisecond, r.rttvar)
	require.Equal(t, 2400*time.Millisecond, r.rto)
	r.sample(400*time.Millisecond, &cfg)
	require.Equal(t, 400*time.Millisecond, r.rttvar) // 3/4*400 + 1/4*|800-400|
	require.Equal(t, 750*time.Millisecond, r.srtt)   // 7/8*800 + 1/8*400
	require.Equal(t, 2350*time.Millisecond, r.rto)
}

// TCP-161, TCP-162, TCP-166: limited transmit, fast retransmit, recovery without SACK.
func TestFastRetransmit(t *testing.T) {
	s := newScript(t).established("mss 1000").write(14000)
	for i := range 10 {
		at := 1001 + 1000*i
		s.sends(segLine(at, 1000, ""))
	}
	s.quiet()
	s.recv(". seq 5001 ack 1001 win 64240").sends(segLine(11001, 1000, "")).quiet()
	s.recv(". seq 5001 ack 1001 win 64240").sends(segLine(12001, 1000, "")).quiet()
	s.recv(". seq 5001 ack 1001 win 64240").sends(segLine(1001, 1000, ""))
	require.Equal(t, 6000, s.c.cc.ssthresh)
	require.Equal(t, CARecovery, s.c.cc.state)
	s.recv(". seq 5001 ack 13001 win 64240")
	require.Equal(t, CAOpen, s.c.cc.state)
	require.InDelta(t, 6000, s.c.cc.cwnd, 1000)
}

func segLine(seq, n int, flags string) string {
	return (&Segment{Flags: ACK | parseFlags(flags), Seq: Seq(seq), Ack: 5001, Wnd: 65535, Payload: make([]byte, n)}).String()
}

func parseFlags(s string) Flags {
	if s == "P" {
		return PSH
	}
	return 0
}

// TCP-181, TCP-183, TCP-194: with SACK, a hole below three reported segments is retransmitted at once.
func TestSackRecovery(t *testing.T) {
	s := newScript(t).with(all).established("mss 1000,sackOK").write(10000)
	for i := range 9 {
		s.sends(segLine(1001+1000*i, 1000, ""))
	}
	s.sends(segLine(10001, 1000, "P")).quiet()
	s.recv(". seq 5001 ack 2001 win 64240 <sack 1 {3001:4001}>").quiet()
	s.recv(". seq 5001 ack 2001 win 64240 <sack 1 {3001:5001}>").quiet()
	s.recv(". seq 5001 ack 2001 win 64240 <sack 1 {3001:6001}>").sends(segLine(2001, 1000, ""))
	require.Equal(t, CARecovery, s.c.cc.state)
	s.recv(". seq 5001 ack 11001 win 64240").quiet()
	require.Equal(t, CAOpen, s.c.cc.state)
}

// TCP-085: a window that opens by little is not used at once.
func TestSenderSillyWindow(t *testing.T) {
	s := newScript(t).established("").recv(". seq 5001 ack 1001 win 10").write(3000).quiet()
	s.after(s.c.rtt.timeout(s.c.cfg)).sends(segLine(1001, 10, ""))
	s.recv(". seq 5001 ack 1011 win 1460").sends(segLine(1011, 1460, ""))
}

// TCP-086, TCP-072: reading byte by byte causes no small window updates.
func TestReceiverSillyWindow(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.RcvBuf = 4000 }).established("mss 1000")
	s.recv("P. seq 5001:9001(4000) ack 1001 win 64240").sends(". seq 1001 ack 9001 win 0")
	for range 1459 {
		s.reads(s.rcvNxt().Add(-s.c.Readable()), 1).quiet()
	}
	s.reads(6460, 1).sends(". seq 1001 ack 9001 win 1460")
}

// TCP-058 to TCP-064
func TestKeepAlive(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) {
		p.KeepAlive, p.KeepIdle, p.KeepIntvl, p.KeepCnt = true, 10*time.Second, time.Second, 3
	}).established("")
	s.after(5 * time.Second).recv(". seq 5001 ack 1001 win 64240") // traffic postpones
	s.after(10 * time.Second).sends(". seq 1000 ack 5001 win 65535")
	s.recv(". seq 5001 ack 1001 win 64240")
	s.after(10 * time.Second).sends(". seq 1000 ack 5001 win 65535")
	s.after(time.Second).sends(". seq 1000 ack 5001 win 65535")
	s.after(time.Second).sends(". seq 1000 ack 5001 win 65535")
	s.after(time.Second).sends("R. seq 1001 ack 5001 win 0").is(Closed)
	require.Equal(t, syscall.ETIMEDOUT, s.c.Err())
}

// TCP-147, SEC-019
func TestAckOfUnsentData(t *testing.T) {
	s := newScript(t).established("").recv(". seq 5001 ack 2000 win 64240").sends(". seq 1001 ack 5001 win 65535")
	require.Equal(t, Seq(1001), s.una())
}

// TCP-148
func TestStaleWindowUpdate(t *testing.T) {
	s := newScript(t).established("").recv("P. seq 5001:5011(10) ack 1001 win 1000").sends(". seq 1001 ack 5011 win 65525")
	s.recv(". seq 5001:5005(4) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525")
	require.Equal(t, 1000, s.c.snd.wnd)
}

// TCP-174, TCP-173
func TestPAWS(t *testing.T) {
	s := newScript(t).with(all).established("mss 1460,TS val 1 ecr 0")
	s.c.rcv.tsRecent = 100
	s.recv("P. seq 5001:5011(10) ack 1001 win 100 <TS val 99 ecr 0>").sends(". seq 1001 ack 5001 win 65535 <TS val 0 ecr 100>")
	s.recv("P. seq 5001:5011(10) ack 1001 win 100 <TS val 101 ecr 0>").sends(". seq 1001 ack 5011 win 65525 <TS val 0 ecr 101>")
	s.recv("R seq 5011 win 0").is(Closed)
}

// TCP-013: a transfer across the wrap of the sequence space.
func TestSequenceWrap(t *testing.T) {
	require.True(t, Seq(0xfffffff0).Less(5))
	require.Equal(t, 21, Seq(5).Sub(0xfffffff0))
	s := newScript(t).listen().recv("S seq 4294967290 win 64240 <mss 1460>").sends("S. seq 1000 ack 4294967291 win 65535 <mss 1460>")
	s.recv(". seq 4294967291 ack 1001 win 64240").is(Established)
	s.recv("P. seq 4294967291:5(10) ack 1001 win 64240").sends(". seq 1001 ack 5 win 65525").reads(4294967291, 10)
}

// TCP-101: super-segments are cut at multiples of the MSS and bounded by the window.
func TestSuperSegments(t *testing.T) {
	s := newScript(t)
	s.gso = 65000
	s.established("mss 1000").write(20000)
	var seg Segment
	require.True(t, s.output(&seg))
	require.Equal(t, 10000, seg.DataLen())
	require.Equal(t, 1000, seg.MSS)
	s.quiet()
	s.recv(". seq 5001 ack 11001 win 64240")
	require.True(t, s.output(&seg))
	require.Equal(t, 10000, seg.DataLen())
}
