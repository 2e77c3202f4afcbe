package socketapi

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// To bind a socket to an IPv6 address turns IPV6_V6ONLY on, unless the bind fails.
func TestBindToIPv6IsV6Only(t *testing.T) { // SOCK6-005
	h := alone(t)
	for _, typ := range []int{SOCK_STREAM, SOCK_DGRAM} {
		for local, want := range map[string]int{"[::]:0": 0, "[::ffff:127.0.0.1]:0": 0, "[::1]:0": 1} {
			fd := h.socket6(typ, 0)
			require.NoError(t, h.Bind(fd, ap(local)))
			require.Equal(t, want, h.get(fd, IPPROTO_IPV6, IPV6_V6ONLY), local)
			require.Equal(t, syscall.EINVAL, h.Bind(fd, ap("[2001:db8::1]:7")), "bound, which counts before the address")
		}
		taken, fd := h.socket6(typ, 0), h.socket6(typ, 0)
		require.NoError(t, h.Bind(taken, ap("[::1]:7")))
		require.Equal(t, syscall.EADDRINUSE, h.Bind(fd, ap("[::1]:7")))
		require.Zero(t, h.get(fd, IPPROTO_IPV6, IPV6_V6ONLY))
		require.NoError(t, h.Close(taken))
	}
}

// :: is this host: 127.0.0.1 for a socket that is bound to an IPv4 address.
func TestUnspecifiedPeerOfMappedSocket(t *testing.T) { // SOCK6-006
	h := alone(t)
	fd := h.socket6(SOCK_DGRAM, 0)
	require.NoError(t, h.Bind(fd, ap("[::ffff:127.0.0.2]:7")))
	require.NoError(t, h.Connect(fd, ap("[::]:9")))
	peer, err := h.GetPeerName(fd)
	require.NoError(t, err)
	require.Equal(t, ap("[::ffff:127.0.0.1]:9"), peer)
}

// The errors of sends have Linux's order: of the destination, of the control messages, of the route.
func TestOrderOfErrorsOfSends(t *testing.T) {
	h := alone(t)
	bad := &Ancillary{HopLimit: ptr(256)}
	for _, c := range []struct {
		domain, typ, flags int
		to                 string // "": none
		want               error
	}{
		{AF_INET, SOCK_DGRAM, 0, "", syscall.EDESTADDRREQ},
		{AF_INET, SOCK_DGRAM, MSG_OOB, "", syscall.EOPNOTSUPP},
		{AF_INET, SOCK_DGRAM, 0, "[::1]:7", syscall.EAFNOSUPPORT},
		{AF_INET, SOCK_DGRAM, 0, "192.0.2.1:7", syscall.EINVAL},
		{AF_INET6, SOCK_DGRAM, 0, "", syscall.EDESTADDRREQ},
		{AF_INET6, SOCK_DGRAM, MSG_OOB, "[::1]:7", syscall.EINVAL},
		{AF_INET6, SOCK_DGRAM, MSG_OOB, "127.0.0.1:7", syscall.EOPNOTSUPP},
		{AF_INET6, SOCK_DGRAM, 0, "[2001:db8::1]:7", syscall.EINVAL},
		{AF_INET6, SOCK_RAW, 0, "127.0.0.1:0", syscall.ENETUNREACH},
		{AF_INET6, SOCK_RAW, 0, "[::1]:7", syscall.EINVAL},
	} {
		fd, err := h.Socket(c.domain, c.typ, 253*bit(c.typ == SOCK_RAW))
		require.NoError(t, err)
		m := Message{Ancillary: bad}
		if c.to != "" {
			m.Addr = ap(c.to)
		}
		_, err = h.SendMsg(fd, []byte("x"), m, c.flags)
		require.Equal(t, c.want, err, "%+v", c)
	}
	raw := h.socket6(SOCK_RAW, 253)
	for port, want := range map[string]error{"0": nil, "253": nil, "7": syscall.EINVAL} {
		_, err := h.SendTo(raw, []byte("x"), 0, ap("[::1]:"+port))
		require.Equal(t, want, err, "a raw socket's port is its protocol")
	}
	require.Equal(t, syscall.ENOPROTOOPT, h.SetSockOpt(raw, IPPROTO_IP, IP_TTL, 9), "it never uses IPv4")
	_, err := h.GetSockOpt(h.socket6(SOCK_DGRAM, 0), IPPROTO_TCP, TCP_INFO, new(TCPInfo))
	require.Equal(t, syscall.ENOPROTOOPT, err)
	_, err = h.GetSockOpt(h.socket(SOCK_DGRAM, 0), IPPROTO_TCP, TCP_INFO, new(TCPInfo))
	require.Equal(t, syscall.EOPNOTSUPP, err)
}

// A blocking call that wants no bytes of a stream ends its wait without an error.
func TestReceiveNothing(t *testing.T) {
	h := alone(t)
	l := h.socket6(SOCK_STREAM, 0)
	require.NoError(t, h.Bind(l, ap("[::1]:7")))
	require.NoError(t, h.Listen(l, 1))
	fd := h.socket6(SOCK_STREAM, 0)
	require.NoError(t, h.Connect(fd, ap("[::1]:7")))
	h.set(fd, SOL_SOCKET, SO_RCVTIMEO, Timeval{Usec: 1})
	n, err := h.Recv(fd, nil, 0)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = h.Recv(fd, nil, MSG_DONTWAIT)
	require.Equal(t, syscall.EAGAIN, err)
	_, err = h.Recv(fd, make([]byte, 1), 0)
	require.Equal(t, syscall.EAGAIN, err)
}
