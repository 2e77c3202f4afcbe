package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// all offers every option.
func all(g *Config, _ *Params) { g.NoSACK, g.NoTimestamps, g.NoWindowScale = false, false, false }

// TCP-133, TCP-146, TCP-168, TCP-169, TCP-170, TCP-041: the SYN-ACK is lost once.
func TestPassiveOpen(t *testing.T) {
	s := newScript(t).with(all).listen()
	s.recv("S seq 5000 win 64240 <mss 1460,sackOK,TS val 7 ecr 0,wscale 7>")
	s.sends("S. seq 1000 ack 5001 win 65535 <mss 1460,sackOK,TS val 0 ecr 7,wscale 8>").is(SynReceived)
	s.after(time.Second).sends("S. seq 1000 ack 5001 win 65535 <mss 1460,sackOK,TS val 1000 ecr 7,wscale 8>")
	s.recv(". seq 5001 ack 1001 win 502 <TS val 8 ecr 1000>").is(Established).quiet()
	require.Equal(t, 502<<7, s.c.snd.wnd)
}

// TCP-173: a retransmitted SYN is answered at once, with its own timestamp: with that of the first SYN the peer's first RTT sample would
// start at the first. An older SYN, which the network has delayed, is not answered so.
func TestRetransmittedSYN(t *testing.T) {
	s := newScript(t).with(all).listen()
	s.recv("S seq 5000 win 64240 <mss 1460,TS val 700 ecr 0>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460,TS val 0 ecr 700>")
	s.after(500 * time.Millisecond).recv("S seq 5000 win 64240 <mss 1460,TS val 1700 ecr 0>")
	s.sends("S. seq 1000 ack 5001 win 65535 <mss 1460,TS val 500 ecr 1700>").is(SynReceived)
	s.recv("S seq 5000 win 64240 <mss 1460,TS val 700 ecr 0>")
	s.sends(". seq 1001 ack 5001 win 65535 <TS val 500 ecr 1700>")
	s.recv("S seq 4999 win 64240 <mss 1460,TS val 9000 ecr 0>").sends(". seq 1001 ack 5001 win 65535 <TS val 500 ecr 1700>")
	s.recv(". seq 5001 ack 1001 win 64240 <TS val 1701 ecr 500>").is(Established).quiet()
}

// TCP-136, TCP-029, TCP-030: figure 6 of RFC 9293.
func TestActiveOpen(t *testing.T) {
	s := newScript(t).open()
	s.sends("S seq 1000 win 65535 <mss 1460>").is(SynSent)
	s.recv("S. seq 5000 ack 1001 win 64240 <mss 500>").sends(". seq 1001 ack 5001 win 65535").is(Established)
	require.Equal(t, 500, s.c.MSS())
	require.True(t, s.c.Events()&Connected != 0)
}

// TCP-019, TCP-137: figure 7 of RFC 9293.
func TestSimultaneousOpen(t *testing.T) {
	s := newScript(t).open().sends("S seq 1000 win 65535 <mss 1460>")
	s.recv("S seq 5000 win 64240 <mss 1460>").is(SynReceived)
	s.sends("S. seq 1000 ack 5001 win 65535 <mss 1460>")
	s.recv("S. seq 5000 ack 1001 win 64240 <mss 1460>").is(Established).quiet()
	require.False(t, s.c.Passive())
}

// TCP-032: without an MSS option the send MSS is 536.
func TestDefaultMSS(t *testing.T) {
	s := newScript(t).listen().recv("S seq 5000 win 64240").sends("S. seq 1000 ack 5001 win 65535 <mss 1460>")
	s.recv(". seq 5001 ack 1001 win 64240").write(600)
	s.sends(". seq 1001:1537(536) ack 5001 win 65535")
}

