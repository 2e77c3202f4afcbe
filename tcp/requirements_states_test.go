package tcp

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inState is a connection in a state, with an empty output. RCV.NXT is 5001, or 5002 after the peer's FIN; SND.NXT is
// 1001, or 1002 after our FIN.
func inState(t *testing.T, state State) *script {
	t.Helper()
	s := newScript(t)
	fin := func(ack string) { s.recv("F. seq 5001 ack " + ack + " win 64240").silence(0) }
	switch state {
	case SynSent:
		s.open()
	case SynReceived:
		s.listen().recv("S seq 5000 win 64240 <mss 1460>")
	default:
		s.established("")
	}
	s.silence(0)
	switch state {
	case CloseWait:
		fin("1001")
	case LastAck:
		fin("1001")
		s.do((*Conn).CloseWrite).silence(0)
	case FinWait1, FinWait2, Closing, TimeWait:
		s.do((*Conn).CloseWrite).silence(0)
	}
	switch state {
	case FinWait2:
		s.recv(". seq 5001 ack 1002 win 64240")
	case Closing:
		fin("1001")
	case TimeWait:
		fin("1002")
	}
	return s.quiet().is(state)
}

// TCP-143, TCP-200: a RST at RCV.NXT in each state, and the error that the user gets.
func TestResetInEachState(t *testing.T) {
	for state, err := range map[State]syscall.Errno{
		SynReceived: syscall.ECONNREFUSED, Established: syscall.ECONNRESET, FinWait1: syscall.ECONNRESET, FinWait2: syscall.ECONNRESET,
		CloseWait: syscall.EPIPE, Closing: syscall.ECONNRESET, LastAck: syscall.ECONNRESET, TimeWait: 0,
	} {
		s := inState(t, state)
		want := Closed
		if state == TimeWait {
			want = TimeWait
		}
		s.recv((&Segment{Flags: RST, Seq: s.rcvNxt()}).String()).quiet().is(want)
		require.Equal(t, err, s.c.Err(), state)
	}
}

// TCP-155: abort sends a RST in those states in which the peer has a connection.
func TestAbortInEachState(t *testing.T) {
	for state, reset := range map[State]string{
		SynSent: "", SynReceived: "R. seq 1001 ack 5001 win 0", Established: "R. seq 1001 ack 5001 win 0",
		FinWait1: "R. seq 1002 ack 5001 win 0", FinWait2: "R. seq 1002 ack 5001 win 0", CloseWait: "R. seq 1001 ack 5002 win 0",
		Closing: "", LastAck: "", TimeWait: "",
	} {
		s := inState(t, state).do((*Conn).Abort)
		if reset != "" {
			s.sends(reset)
		}
		s.quiet().is(Closed)
		require.Zero(t, s.c.Deadline(), state)
	}
}

// TCP-154: closing in SYN-SENT deletes the connection; in other states the FIN follows all data written.
func TestCloseInEachState(t *testing.T) {
	inState(t, SynSent).do((*Conn).Close).quiet().is(Closed)
	for state, next := range map[State]State{SynReceived: SynReceived, Established: FinWait1, CloseWait: LastAck} {
		s := inState(t, state)
		if state != SynReceived {
			s.write(20000)
		}
		s.do((*Conn).CloseWrite).is(next)
		for s.c.Unacked() > 0 {
			s.silence(0)
			s.recv((&Segment{Flags: ACK, Seq: s.rcvNxt(), Ack: s.nxt(), Wnd: 64240}).String())
		}
		require.True(t, state == SynReceived || s.c.snd.finAcked(), state)
	}
	for _, state := range []State{FinWait1, FinWait2, Closing, LastAck, TimeWait} {
		inState(t, state).do((*Conn).CloseWrite).quiet().is(state)
	}
}

// TCP-023: after our FIN, data is received until the peer's FIN.
func TestHalfCloseReceives(t *testing.T) {
	for _, state := range []State{FinWait1, FinWait2} {
		inState(t, state).recv("P. seq 5001:5011(10) ack 1002 win 64240").reads(5001, 10)
	}
}

