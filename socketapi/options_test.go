package socketapi

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommonOptions(t *testing.T) { // SOCK-036
	h := alone(t)
	fd := h.socket(SOCK_DGRAM, 0)
	require.Equal(t, SOCK_DGRAM, h.get(fd, SOL_SOCKET, SO_TYPE))
	require.Equal(t, IPPROTO_UDP, h.get(fd, SOL_SOCKET, SO_PROTOCOL))
	require.Equal(t, AF_INET, h.get(fd, SOL_SOCKET, SO_DOMAIN))
	require.Equal(t, 0, h.get(fd, SOL_SOCKET, SO_ACCEPTCONN))

	var v int
	_, err := h.GetSockOpt(fd, SOL_SOCKET, 9999, &v)
	require.Equal(t, syscall.ENOPROTOOPT, err)
	require.Equal(t, syscall.ENOPROTOOPT, h.SetSockOpt(fd, SOL_SOCKET, SO_TYPE, 1))
	require.Equal(t, syscall.ENOPROTOOPT, h.SetSockOpt(fd, IPPROTO_TCP, TCP_NODELAY, 1))
	require.Equal(t, syscall.EBADF, h.SetSockOpt(99, SOL_SOCKET, SO_BROADCAST, 1))
	_, err = h.GetSockOpt(99, SOL_SOCKET, SO_TYPE, &v)
	require.Equal(t, syscall.EBADF, err)
}

func TestFlags(t *testing.T) { // SOCK-030, SOCK-035, SOCK-044
	h := alone(t)
	for _, fd := range []int{h.socket(SOCK_DGRAM, 0), h.socket(SOCK_RAW, 253)} {
		for _, o := range []optname{
			{SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_BROADCAST}, {SOL_SOCKET, SO_KEEPALIVE},
			{SOL_SOCKET, SO_NO_CHECK}, {IPPROTO_IP, IP_RECVERR}, {IPPROTO_IP, IP_PKTINFO}, {IPPROTO_IP, IP_MULTICAST_LOOP},
		} {
			for _, on := range []int{0, 1, 0} {
				h.set(fd, o.level, o.name, 5*on)
				require.Equal(t, on, h.get(fd, o.level, o.name), "%v", o)
			}
		}
	}
}

func TestIPOptions(t *testing.T) { // SOCK-043, UDP-008, UDP-016
	h := alone(t)
	for _, fd := range []int{h.socket(SOCK_DGRAM, 0), h.socket(SOCK_RAW, 253)} {
		require.Equal(t, 64, h.get(fd, IPPROTO_IP, IP_TTL))
		for _, bad := range []int{0, -2, 256} {
			require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_IP, IP_TTL, bad))
		}
		h.set(fd, IPPROTO_IP, IP_TTL, []byte{7}) // a byte will do
		require.Equal(t, 7, h.get(fd, IPPROTO_IP, IP_TTL))
		h.set(fd, IPPROTO_IP, IP_TTL, -1)
		require.Equal(t, 64, h.get(fd, IPPROTO_IP, IP_TTL))
		h.set(fd, IPPROTO_IP, IP_TOS, 0x10)
		require.Equal(t, 0x10, h.get(fd, IPPROTO_IP, IP_TOS))
		h.set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
		require.Equal(t, IP_PMTUDISC_DO, h.get(fd, IPPROTO_IP, IP_MTU_DISCOVER))

		h.set(fd, IPPROTO_IP, IP_OPTIONS, []byte{1, 1, 1, 0})
		b := make([]byte, 40)
		n, err := h.GetSockOpt(fd, IPPROTO_IP, IP_OPTIONS, b)
		require.NoError(t, err)
		require.Equal(t, []byte{1, 1, 1, 0}, b[:n])
		require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_IP, IP_OPTIONS, make([]byte, 41)))
		h.set(fd, IPPROTO_IP, IP_OPTIONS, []byte{})

		var v int
		_, err = h.GetSockOpt(fd, IPPROTO_IP, IP_MTU, &v)
		require.Equal(t, syscall.ENOTCONN, err)
		require.NoError(t, h.Connect(fd, ap("127.0.0.1:9")))
		require.Equal(t, 65535, h.get(fd, IPPROTO_IP, IP_MTU))
	}
}

func TestOptionLayouts(t *testing.T) {
	h := alone(t)
	fd := h.socket(SOCK_DGRAM, 0)
	raw := binary.NativeEndian.AppendUint64(nil, 3)
	raw = binary.NativeEndian.AppendUint64(raw, 500000)
	h.set(fd, SOL_SOCKET, SO_SNDTIMEO, raw)
	got := make([]byte, 16)
	n, err := h.GetSockOpt(fd, SOL_SOCKET, SO_SNDTIMEO, got)
	require.NoError(t, err)
	require.Equal(t, raw, got[:n])

	for _, bad := range []any{raw[:15], Timeval{0, 1e6}, Timeval{0, -1}} {
		require.Error(t, h.SetSockOpt(fd, SOL_SOCKET, SO_SNDTIMEO, bad))
	}
	require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, SOL_SOCKET, SO_BROADCAST, []byte{1, 0}))
	require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, SOL_SOCKET, SO_BROADCAST, map[int]int{}))
	var l Linger
	_, err = h.GetSockOpt(fd, SOL_SOCKET, SO_TYPE, &l)
	require.Equal(t, syscall.EINVAL, err)
}

func TestReceiveBuffer(t *testing.T) { // SOCK-032
	h := alone(t)
	fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
	require.Equal(t, 208<<10, h.get(fd, SOL_SOCKET, SO_RCVBUF))
	h.set(fd, SOL_SOCKET, SO_RCVBUF, 10000)
	require.Equal(t, 20000, h.get(fd, SOL_SOCKET, SO_RCVBUF), "twice, as on Linux")
	for range 100 {
		_, err := h.SendTo(fd, make([]byte, 1000), 0, ap("127.0.0.1:7"))
		require.NoError(t, err)
	}
	n := 0
	for ; h.events(fd, POLLIN) != 0; n++ {
		h.receives(fd, string(make([]byte, 1000)))
	}
	require.Positive(t, n)
	require.LessOrEqual(t, n, 20)
}

func TestMulticastInterface(t *testing.T) { // SOCK-044
	var clk VirtualClock
	a, _ := pair(t, &clk)
	fd := a.socket(SOCK_DGRAM, 0)
	got := make([]byte, 4)
	for _, c := range []struct {
		value any
		want  [4]byte
		err   error
	}{
		{addrA.AsSlice(), addrA.As4(), nil},
		{IPMreqn{Ifindex: 1}, [4]byte{127, 0, 0, 1}, nil},
		{IPMreqn{Ifindex: 2}, addrA.As4(), nil},
		{IPMreqn{Ifindex: 3}, addrA.As4(), syscall.EADDRNOTAVAIL},
		{[]byte{192, 0, 2, 1}, addrA.As4(), syscall.EADDRNOTAVAIL},
		{append(make([]byte, 4), 127, 0, 0, 1), [4]byte{127, 0, 0, 1}, nil}, // struct ip_mreq
		{[]byte{0, 0, 0, 0}, [4]byte{}, nil},
		{[]byte{1}, [4]byte{}, syscall.EINVAL},
	} {
		require.Equal(t, c.err, a.SetSockOpt(fd, IPPROTO_IP, IP_MULTICAST_IF, c.value))
		_, err := a.GetSockOpt(fd, IPPROTO_IP, IP_MULTICAST_IF, got)
		require.NoError(t, err)
		require.Equal(t, c.want, [4]byte(got))
	}
}
