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

const half = poll.In | poll.RdHup // the peer will send no more

// poll(2) reports in each state the events that Linux's tcp_poll reports.
func TestReady(t *testing.T) { // SOCK-048, SOCK-049, SOCK-050
	for state, want := range map[string]poll.Mask{
		"SYN-SENT": 0, "SYN-RECV": 0, "ESTAB": poll.Out, "FIN-WAIT-1": poll.Out, "FIN-WAIT-2": poll.Out,
		"CLOSE-WAIT": half | poll.Out, "CLOSING": half | poll.Out | poll.Hup, "LAST-ACK": half | poll.Out | poll.Hup,
		"TIME-WAIT": half | poll.Out | poll.Hup,
	} {
		require.Equal(t, want, newLab(t).in(state).so.Ready(), state)
	}
	l := newLab(t)
	require.Equal(t, poll.Out|poll.Hup, l.NewSocket(ip.V4).Ready(), "as Linux has it")
	listener := l.listen(here, 4)
	require.Zero(t, listener.Ready())
	l.dial(there).sends(tcp.ACK, "")
	require.Equal(t, poll.In, listener.Ready())

	p := l.connect()
	p.sends(tcp.RST|tcp.ACK, "")
	require.Equal(t, half|poll.Out|poll.Err|poll.Hup, p.so.Ready())
	require.Equal(t, syscall.ECONNREFUSED, p.so.TakeError())
	require.Equal(t, half|poll.Out|poll.Hup, p.so.Ready())

	p = l.active()
	require.NoError(t, p.so.Shutdown(true, false))
	require.Equal(t, half|poll.Out, p.so.Ready())
	require.NoError(t, p.so.Shutdown(false, true))
	require.Equal(t, half|poll.Out|poll.Hup, p.so.Ready())
}

func TestReadyBySize(t *testing.T) { // SOCK-016, SOCK-048
	l := newLab(t)
	p := l.active()
	p.so.SetParams(func(s *tcp.Params) { s.SndBuf = 3000 })
	n, err := p.so.Write(make([]byte, 5000), false)
	require.NoError(t, err)
	require.Equal(t, 3000, n)
	_, err = p.so.Write(make([]byte, 1), false)
	require.Equal(t, syscall.EAGAIN, err)
	require.Zero(t, p.so.Ready())
	_, out, _ := p.so.Buffered()
	require.Equal(t, 3000, out)
	p.acks()
	require.Equal(t, poll.Out, p.so.Ready())
	p.sends(tcp.ACK, "data")
	require.Equal(t, poll.In|poll.Out, p.so.Ready())
	b := make([]byte, 10)
	n, err = p.so.Read(b, true)
	require.NoError(t, err)
	require.Equal(t, "data", string(b[:n]))
	p.so.reads(t, "data")
	p.so.fails(t, syscall.EAGAIN)
	require.Equal(t, poll.Out, p.so.Ready())
}

func TestUrgentData(t *testing.T) { // TCP-067, TCP-070, TCP-071, SOCK-022
	l := newLab(t)
	_, err := l.NewSocket(ip.V4).ReadUrgent(false)
	require.Equal(t, syscall.EINVAL, err)
	p := l.active()
	_, err = p.so.ReadUrgent(false)
	require.Equal(t, syscall.EINVAL, err)
	s := p.segment(tcp.ACK|tcp.URG, "ab")
	s.Urg = 3
	l.recv(p.at, p.to, s)
	require.Equal(t, poll.In|poll.Out|poll.Pri, p.so.Ready())
	_, err = p.so.ReadUrgent(false)
	require.Equal(t, syscall.EAGAIN, err, "announced")
	p.seq += 2
	p.sends(tcp.ACK, "!c")
	require.False(t, p.so.AtMark())
	p.so.reads(t, "ab")
	require.True(t, p.so.AtMark())
	for _, peek := range []bool{true, false} {
		c, err := p.so.ReadUrgent(peek)
		require.NoError(t, err)
		require.EqualValues(t, '!', c)
	}
	_, err = p.so.ReadUrgent(false)
	require.Equal(t, syscall.EINVAL, err, "read before")
	p.so.reads(t, "c")
	l.take()

	n, err := p.so.WriteUrgent([]byte("xyz"))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	f := l.one()
	require.True(t, f.Flags.Has(tcp.URG))
	require.EqualValues(t, 3, f.Urg)
}