// TCP-044: each ACK of new data restarts the timer, and the last one stops it.
func TestRetransmissionTimer(t *testing.T) {
	s := newScript(t).established("mss 1000").write(2000).sends(segLine(1001, 1000, ""), segLine(2001, 1000, "P"))
	s.after(100 * time.Millisecond).recv(". seq 5001 ack 2001 win 64240")
	rto := s.c.rtt.rto
	require.Equal(t, s.now+rto, s.c.timers.rexmt)
	s.after(rto).sends(segLine(2001, 1000, "P"))
	s.after(2 * rto).sends(segLine(2001, 1000, "P")).recv(". seq 5001 ack 3001 win 64240").quiet()
	require.Zero(t, s.c.timers.rexmt)
}

// TCP-040: the ACK of a retransmission gives no sample, unless its timestamp shows which copy it acknowledges.
func TestNoSampleOfRetransmissions(t *testing.T) {
	s := newScript(t).established("").write(10)
	before := s.c.rtt.srtt
	s.silence(2 * s.c.rtt.rto)
	s.recv(". seq 5001 ack 1011 win 64240")
	require.Equal(t, before, s.c.rtt.srtt)

	s = newScript(t).with(all).established("mss 1460,TS val 1 ecr 0").write(10)
	before = s.c.rtt.srtt
	require.Equal(t, 2, s.silence(s.c.rtt.rto)) // the timestamp of the second copy returns 50 ms later
	echo := s.c.timestamp(s.now)
	s.silence(50 * time.Millisecond)
	s.recv((&Segment{Flags: ACK, Seq: 5001, Ack: 1011, Wnd: 64240, Options: Options{HasTS: true, TSVal: 2, TSEcr: echo}}).String())
	require.InDelta(t, before*7/8+50*time.Millisecond/8, s.c.rtt.srtt, float64(time.Millisecond))
}

// TCP-040: if the ACK was lost, the answer to the retransmission echoes the timestamp of the first copy, with or without
// D-SACK: the time between the two gives no sample, and the next segment that is sent once ends the backoff.
func TestNoSampleOfEarlierCopy(t *testing.T) {
	for _, dsack := range []string{"", ",sack 1 {1001:1011}"} {
		s := newScript(t).with(all).established("mss 1460,sackOK,TS val 1 ecr 0")
		s.after(100 * time.Millisecond).write(10).sends("P. seq 1001:1011(10) ack 5001 win 65535 <TS val 100 ecr 1>")
		s.silence(10 * time.Second)
		before := s.c.rtt
		require.Greater(t, before.backoff, uint8(2))
		s.recv(". seq 5001 ack 1011 win 64240 <TS val 2 ecr 100" + dsack + ">")
		require.Equal(t, before, s.c.rtt)
		s.write(10).silence(0)
		s.silence(100 * time.Millisecond)
		s.recv(". seq 5001 ack 1021 win 64240 <TS val 3 ecr 10101>")
		require.Zero(t, s.c.rtt.backoff)
		require.Less(t, s.c.rtt.srtt, 101*time.Millisecond)
	}
}

// TCP-040: a D-SACK with the timestamp of the last copy shows which copy has drawn the ACK.
func TestSampleOfLastCopy(t *testing.T) {
	s := newScript(t).with(all).established("mss 1460,sackOK,TS val 1 ecr 0")
	s.after(100 * time.Millisecond).write(10).silence(time.Second)
	at := s.c.timestamp(s.c.snd.board.front().sent)
	require.NotZero(t, s.c.rtt.backoff)
	s.recv(fmt.Sprintf(". seq 5001 ack 1011 win 64240 <TS val 2 ecr %d,sack 1 {1001:1011}>", at))
	require.Zero(t, s.c.rtt.backoff)
	require.Less(t, s.c.rtt.srtt, time.Second)
}

// TCP-172: an echo in a segment that acknowledges no new data gives no sample.
func TestNoSampleOfDuplicates(t *testing.T) {
	s := newScript(t).with(all).established("mss 1460,TS val 1 ecr 0").write(10)
	s.silence(100 * time.Millisecond)
	before := s.c.rtt
	s.recv(". seq 5001 ack 1001 win 64240 <TS val 2 ecr 50>")
	require.Equal(t, before, s.c.rtt)
}

// TCP-057, TCP-060: no keep-alive probes are sent while data is in flight.
func TestKeepAliveWaitsForData(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.KeepAlive, p.KeepIdle = true, 10*time.Second }).established("").write(10)
	s.silence(time.Minute)
	require.Zero(t, s.c.cfg.Stats.KeepAlives.Value())
	s.recv(". seq 5001 ack 1011 win 64240")
	s.silence(time.Minute)
	require.NotZero(t, s.c.cfg.Stats.KeepAlives.Value())
}
