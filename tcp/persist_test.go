package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TCP-079, TCP-081, TCP-082, TCP-083: window probes for hours, and then the rest of the data.
func TestZeroWindow(t *testing.T) {
	s := newScript(t).established("").recv(". seq 5001 ack 1001 win 0").write(3)
	rto := s.c.rtt.timeout(s.c.cfg)
	for i := range 40 {
		s.after(min(rto<<min(i, 16), 120*time.Second)).sends(segLine(1001, 1, ""))
		s.recv(". seq 5001 ack 1001 win 0").is(Established)
	}
	require.Greater(t, s.now, time.Hour)
	s.recv(". seq 5001 ack 1001 win 100").sends(segLine(1001, 3, "P")).quiet()
	s.recv(". seq 5001 ack 1004 win 100").quiet()
}

// TCP-085: a window that opens after probes is filled with full-sized segments, whether or not the peer has accepted the probe's byte.
func TestWindowOpensAfterProbe(t *testing.T) {
	probed := func() *script {
		s := newScript(t).established("mss 1000").recv(". seq 5001 ack 1001 win 0").write(1000)
		return s.after(s.c.rtt.timeout(s.c.cfg)).sends(segLine(1001, 1, ""))
	}
	s := probed().recv(". seq 5001 ack 1001 win 64240").sends(segLine(1001, 1000, "P")).quiet()
	s.recv(". seq 5001 ack 1002 win 64240").quiet() // the probe was delayed, and accepted
	s.recv(". seq 5001 ack 2001 win 64240").quiet()
	require.Zero(t, s.c.Unacked())

	s = probed().recv(". seq 5001 ack 1002 win 64240").sends(segLine(1002, 999, "P")).quiet()
	s.recv(". seq 5001 ack 2001 win 64240").quiet()
	require.Zero(t, s.c.Unacked())

	s = probed().recv(". seq 5001 ack 1002 win 0").quiet() // a byte at a time
	s.expire().sends(segLine(1002, 1, ""))
	require.Zero(t, s.c.cfg.Stats.Retransmits.Value())
	s.recv(". seq 5001 ack 1004 win 0").sends(". seq 1002 ack 5001 win 65535") // this byte was never sent
}

// TCP-079: a FIN without data is sent as a window probe, and counted as sent when the peer acknowledges it.
func TestFinIntoClosedWindow(t *testing.T) {
	s := newScript(t).established("mss 1000").recv(". seq 5001 ack 1001 win 0").do((*Conn).CloseWrite).is(FinWait1)
	s.after(s.c.rtt.timeout(s.c.cfg)).sends("F. seq 1001 ack 5001 win 65535")
	s.recv(". seq 5001 ack 1002 win 0").is(FinWait2).quiet()
	require.Zero(t, s.c.Deadline())
}

// TCP-079: while a probe is unanswered, an ACK of data lies within the peer's closed window. A peer that checks the sequence
// number first (RFC 9293 section 3.10.7.4) would otherwise ignore it, and two such ends would wait for each other forever.
func TestAckBesideProbe(t *testing.T) {
	s := newScript(t).established("").recv(". seq 5001 ack 1001 win 0").write(3)
	s.after(s.c.rtt.timeout(s.c.cfg)).sends(segLine(1001, 1, ""))
	s.recv("P. seq 5001:5101(100) ack 1001 win 0").sends(". seq 1001 ack 5101 win 65435")
	s.recv("P. seq 5001:5101(100) ack 1001 win 0").sends(". seq 1001 ack 5101 win 65435")
}

// TCP-084, TCP-015
func TestProbeAtClosedWindow(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.RcvBuf = 1000 }).established("mss 1000")
	s.recv("P. seq 5001:6001(1000) ack 1001 win 64240").sends(". seq 1001 ack 6001 win 0")
	s.recv(". seq 6001:6002(1) ack 1001 win 64240").sends(". seq 1001 ack 6001 win 0")
	s.write(5).sends("P. seq 1001:1006(5) ack 6001 win 0")
	s.recv(". seq 6001:6002(1) ack 1006 win 64240").sends(". seq 1006 ack 6001 win 0")
	require.Zero(t, s.c.Unacked())
	s.recv("R seq 6001 win 0").is(Closed)
}
