package socketapi

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// atMark is SIOCATMARK.
func (h host) atMark(fd int) bool {
	h.t.Helper()
	n, err := h.Ioctl(fd, SIOCATMARK, 0)
	require.NoError(h.t, err)
	return n == 1
}

// sendUrgent sends a text whose last byte is urgent.
func (h host) sendUrgent(fd int, text string) {
	h.t.Helper()
	n, err := h.Send(fd, []byte(text), MSG_OOB)
	require.NoError(h.t, err)
	require.Equal(h.t, len(text), n)
}

func TestUrgentByte(t *testing.T) { // SOCK-022, TCP-067, TCP-070, TCP-071
	p := newTCPPair(t)
	client, server := p.connect()
	_, err := p.b.recv(server, 1, MSG_OOB)
	require.Equal(t, syscall.EINVAL, err, "without urgent data")
	p.a.send(client, "abc")
	p.a.sendUrgent(client, "d!")
	p.a.send(client, "ef")
	p.rest()

	require.Equal(t, POLLPRI, p.b.events(server, POLLPRI))
	_, _, x, err := p.b.Select(nil, nil, []int{server}, 0)
	require.NoError(t, err)
	require.Equal(t, []int{server}, x)
	require.False(t, p.b.atMark(server))
	p.b.receives(server, "abcd") // up to the mark
	require.True(t, p.b.atMark(server))

	got, err := p.b.recv(server, 1, MSG_OOB|MSG_PEEK)
	require.NoError(t, err)
	require.Equal(t, "!", got)
	b := make([]byte, 10)
	n, m, err := p.b.RecvMsg(server, b, MSG_OOB)
	require.NoError(t, err)
	require.Equal(t, "!", string(b[:n]))
	require.Equal(t, MSG_OOB, m.Flags)
	_, err = p.b.recv(server, 1, MSG_OOB)
	require.Equal(t, syscall.EINVAL, err, "once")
	require.Zero(t, p.b.events(server, POLLPRI))
	p.b.receives(server, "ef")
	require.False(t, p.b.atMark(server))
}

func TestUrgentInline(t *testing.T) { // SOCK-022
	p := newTCPPair(t)
	client, server := p.connect()
	p.b.set(server, SOL_SOCKET, SO_OOBINLINE, 1)
	p.a.sendUrgent(client, "ab!")
	p.a.send(client, "cd")
	p.rest()
	require.Equal(t, POLLPRI, p.b.events(server, POLLPRI))
	_, err := p.b.recv(server, 1, MSG_OOB)
	require.Equal(t, syscall.EINVAL, err)
	p.b.receives(server, "ab")
	require.True(t, p.b.atMark(server))
	p.b.receives(server, "!cd")
	require.Zero(t, p.b.events(server, POLLPRI))
}

// A sender can announce urgent data although the peer's window is closed.
func TestUrgentAnnounced(t *testing.T) { // TCP-015, TCP-070
	p := newTCPPair(t)
	p.b.set(p.listener, SOL_SOCKET, SO_RCVBUF, 4096)
	client, server := p.connect()
	p.a.send(client, string(make([]byte, 20000)))
	p.after(1e9)
	require.Zero(t, p.b.events(server, POLLPRI))
	p.a.sendUrgent(client, "!")
	p.after(10e9) // by a window probe at the latest
	require.Equal(t, POLLPRI, p.b.events(server, POLLPRI))
	_, err := p.b.recv(server, 1, MSG_OOB)
	require.Equal(t, syscall.EAGAIN, err, "it has not arrived")
}

func TestUrgentErrors(t *testing.T) {
	p := newTCPPair(t)
	for typ, want := range map[int]error{SOCK_STREAM: syscall.EINVAL, SOCK_DGRAM: syscall.EAGAIN} {
		fd := p.a.socket(typ|SOCK_NONBLOCK, 0)
		_, err := p.a.recv(fd, 1, MSG_OOB)
		require.Equal(t, want, err)
	}
	udp := p.a.socket(SOCK_DGRAM, 0)
	_, err := p.a.Ioctl(udp, SIOCATMARK, 0)
	require.Equal(t, syscall.ENOTTY, err)
	_, err = p.a.SendTo(udp, []byte("x"), MSG_OOB, ap("10.0.0.2:7"))
	require.Equal(t, syscall.EOPNOTSUPP, err)
	stream := p.a.socket(SOCK_STREAM, 0)
	require.False(t, p.a.atMark(stream))
	_, err = p.a.Send(stream, []byte("x"), MSG_OOB)
	require.Equal(t, syscall.EPIPE, err)
}
