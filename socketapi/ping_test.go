package socketapi

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
)

// A ping socket sends echo requests with its identifier as port and receives the replies to them without IP header.
func TestPingSocket(t *testing.T) { // SOCK-072
	var clk VirtualClock
	a, b := pair(t, &clk)
	fd, other := a.socket(SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_ICMP), a.socket(SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_ICMP)
	require.Equal(t, ap("0.0.0.0:0"), a.name(fd))
	require.NoError(t, a.Bind(fd, ap("0.0.0.0:1234")))
	require.Equal(t, syscall.EINVAL, a.Bind(fd, ap("0.0.0.0:1235")))
	require.Equal(t, SOCK_DGRAM, a.get(fd, SOL_SOCKET, SO_TYPE))
	require.Equal(t, IPPROTO_ICMP, a.get(fd, SOL_SOCKET, SO_PROTOCOL))

	request := echoRequest(7, 9, "data") // its identifier is not the socket's
	request[2]++                         // nor is its checksum right
	n, err := a.SendTo(fd, request, 0, ap("10.0.0.2:0"))
	require.NoError(t, err)
	require.Equal(t, len(request), n)
	rest(0, a, b)
	got := make([]byte, 100)
	n, from, err := a.RecvFrom(fd, got, 0)
	require.NoError(t, err)
	require.Equal(t, ap("10.0.0.2:0"), from)
	require.Equal(t, byte(0), got[0], "echo reply")
	require.Equal(t, uint16(1234), binary.BigEndian.Uint16(got[4:]))
	require.Equal(t, uint16(9), binary.BigEndian.Uint16(got[6:]))
	require.Equal(t, "data", string(got[8:n]))
	require.Equal(t, uint16(0xffff), checksum.Sum(got[:n], 0))
	_, err = a.recv(other, 100, 0)
	require.Equal(t, syscall.EAGAIN, err)

	require.NoError(t, a.Connect(other, ap("10.0.0.2:77")))
	require.NotZero(t, a.name(other).Port())
	require.Equal(t, addrA, a.name(other).Addr())
	peer, err := a.GetPeerName(other)
	require.NoError(t, err)
	require.Equal(t, ap("10.0.0.2:77"), peer)
	_, err = a.Send(other, request, 0)
	require.NoError(t, err)
	rest(0, a, b)
	_, err = a.recv(other, 100, 0)
	require.NoError(t, err)
	_, err = a.recv(fd, 100, 0)
	require.Equal(t, syscall.EAGAIN, err)
}

func TestPingSocketErrors(t *testing.T) { // SOCK-072
	h := alone(t)
	fd := h.socket(SOCK_DGRAM, IPPROTO_ICMP)
	for _, bad := range [][]byte{nil, make([]byte, 7), append([]byte{0}, make([]byte, 10)...), append([]byte{8, 1}, make([]byte, 10)...), append([]byte{13}, make([]byte, 20)...)} {
		_, err := h.SendTo(fd, bad, 0, ap("127.0.0.1:0"))
		require.Equal(t, syscall.EINVAL, err, "%v", bad)
	}
	_, err := h.Send(fd, echoRequest(1, 1, ""), 0)
	require.Equal(t, syscall.EDESTADDRREQ, err)
	_, err = h.SendTo(fd, echoRequest(1, 1, string(make([]byte, 65528))), 0, ap("127.0.0.1:0"))
	require.Equal(t, syscall.EMSGSIZE, err)
	_, err = h.SendTo(fd, echoRequest(1, 1, ""), MSG_OOB, ap("127.0.0.1:0"))
	require.Equal(t, syscall.EOPNOTSUPP, err)
	for _, addr := range []string{"10.1.2.3:5", "224.0.0.5:5", "255.255.255.255:5"} {
		require.Equal(t, syscall.EADDRNOTAVAIL, h.Bind(h.socket(SOCK_DGRAM, IPPROTO_ICMP), ap(addr)))
	}
	_, err = h.Socket(AF_INET, SOCK_STREAM, IPPROTO_ICMP)
	require.Equal(t, syscall.EPROTONOSUPPORT, err)
}

// The error queue of a ping socket holds the echo request, as the error quotes it.
func TestPingSocketErrorQueue(t *testing.T) { // SOCK-072, SOCK-070
	var clk VirtualClock
	a, b := pair(t, &clk)
	fd, other := a.socket(SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_ICMP), a.socket(SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_ICMP)
	for i, s := range []int{fd, other} {
		require.NoError(t, a.Bind(s, ap([]string{"0.0.0.0:555", "0.0.0.0:556"}[i])))
		a.set(s, IPPROTO_IP, IP_RECVERR, 1)
	}
	router := b.socket(SOCK_RAW, IPPROTO_ICMP)
	_, err := a.SendTo(fd, echoRequest(1, 9, "data"), 0, ap("10.0.0.2:0"))
	require.NoError(t, err)
	rest(0, a, b)
	asked := make([]byte, 100)
	n, err := b.Recv(router, asked, 0)
	require.NoError(t, err)
	message := append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, asked[:n]...) // host unreachable
	checksum.Put(message[2:], ^checksum.Sum(message, 0))
	_, err = b.SendTo(router, message, 0, ap("10.0.0.1:0"))
	require.NoError(t, err)
	rest(0, a, b)

	require.Equal(t, syscall.EHOSTUNREACH, a.soError(fd))
	got := make([]byte, 100)
	n, m, err := a.RecvMsg(fd, got, MSG_ERRQUEUE)
	require.NoError(t, err)
	require.Equal(t, asked[20:20+n], got[:n], "the ICMP message")
	require.Equal(t, ap("10.0.0.2:0"), m.Addr)
	require.Equal(t, addrB, m.Offender)
	_, _, err = a.RecvMsg(other, got, MSG_ERRQUEUE)
	require.Equal(t, syscall.EAGAIN, err)
}
