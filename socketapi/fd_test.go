package socketapi

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSocketArguments(t *testing.T) {
	h := alone(t)
	for _, c := range []struct {
		domain, typ, proto int
		err                error
	}{
		{AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP, nil},
		{AF_INET, SOCK_RAW, IPPROTO_ICMP, nil},
		{AF_INET6, SOCK_STREAM, 0, nil},
		{AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, nil},
		{AF_INET6, SOCK_DGRAM, IPPROTO_ICMP, syscall.EPROTONOSUPPORT},
		{AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6, syscall.EPROTONOSUPPORT},
		{AF_INET6, SOCK_RAW, 253, nil},
		{1, SOCK_STREAM, 0, syscall.EAFNOSUPPORT},
		{AF_INET, 77, 0, syscall.EINVAL},
		{AF_INET, SOCK_STREAM, IPPROTO_UDP, syscall.EPROTONOSUPPORT},
		{AF_INET, SOCK_DGRAM, IPPROTO_TCP, syscall.EPROTONOSUPPORT},
		{AF_INET, SOCK_RAW, 0, syscall.EPROTONOSUPPORT},
		{AF_INET, SOCK_RAW, 256, syscall.EPROTONOSUPPORT},
	} {
		_, err := h.Socket(c.domain, c.typ, c.proto)
		require.Equal(t, c.err, err, "%+v", c)
	}
}

func TestLowestDescriptor(t *testing.T) {
	h := alone(t)
	for i := range 5 {
		require.Equal(t, i, h.socket(SOCK_DGRAM, 0))
	}
	require.NoError(t, h.Close(3))
	require.NoError(t, h.Close(1))
	require.Equal(t, 1, h.socket(SOCK_DGRAM, 0))
	require.Equal(t, 3, h.socket(SOCK_DGRAM, 0))
	require.Equal(t, 5, h.socket(SOCK_DGRAM, 0))
}

func TestNonBlocking(t *testing.T) {
	h := alone(t)
	fd := h.socket(SOCK_DGRAM|SOCK_NONBLOCK, 0)
	flags, err := h.Fcntl(fd, F_GETFL, 0)
	require.NoError(t, err)
	require.Equal(t, O_RDWR|O_NONBLOCK, flags)
	_, err = h.recv(fd, 10, 0)
	require.Equal(t, syscall.EAGAIN, err)

	_, err = h.Fcntl(fd, F_SETFL, flags&^O_NONBLOCK)
	require.NoError(t, err)
	flags, err = h.Fcntl(fd, F_GETFL, 0)
	require.NoError(t, err)
	require.Equal(t, O_RDWR, flags)
	_, err = h.Ioctl(fd, FIONBIO, 1)
	require.NoError(t, err)
	_, err = h.recv(fd, 10, 0)
	require.Equal(t, syscall.EAGAIN, err)

	_, err = h.Fcntl(fd, 99, 0)
	require.Equal(t, syscall.EINVAL, err)
	_, err = h.Ioctl(fd, 99, 0)
	require.Equal(t, syscall.ENOTTY, err)
}

func TestBadDescriptor(t *testing.T) {
	h := alone(t)
	fd := h.socket(SOCK_DGRAM, 0)
	require.NoError(t, h.Close(fd))
	for _, fd := range []int{-1, fd, 1000} {
		_, recvErr := h.Recv(fd, nil, 0)
		_, sendErr := h.Send(fd, nil, 0)
		_, nameErr := h.GetSockName(fd)
		_, peerErr := h.GetPeerName(fd)
		_, _, acceptErr := h.Accept(fd)
		_, fcntlErr := h.Fcntl(fd, F_GETFL, 0)
		_, ioctlErr := h.Ioctl(fd, FIONREAD, 0)
		for i, err := range []error{h.Close(fd), h.Bind(fd, ap0), h.Connect(fd, ap0), h.Listen(fd, 1), h.Shutdown(fd, SHUT_RD),
			recvErr, sendErr, nameErr, peerErr, acceptErr, fcntlErr, ioctlErr} {
			require.Equal(t, syscall.EBADF, err, "call %d", i)
		}
	}
}

func TestNotForDatagrams(t *testing.T) {
	h := alone(t)
	fd := h.socket(SOCK_DGRAM, 0)
	require.Equal(t, syscall.EOPNOTSUPP, h.Listen(fd, 1))
	_, _, err := h.Accept(fd)
	require.Equal(t, syscall.EOPNOTSUPP, err)
	_, err = h.SendTo(fd, []byte("x"), MSG_OOB, ap("127.0.0.1:7"))
	require.Equal(t, syscall.EOPNOTSUPP, err)
	_, err = h.recv(fd, 1, MSG_OOB|MSG_DONTWAIT)
	require.Equal(t, syscall.EAGAIN, err, "as on Linux the flag is ignored")
	require.Equal(t, syscall.EINVAL, h.Shutdown(fd, 3))
	require.Equal(t, syscall.ENOTCONN, h.Shutdown(fd, SHUT_RD)) // SOCK-023
}

func TestBytesWaiting(t *testing.T) {
	h := alone(t)
	fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
	for _, text := range []string{"one", "second"} {
		_, err := h.SendTo(fd, []byte(text), 0, ap("0.0.0.0:7")) // this host
		require.NoError(t, err)
	}
	n, err := h.Ioctl(fd, FIONREAD, 0)
	require.NoError(t, err)
	require.Equal(t, len("one"), n)
	n, err = h.Ioctl(fd, TIOCOUTQ, 0)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestPollDatagram(t *testing.T) { // SOCK-048, SOCK-049, SOCK-051
	synctest.Test(t, func(t *testing.T) {
		h := alone(t)
		fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
		require.Equal(t, POLLOUT, h.events(fd, POLLIN|POLLOUT))
		require.Equal(t, POLLNVAL, h.events(99, 0))
		require.Zero(t, h.events(-1, POLLIN))

		start := time.Now()
		n, err := h.Poll([]PollFd{{Fd: fd, Events: POLLIN}}, time.Minute)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, time.Minute, time.Since(start))

		readable := make(chan []int)
		go func() {
			r, _, _, _ := h.Select([]int{fd}, nil, nil, -1)
			readable <- r
		}()
		synctest.Wait()
		_, err = h.SendTo(fd, []byte("x"), 0, ap("127.0.0.1:7"))
		require.NoError(t, err)
		require.Equal(t, []int{fd}, <-readable)
		require.Equal(t, POLLIN|POLLOUT, h.events(fd, POLLIN|POLLOUT))
		r, w, e, err := h.Select([]int{fd}, []int{fd}, []int{fd}, 0)
		require.NoError(t, err)
		require.Equal(t, [][]int{{fd}, {fd}, nil}, [][]int{r, w, e})
		_, _, _, err = h.Select([]int{99}, nil, nil, 0)
		require.Equal(t, syscall.EBADF, err)
		_, _, _, err = h.Select([]int{-1}, nil, nil, 0)
		require.Equal(t, syscall.EBADF, err)
	})
}