// Each event wakes its waiters, and Ready shows it then.
func TestWakeUps(t *testing.T) { // TCP-070, SOCK-012, SOCK-048
	l := newLab(t)
	listener := l.listen(here, 4)
	var p *peer
	for _, tt := range []struct {
		name  string
		mask  poll.Mask
		of    func() *Socket
		event func()
	}{
		{"connection to accept", poll.In, func() *Socket { return listener }, func() { l.dial(there).sends(tcp.ACK, "") }},
		{"connected", poll.Out, func() *Socket { p = l.connect(); return p.so }, func() { p.sends(tcp.SYN|tcp.ACK, "") }},
		{"refused", poll.Err, func() *Socket { p = l.connect(); return p.so }, func() { p.sends(tcp.RST|tcp.ACK, "") }},
		{"data", poll.In, func() *Socket { p = l.active(); return p.so }, func() { p.sends(tcp.ACK, "data") }},
		{"end of stream", poll.RdHup, func() *Socket { p = l.active(); return p.so }, func() { p.sends(tcp.FIN|tcp.ACK, "") }},
		{"reset", poll.Err, func() *Socket { p = l.active(); return p.so }, func() { p.sends(tcp.RST, "") }},
		{"room", poll.Out, func() *Socket {
			p = l.active()
			_, _ = p.so.Write(make([]byte, 1<<20), false)
			return p.so
		}, func() { p.drains() }},
		{"urgent", poll.Pri, func() *Socket { p = l.active(); return p.so }, func() {
			s := p.segment(tcp.ACK|tcp.URG, "!")
			s.Urg = 1
			l.recv(p.at, p.to, s)
		}},
		{"all acknowledged", poll.Delivered, func() *Socket {
			p = l.active()
			p.so.writes(t, "data")
			require.NoError(t, p.so.Close())
			return p.so
		}, func() { p.acks() }},
		{"timeout", poll.Err, func() *Socket { p = l.connect(); return p.so }, func() { l.after(time.Hour) }},
		{"shut down", poll.In, func() *Socket { p = l.active(); return p.so }, func() { require.NoError(t, p.so.Shutdown(true, false)) }},
		{"closed by another", poll.Hup, func() *Socket { p = l.active(); return p.so }, func() { require.NoError(t, p.so.Close()) }},
		{"aborted by another", poll.Hup, func() *Socket { p = l.active(); return p.so }, func() { p.so.Abort() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			so, w := tt.of(), poll.NewWaiter()
			so.Waiters().Add(w, tt.mask&^poll.Always)
			require.Zero(t, so.Ready()&tt.mask)
			tt.event()
			l.take()
			require.Len(t, w.C, 1)
			if !so.closed {
				require.NotZero(t, so.Ready()&tt.mask)
			}
			so.Waiters().Remove(w)
		})
	}
}

// drains acknowledges until nothing comes any more.
func (p *peer) drains() {
	for sent := p.l.take(); len(sent) > 0; sent = p.l.take() {
		p.ack = sent[len(sent)-1].End()
		p.sends(tcp.ACK, "")
	}
}

func TestErrorsOfData(t *testing.T) { // SOCK-014, SOCK-018, SOCK-019, SOCK-034, TCP-022
	l := newLab(t)
	so := l.NewSocket(ip.V4)
	so.fails(t, syscall.ENOTCONN)
	_, err := so.Write([]byte("x"), false)
	require.Equal(t, syscall.EPIPE, err)
	p := l.connect()
	_, err = p.so.Write([]byte("x"), false)
	require.Equal(t, syscall.EAGAIN, err)

	p = l.active()
	p.sends(tcp.FIN|tcp.ACK, "last")
	p.so.reads(t, "last")
	for range 3 {
		p.so.reads(t, "")
	}
	p.so.writes(t, "still")
	p.sends(tcp.RST, "")
	p.so.reads(t, "")
	_, err = p.so.Write([]byte("x"), false)
	require.Equal(t, syscall.EPIPE, err, "as Linux has it after the peer's FIN")
	_, err = p.so.Write([]byte("x"), false)
	require.Equal(t, syscall.EPIPE, err)
	l.take()

	p = l.active()
	p.sends(tcp.RST, "")
	p.so.fails(t, syscall.ECONNRESET)
	p.so.reads(t, "")
	_, err = p.so.Write([]byte("x"), false)
	require.Equal(t, syscall.EPIPE, err)
}
