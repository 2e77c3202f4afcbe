package socket

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/tcp"
)

// in returns a connection in a state, with nothing left to be sent. Passive ones are with a listener at here.
func (l *lab) in(state string) *peer {
	l.t.Helper()
	var p *peer
	switch state {
	case "SYN-SENT":
		p = l.connect()
	case "SYN-RECV":
		p = l.connect()
		p.sends(tcp.SYN, "")
		l.take()
	default:
		p = l.active()
		p.advance(state)
	}
	require.Equal(l.t, state, l.state())
	return p
}

// advance brings an open connection to a later state.
func (p *peer) advance(state string) {
	shut := func() {
		require.NoError(p.l.t, p.so.Shutdown(false, true))
		p.l.one()
	}
	fin := func() {
		p.sends(tcp.FIN|tcp.ACK, "")
		p.l.take()
	}
	ack := func() {
		p.ack++
		p.sends(tcp.ACK, "")
	}
	switch state {
	case "FIN-WAIT-1":
		shut()
	case "FIN-WAIT-2":
		shut()
		ack()
	case "CLOSE-WAIT":
		fin()
	case "CLOSING":
		shut()
		fin()
	case "LAST-ACK":
		fin()
		shut()
	case "TIME-WAIT":
		shut()
		ack()
		fin()
	}
}

var states = []string{"SYN-SENT", "SYN-RECV", "ESTAB", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"}

// Each way to end a connection sends the right segment and leads to the right state, from each state.
func TestEndInEachState(t *testing.T) { // TCP-154, TCP-155, SOCK-023, SOCK-027
	type outcome struct{ sends, state string }
	closes := map[string]outcome{
		"SYN-SENT": {"", ""}, "SYN-RECV": {"", "SYN-RECV"}, "ESTAB": {"F.", "FIN-WAIT-1"}, "FIN-WAIT-1": {"", "FIN-WAIT-1"},
		"FIN-WAIT-2": {"", "FIN-WAIT-2"}, "CLOSE-WAIT": {"F.", "LAST-ACK"}, "CLOSING": {"", "CLOSING"},
		"LAST-ACK": {"", "LAST-ACK"}, "TIME-WAIT": {"", "TIME-WAIT"},
	}
	aborts := map[string]outcome{
		"SYN-SENT": {"", ""}, "SYN-RECV": {"R.", ""}, "ESTAB": {"R.", ""}, "FIN-WAIT-1": {"R.", ""},
		"FIN-WAIT-2": {"R.", ""}, "CLOSE-WAIT": {"R.", ""}, "CLOSING": {"", ""}, "LAST-ACK": {"", ""}, "TIME-WAIT": {"", ""},
	}
	for _, way := range []struct {
		name string
		end  func(*Socket)
		want map[string]outcome
	}{
		{"close", func(so *Socket) { require.NoError(t, so.Close()) }, closes},
		{"linger", func(so *Socket) { so.SetLinger(true, time.Second); require.NoError(t, so.Close()) }, closes},
		{"linger 0", func(so *Socket) { so.SetLinger(true, 0); require.NoError(t, so.Close()) }, aborts},
		{"abort", (*Socket).Abort, aborts},
	} {
		for _, state := range states {
			t.Run(way.name+" in "+state, func(t *testing.T) {
				l := newLab(t)
				p := l.in(state)
				way.end(p.so)
				want := way.want[state]
				require.Equal(t, want.state, l.state())
				if want.sends == "" {
					l.silent()
				} else {
					require.Equal(t, want.sends, l.one().Flags.String())
				}
				p.so.Abort() // a second end changes nothing
				l.after(30 * time.Minute)
				l.free(p.to.Port())
				l.empty()
			})
		}
	}
}

func TestShutdown(t *testing.T) { // SOCK-023, SOCK-024
	l := newLab(t)
	require.Equal(t, syscall.ENOTCONN, l.NewSocket(ip.V4).Shutdown(true, true))
	p := l.connect()
	require.NoError(t, p.so.Shutdown(false, true), "it ends the attempt")
	require.Equal(t, syscall.ECONNRESET, p.so.TakeError())
	require.Equal(t, syscall.EINPROGRESS, p.so.Connect(there))
	l.take()
	p.so.Abort()

	p = l.active()
	p.so.writes(t, "last words")
	require.NoError(t, p.so.Shutdown(false, true))
	require.NoError(t, p.so.Shutdown(false, true))
	_, err := p.so.Write([]byte("x"), false)
	require.Equal(t, syscall.EPIPE, err)
	sent := p.acks()
	require.True(t, sent[len(sent)-1].Flags.Has(tcp.FIN))
	p.sends(tcp.ACK, "an answer") // TCP-023
	p.so.reads(t, "an answer")
	require.NoError(t, p.so.Shutdown(true, false))
	p.so.reads(t, "")
}

// An orphan in FIN-WAIT-2 is given up after a minute; a connection with a user stays in FIN-WAIT-2.
func TestOrphans(t *testing.T) { // SEC-021
	l := newLab(t)
	p := l.in("FIN-WAIT-2")
	l.after(time.Hour)
	require.Equal(t, "FIN-WAIT-2", l.state())
	require.NoError(t, p.so.Close())
	l.after(59 * time.Second)
	require.Equal(t, "FIN-WAIT-2", l.state())
	l.after(2 * time.Second)
	l.free(p.to.Port())
	l.empty()
}

// Data for a closed socket is answered with a reset, also when it was in the backlog.
func TestDataAfterClose(t *testing.T) { // TCP-025, SOCK-026
	for name, locked := range map[string]bool{"free": false, "locked": true} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			p := l.in("FIN-WAIT-2")
			require.NoError(t, p.so.Close())
			if locked {
				p.so.mu.Lock()
			}
			p.sends(tcp.ACK, "too late")
			if locked {
				p.so.mu.Unlock()
				require.False(t, p.so.Lingering())
			}
			require.True(t, l.one().Flags.Has(tcp.RST))
			l.empty()
		})
	}
}

