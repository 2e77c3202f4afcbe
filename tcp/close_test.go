package tcp

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TCP-149, TCP-153, TCP-154, TCP-026, TCP-150: figure 12 of RFC 9293, with our end active.
func TestActiveClose(t *testing.T) {
	s := newScript(t).established("").do((*Conn).CloseWrite).sends("F. seq 1001 ack 5001 win 65535").is(FinWait1)
	s.recv(". seq 5001 ack 1002 win 64240").is(FinWait2).quiet()
	s.recv("F. seq 5001 ack 1002 win 64240").sends(". seq 1002 ack 5002 win 65534").is(TimeWait)
	s.after(30 * time.Second).recv("F. seq 5001 ack 1002 win 64240").sends(". seq 1002 ack 5002 win 65534").is(TimeWait)
	s.after(time.Minute - 1).quiet().is(TimeWait)
	s.after(1).quiet().is(Closed)
	require.Zero(t, s.c.Err())
}

// TCP-023, TCP-153
func TestPassiveClose(t *testing.T) {
	s := newScript(t).established("").recv("F. seq 5001 ack 1001 win 64240").sends(". seq 1001 ack 5002 win 65534").is(CloseWait)
	require.True(t, s.c.AtEOF())
	s.write(10).sends("P. seq 1001:1011(10) ack 5002 win 65534") // half-close: we still send
	s.recv(". seq 5002 ack 1011 win 64240")
	s.do((*Conn).CloseWrite).sends("F. seq 1011 ack 5002 win 65534").is(LastAck)
	s.recv(". seq 5002 ack 1012 win 64240").quiet().is(Closed)
	require.Zero(t, s.c.Err())
}

// TCP-153: figure 13 of RFC 9293.
func TestSimultaneousClose(t *testing.T) {
	s := newScript(t).established("").do((*Conn).CloseWrite).sends("F. seq 1001 ack 5001 win 65535")
	s.recv("F. seq 5001 ack 1001 win 64240").sends(". seq 1002 ack 5002 win 65534").is(Closing)
	s.recv(". seq 5002 ack 1002 win 64240").quiet().is(TimeWait)
}

// TCP-014: the FIN is retransmitted until the peer acknowledges it.
func TestFinRetransmission(t *testing.T) {
	s := newScript(t).established("").write(5).do((*Conn).CloseWrite).sends("FP. seq 1001:1006(5) ack 5001 win 65535")
	s.after(s.c.rtt.rto).sends("FP. seq 1001:1006(5) ack 5001 win 65535")
	s.recv(". seq 5001 ack 1006 win 64240").is(FinWait1)
	s.expire().sends("F. seq 1006 ack 5001 win 65535")
	s.recv(". seq 5001 ack 1007 win 64240").is(FinWait2)
}

// TCP-152: a FIN is accepted only in sequence, and readers see all data before the end.
func TestFinAheadOfData(t *testing.T) {
	s := newScript(t).established("").recv("F. seq 5011 ack 1001 win 64240").is(Established).sends(". seq 1001 ack 5001 win 65535")
	s.recv("P. seq 5001:5011(10) ack 1001 win 64240").is(CloseWait).sends(". seq 1001 ack 5012 win 65524")
	require.False(t, s.c.AtEOF())
	s.reads(5001, 10)
	require.True(t, s.c.AtEOF())
}

// TCP-155
func TestAbort(t *testing.T) {
	s := newScript(t).established("").write(10).do((*Conn).Abort).sends("R. seq 1001 ack 5001 win 0").is(Closed).quiet()
	require.Equal(t, syscall.ECONNABORTED, s.c.Err())
}

// TCP-025, SOCK-026
func TestCloseWithUnreadDataResets(t *testing.T) {
	s := newScript(t).established("").recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525")
	s.do((*Conn).Close).sends("R. seq 1001 ack 5011 win 0").is(Closed)
}

// TCP-025
func TestDataAfterCloseResets(t *testing.T) {
	s := newScript(t).established("").do((*Conn).Close).sends("F. seq 1001 ack 5001 win 65535")
	s.recv("P. seq 5001:5011(10) ack 1002 win 64240").sends("R seq 1002 win 0").is(Closed)
}

// SEC-021
func TestOrphanLeavesFinWait2(t *testing.T) {
	s := newScript(t).established("").do((*Conn).Close).sends("F. seq 1001 ack 5001 win 65535")
	s.recv(". seq 5001 ack 1002 win 64240").is(FinWait2).after(time.Minute).quiet().is(Closed)
}

// SEC-001, TCP-143, TCP-021
func TestReset(t *testing.T) {
	t.Run("at RCV.NXT", func(t *testing.T) {
		s := newScript(t).established("").recv("R seq 5001:5005(4) win 0").is(Closed).quiet()
		require.Equal(t, syscall.ECONNRESET, s.c.Err())
	})
	t.Run("elsewhere in the window", func(t *testing.T) {
		newScript(t).established("").recv("R seq 5002 win 0").sends(". seq 1001 ack 5001 win 65535").is(Established)
	})
	t.Run("outside", func(t *testing.T) {
		newScript(t).established("").recv("R seq 5000 win 0").quiet().is(Established)
	})
	t.Run("in TIME-WAIT", func(t *testing.T) { // TCP-200
		s := newScript(t).established("").do((*Conn).CloseWrite).sends("F. seq 1001 ack 5001 win 65535")
		s.recv("F. seq 5001 ack 1002 win 64240").sends(". seq 1002 ack 5002 win 65534").is(TimeWait)
		s.recv("R seq 5002 win 0").quiet().is(TimeWait)
	})
}

