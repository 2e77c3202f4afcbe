package socketapi

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// MSG_ERRQUEUE reads the errors, in the layout of Linux, and never ordinary data.
func TestErrorQueue(t *testing.T) { // SOCK-070
	var clk VirtualClock
	a, b := pair(t, &clk)
	fd := a.bound(SOCK_DGRAM, "10.0.0.1:7")
	a.set(fd, IPPROTO_IP, IP_RECVERR, 1)
	server := b.bound(SOCK_DGRAM, "10.0.0.2:7")
	_, err := b.SendTo(server, []byte("ordinary"), 0, ap("10.0.0.1:7"))
	require.NoError(t, err)
	_, err = a.SendTo(fd, []byte("to a closed port"), 0, ap("10.0.0.2:8"))
	require.NoError(t, err)
	rest(0, a, b)

	require.Equal(t, POLLIN|POLLERR, a.events(fd, POLLIN))
	got := make([]byte, 4)
	n, m, err := a.RecvMsg(fd, got, MSG_ERRQUEUE)
	require.NoError(t, err)
	require.Equal(t, "to a", string(got[:n]))
	require.Equal(t, Message{Addr: ap("10.0.0.2:8"), Size: 16, Flags: MSG_ERRQUEUE | MSG_TRUNC, Offender: addrB,
		Err: &SockExtendedErr{Errno: uint32(syscall.ECONNREFUSED), Origin: SO_EE_ORIGIN_ICMP, Type: 3, Code: 3}}, m)
	require.Equal(t, 16, binary.Size(m.Err))
	_, _, err = a.RecvMsg(fd, got, MSG_ERRQUEUE) // which does not wait
	require.Equal(t, syscall.EAGAIN, err)
	require.Equal(t, POLLIN, a.events(fd, POLLIN))
	a.receives(fd, "ordinary")

	stream := a.socket(SOCK_STREAM, 0)
	require.Equal(t, syscall.ECONNREFUSED, connectNow(a, b, stream, "10.0.0.2:9"))
	_, err = a.recv(stream, 10, MSG_ERRQUEUE)
	require.Equal(t, syscall.EAGAIN, err, "a RST is not an ICMP error")
}

// connectNow is a non-blocking connect and its outcome.
func connectNow(h, peer host, fd int, to string) syscall.Errno {
	_, err := h.Fcntl(fd, F_SETFL, O_NONBLOCK)
	require.NoError(h.t, err)
	require.Equal(h.t, syscall.EINPROGRESS, h.Connect(fd, ap(to)))
	rest(0, h, peer)
	return h.soError(fd)
}