func TestCloseWithUnreadData(t *testing.T) { // TCP-025, SOCK-026
	l := newLab(t)
	p := l.active()
	p.sends(tcp.ACK, "unread")
	l.take()
	require.NoError(t, p.so.Close())
	require.True(t, l.one().Flags.Has(tcp.RST))
	l.empty()
}

func TestLingering(t *testing.T) { // SOCK-025, SOCK-027
	l := newLab(t)
	p := l.active()
	p.so.writes(t, "data")
	require.NoError(t, p.so.Close())
	require.True(t, p.so.Lingering())
	p.acks()
	require.False(t, p.so.Lingering())
}

func TestTimeWait(t *testing.T) { // TCP-026, TCP-150, TCP-200
	l := newLab(t)
	p := l.in("TIME-WAIT")
	p.sends(tcp.RST, "")
	require.Equal(t, "TIME-WAIT", l.state())
	l.after(59 * time.Second)
	p.seq--
	p.sends(tcp.FIN|tcp.ACK, "")
	require.Equal(t, tcp.ACK, l.one().Flags)
	l.after(59 * time.Second)
	require.Equal(t, "TIME-WAIT", l.state(), "it began anew")
	l.after(2 * time.Second)
	require.Empty(t, l.state())
	p.so.Abort()
	l.empty()
}

// closedFirst is a connection in TIME-WAIT that a listener had accepted. The SYN of its successor comes at seq.
func closedFirst(l *lab, options tcp.Options) (listener *Socket, p *peer) {
	listener = l.listen(here, 4)
	p = &peer{l: l, at: there, to: here, seq: 5000, options: options}
	p.sends(tcp.SYN, "")
	p.learn()
	p.accept(listener)
	p.advance("TIME-WAIT")
	require.NoError(l.t, p.so.Close())
	require.Equal(l.t, "TIME-WAIT", l.state())
	return listener, p
}

func TestReuseOfTimeWait(t *testing.T) { // TCP-027, TCP-028: RFC 6191 section 2
	stamped := func(v uint32) tcp.Options { return tcp.Options{HasTS: true, TSVal: v} }
	for _, tt := range []struct {
		name     string
		old, new tcp.Options
		seq      int // after the last sequence number
		reused   bool
	}{
		{"higher sequence number", tcp.Options{}, tcp.Options{}, 1, true},
		{"old sequence number", tcp.Options{}, tcp.Options{}, -2, false},
		{"newer timestamp", stamped(100), stamped(101), -1000, true},
		{"same timestamp, higher sequence number", stamped(100), stamped(100), 1, true},
		{"same timestamp, old sequence number", stamped(100), stamped(100), -1000, false},
		{"older timestamp", stamped(100), stamped(99), 1, false},
		{"timestamp vanished, higher sequence number", stamped(100), tcp.Options{}, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			listener, p := closedFirst(l, tt.old)
			old := p.ack
			p.seq, p.options = p.seq.Add(tt.seq), tt.new
			p.sends(tcp.SYN, "")
			f := l.one()
			if !tt.reused {
				require.Equal(t, tcp.ACK, f.Flags)
				require.Equal(t, "TIME-WAIT", l.state())
				return
			}
			require.Equal(t, tcp.SYN|tcp.ACK, f.Flags)
			require.Greater(t, f.Seq.Sub(old), 65535, "above all that the old connection may have sent")
			p.ack = f.Seq + 1
			p.accept(listener)
			require.Equal(t, "ESTAB", l.state())
		})
	}
}

// Without anybody to take the new connection the old one stays.
func TestNoReuseWithoutListener(t *testing.T) { // TCP-027
	l := newLab(t)
	listener, p := closedFirst(l, tcp.Options{})
	listener.Abort()
	p.seq += 1000
	p.sends(tcp.SYN, "")
	require.Equal(t, tcp.ACK, l.one().Flags)
	require.Equal(t, "TIME-WAIT", l.state())
}

// A reader gets the data that was received before the connection failed, and then the error once, unless the peer's FIN came before
// it: after the FIN no error concerns the reader, as on Linux.
func TestReadAfterReset(t *testing.T) { // TCP-143
	l := newLab(t)
	p := l.active()
	p.sends(tcp.FIN|tcp.ACK, "413 Content Too Large")
	l.take()
	p.so.writes(t, "the rest of the request")
	l.take()
	p.sends(tcp.RST, "")
	p.so.reads(t, "413 Content Too Large")
	p.so.reads(t, "")
	_, err := p.so.Write([]byte("x"), false)
	require.Equal(t, syscall.EPIPE, err)

	p = l.active()
	p.sends(tcp.ACK, "a part")
	l.take()
	p.sends(tcp.RST, "")
	require.Equal(t, poll.In|poll.Out|poll.RdHup|poll.Err|poll.Hup, p.so.Ready())
	p.so.reads(t, "a part")
	p.so.fails(t, syscall.ECONNRESET)
	p.so.reads(t, "")
}

// Received data stays readable after a timeout, too.
func TestReadAfterTimeout(t *testing.T) { // TCP-156
	l := newLab(t)
	p := l.active()
	p.sends(tcp.ACK, "a part")
	p.so.writes(t, "never acknowledged")
	l.after(30 * time.Minute)
	p.so.reads(t, "a part")
	p.so.fails(t, syscall.ETIMEDOUT)
	p.so.reads(t, "")
}