// SEC-002, SEC-003
func TestSynOnEstablished(t *testing.T) {
	s := newScript(t).established("")
	for range maxChallenges {
		s.recv("S seq 5001 win 100").sends(". seq 1001 ack 5001 win 65535")
	}
	s.recv("S seq 9 win 100").quiet().is(Established)
	s.after(time.Second).recv("S seq 9 win 100").sends(". seq 1001 ack 5001 win 65535")
}

// TCP-152: a contradictory FIN does not move the end of the stream: data after a FIN is ignored, and so is a FIN before received data.
func TestDataBeyondFin(t *testing.T) {
	s := newScript(t).established("").recv("F. seq 5011 ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535")
	s.recv(". seq 5015:5021(6) ack 1001 win 64240").silence(0)
	s.recv("P. seq 5001:5021(20) ack 1001 win 64240").sends(". seq 1001 ack 5012 win 65524").is(CloseWait)
	s.reads(5001, 10)

	s = newScript(t).established("").recv("P. seq 5005:5021(16) ack 1001 win 64240").sends(". seq 1001 ack 5001 win 65535")
	s.recv("F. seq 5011 ack 1001 win 64240").recv("P. seq 5001:5005(4) ack 1001 win 64240").silence(0)
	s.recv("F. seq 5021 ack 1001 win 64240").is(CloseWait).reads(5001, 20)
}

// An abort frees unread data, in every state.
func TestAbortReleases(t *testing.T) {
	s := newScript(t).established("").recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525")
	s.do((*Conn).CloseWrite).sends("F. seq 1001 ack 5011 win 65525")
	s.recv("F. seq 5011 ack 1001 win 64240").is(Closing)
	require.Equal(t, 10, s.c.Readable())
	s.do((*Conn).Abort).is(Closed)
	require.Zero(t, s.c.rcv.buf.Len())
}

// TCP-143, SOCK-024: data received before a reset stays readable; the reset frees only out-of-order data.
func TestDataBeforeResetStaysReadable(t *testing.T) {
	s := newScript(t).established("").recv("P. seq 5001:5051(50) ack 1001 win 64240").sends(". seq 1001 ack 5051 win 65485")
	s.recv("P. seq 5061:5071(10) ack 1001 win 64240").sends(". seq 1001 ack 5051 win 65485")
	s.recv("R seq 5051 win 0").is(Closed)
	require.Equal(t, syscall.ECONNRESET, s.c.Err())
	require.Zero(t, s.c.rcv.reassembler.memory)
	require.False(t, s.c.AtEOF())
	s.reads(5001, 20)
	require.False(t, s.c.AtEOF())
	s.reads(5021, 30)
	require.True(t, s.c.AtEOF())
}

// Closing after a reset frees the unread data.
func TestCloseAfterResetReleases(t *testing.T) {
	for name, end := range map[string]func(*Conn, time.Duration){"close": (*Conn).Close, "abort": (*Conn).Abort} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t).established("").recv("P. seq 5001:5051(50) ack 1001 win 64240").sends(". seq 1001 ack 5051 win 65485")
			s.recv("R seq 5051 win 0").is(Closed).do(end).quiet()
			require.Zero(t, s.c.Readable())
			require.Equal(t, syscall.ECONNRESET, s.c.Err())
		})
	}
}

// SOCK-024: received data stays readable after SHUT_RD, with the urgent byte in its place.
func TestShutdownOfReadingKeepsTheQueue(t *testing.T) {
	s := newScript(t).established("").recv("P.U seq 5001:5011(10) ack 1001 win 64240 urg 5").sends(". seq 1001 ack 5011 win 65525")
	s.c.CloseRead()
	s.recv("P. seq 5011:5021(10) ack 1001 win 64240").sends(". seq 1001 ack 5021 win 65515")
	s.recv("F. seq 5021 ack 1001 win 64240").sends(". seq 1001 ack 5022 win 65514").is(CloseWait)
	require.Equal(t, 4, s.c.Read(s.now, make([]byte, 100)))
	require.True(t, s.c.AtMark())
	require.Equal(t, 5, s.c.Read(s.now, make([]byte, 100)))
	require.True(t, s.c.AtEOF())
}

// TCP-025, SOCK-026: as on Linux, data that arrives after the user has shut down both directions draws a RST; data received before stays
// readable. After the shutdown of one direction it draws no RST.
func TestDataAfterShutdownOfBothResets(t *testing.T) {
	s := newScript(t).established("").recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525")
	s.c.CloseRead()
	s.recv("P. seq 5011:5021(10) ack 1001 win 64240").sends(". seq 1001 ack 5021 win 65515")
	s.do((*Conn).CloseWrite).sends("F. seq 1001 ack 5021 win 65515")
	s.recv("P. seq 5011:5021(10) ack 1001 win 64240").sends(". seq 1002 ack 5021 win 65515").is(FinWait1) // nothing new
	s.recv("P. seq 5021:5031(10) ack 1002 win 64240").sends("R seq 1002 win 0").is(Closed)
	require.Equal(t, syscall.ECONNRESET, s.c.Err())
	s.reads(5001, 10)
}