// TCP-134, TCP-135
func TestSynSentRefusals(t *testing.T) {
	open := func(t *testing.T) *script { return newScript(t).open().sends("S seq 1000 win 65535 <mss 1460>") }
	t.Run("wrong ack draws a reset", func(t *testing.T) {
		open(t).recv("S. seq 5000 ack 1002 win 64240").sends("R seq 1002 win 0").is(SynSent).quiet()
	})
	t.Run("wrong ack with RST is dropped", func(t *testing.T) {
		open(t).recv("R. seq 5000 ack 1000 win 0").is(SynSent).quiet()
	})
	t.Run("RST without ACK is dropped", func(t *testing.T) {
		open(t).recv("R seq 5000 win 0").is(SynSent).quiet()
	})
	t.Run("bare ACK is dropped", func(t *testing.T) {
		open(t).recv(". seq 5000 ack 1001 win 64240").is(SynSent).quiet()
	})
	t.Run("RST,ACK refuses", func(t *testing.T) {
		s := open(t).recv("R. seq 0 ack 1001 win 0").is(Closed).quiet()
		require.Equal(t, syscall.ECONNREFUSED, s.c.Err())
	})
}

// TCP-055: the connection to a silent peer fails after 127 s as on Linux, with doubling timeouts; with TCP_SYNCNT 7 after more than three minutes.
func TestConnectTimeout(t *testing.T) {
	for retries, total := range map[int]time.Duration{0: 127 * time.Second, 7: 247 * time.Second} {
		s := newScript(t).with(func(_ *Config, p *Params) { p.SynRetries = retries }).open().sends("S seq 1000 win 65535 <mss 1460>")
		for i := range max(retries, 6) {
			s.after(time.Second << i).sends("S seq 1000 win 65535 <mss 1460>")
		}
		s.after(min(time.Second<<max(retries, 6), 120*time.Second)).quiet().is(Closed)
		require.Equal(t, syscall.ETIMEDOUT, s.c.Err())
		require.Equal(t, total, s.now)
	}
}

// TCP-045: after a lost SYN the first RTO of data is three seconds.
func TestRTOAfterLostSyn(t *testing.T) {
	s := newScript(t).open().sends("S seq 1000 win 65535 <mss 1460>")
	s.after(time.Second).sends("S seq 1000 win 65535 <mss 1460>")
	s.recv("S. seq 5000 ack 1001 win 64240 <mss 1460>").sends(". seq 1001 ack 5001 win 65535")
	s.write(10).sends("P. seq 1001:1011(10) ack 5001 win 65535")
	s.after(3 * time.Second).sends("P. seq 1001:1011(10) ack 5001 win 65535")
}

// TCP-146, TCP-142, TCP-144
func TestSynReceived(t *testing.T) {
	half := func(t *testing.T) *script {
		return newScript(t).listen().recv("S seq 5000 win 64240 <mss 1460>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460>")
	}
	t.Run("wrong final ack", func(t *testing.T) {
		half(t).recv(". seq 5001 ack 1002 win 64240").sends("R seq 1002 win 0").is(SynReceived).quiet()
	})
	t.Run("reset", func(t *testing.T) {
		half(t).recv("R seq 5001 win 0").is(Closed).quiet()
	})
	t.Run("repeated SYN draws the SYN,ACK again", func(t *testing.T) {
		half(t).recv("S seq 5000 win 64240 <mss 1460>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460>").quiet().is(SynReceived)
	})
	t.Run("SYN in the window", func(t *testing.T) {
		half(t).recv("S seq 6000 win 64240").is(Closed).quiet()
	})
	t.Run("data with the final ACK", func(t *testing.T) {
		half(t).recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525").is(Established).reads(5001, 10)
	})
	t.Run("close during the handshake", func(t *testing.T) {
		s := half(t).do((*Conn).CloseWrite).quiet().is(SynReceived)
		s.recv(". seq 5001 ack 1001 win 64240").sends("F. seq 1001 ack 5001 win 65535").is(FinWait1)
	})
}

// TCP-171: a connection with timestamps accepts segments without them: the last ACK of the handshake, data, probes and FIN. PAWS
// applies to segments with a timestamp, and TS.Recent stays at segments without.
func TestSegmentsWithoutTimestamps(t *testing.T) {
	s := newScript(t).with(all).listen()
	s.recv("S seq 5000 win 64240 <mss 1460,TS val 700 ecr 0>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460,TS val 0 ecr 700>")
	s.recv(". seq 5001 ack 1001 win 64240").is(Established).quiet()
	s.recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525 <TS val 0 ecr 700>")
	s.recv(". seq 5010:5011(1) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525 <TS val 0 ecr 700>")
	s.recv(". seq 5010 ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525 <TS val 0 ecr 700>")
	s.recv("P. seq 5011:5021(10) ack 1001 win 64240 <TS val 699 ecr 0>").sends(". seq 1001 ack 5011 win 65525 <TS val 0 ecr 700>")
	s.recv("P. seq 5011:5021(10) ack 1001 win 64240 <TS val 701 ecr 0>").sends(". seq 1001 ack 5021 win 65515 <TS val 0 ecr 701>")
	s.recv("F. seq 5021 ack 1001 win 64240").sends(". seq 1001 ack 5022 win 65514 <TS val 0 ecr 701>").is(CloseWait)
	s.reads(5001, 20)
}

// TCP-204: the RST of a connection with timestamps carries one; without ACK its TSecr is 0.
func TestResetCarriesTimestamps(t *testing.T) {
	open := func() *script {
		return newScript(t).with(all).established("mss 1460,TS val 1 ecr 0").after(5 * time.Millisecond)
	}
	open().do((*Conn).Abort).sends("R. seq 1001 ack 5001 win 0 <TS val 5 ecr 1>")
	s := open().do((*Conn).Close).sends("F. seq 1001 ack 5001 win 65535 <TS val 5 ecr 1>")
	s.recv("P. seq 5001:5011(10) ack 1002 win 64240 <TS val 2 ecr 5>").sends("R seq 1002 win 0 <TS val 5 ecr 0>").is(Closed)
}

// TCP-203: data and FIN of a SYN that crosses ours are received once the connection is established.
func TestTextOnCrossingSyn(t *testing.T) {
	s := newScript(t).with(all).open().sends("S seq 1000 win 65535 <mss 1460,sackOK,TS val 0 ecr 0,wscale 8>")
	s.recv("SP seq 5000:5010(10) win 64240 <mss 1460,sackOK>").is(SynReceived)
	require.Zero(t, s.c.Readable())
	s.sends("S. seq 1000 ack 5001 win 65535 <mss 1460,sackOK>")
	require.NoError(t, s.c.Check())
	s.recv(". seq 5011 ack 1001 win 64240").is(Established).sends(". seq 1001 ack 5011 win 65525")
	p := make([]byte, 20)
	require.Equal(t, 10, s.c.Read(s.now, p))
	require.Equal(t, string(pattern(5000, 10)), string(p[:10]))

	s = newScript(t).open().sends("S seq 1000 win 65535 <mss 1460>")
	s.recv("SFP seq 5000:5010(10) win 64240 <mss 1460>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460>").is(SynReceived)
	s.recv("S. seq 5000 ack 1001 win 64240 <mss 1460>").is(CloseWait).sends(". seq 1001 ack 5012 win 65524")
	require.Equal(t, 10, s.c.Readable())
}

// SEC-062: a peer cannot obtain segments of 1 or 16 bytes by its MSS option.
func TestTinyMSSOption(t *testing.T) {
	for _, c := range []struct {
		floor   int
		options string
		want    int
	}{
		{0, "mss 1", 48}, {0, "mss 47", 48}, {0, "mss 48", 48}, {0, "mss 49", 49}, {536, "mss 48", 536}, {536, "mss 537", 537},
	} {
		s := newScript(t).with(func(g *Config, _ *Params) { g.MinMSS = c.floor }).established(c.options)
		require.Equal(t, c.want, s.c.MSS(), "%s with a floor of %d", c.options, c.floor)
	}
}
