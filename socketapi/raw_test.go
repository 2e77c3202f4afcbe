package socketapi

import (
	"encoding/binary"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/tun"
)

// echoRequest is an ICMP echo request.
func echoRequest(id, seq uint16, data string) []byte {
	b := make([]byte, 8, 8+len(data))
	b[0] = 8
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	b = append(b, data...)
	checksum.Put(b[2:], ^checksum.Sum(b, 0))
	return b
}

func TestRawPing(t *testing.T) { // SOCK-046
	var clk VirtualClock
	a, b := pair(t, &clk)
	ping, watch := a.socket(SOCK_RAW, IPPROTO_ICMP), b.socket(SOCK_RAW, IPPROTO_ICMP)
	_, err := a.SendTo(ping, echoRequest(7, 1, "data"), 0, ap("10.0.0.2:0"))
	require.NoError(t, err)
	rest(0, a, b)

	got := make([]byte, 100)
	n, from, err := a.RecvFrom(ping, got, MSG_DONTWAIT)
	require.NoError(t, err)
	require.Equal(t, addrB, from.Addr())
	require.Equal(t, 20+8+4, n)
	require.Equal(t, byte(0x45), got[0])
	require.Equal(t, byte(0), got[20], "echo reply")
	require.Equal(t, "data", string(got[28:n]))

	n, _, err = b.RecvFrom(watch, got, MSG_DONTWAIT)
	require.NoError(t, err)
	require.Equal(t, byte(8), got[:n][20], "a copy of the request")
}

// A packet that waits for a neighbour without an answer to ARP causes an ICMP error to its socket, as on Linux.
func TestRawSocketHearsOfDeadNeighbour(t *testing.T) { // SOCK-046
	tap, _ := tun.Pipe(1500, tun.TAP, packet.Features{})
	cfg := device(tap, addrA)
	cfg.Clock = new(VirtualClock)
	h := newHost(t, cfg)
	h.Advance(20 * time.Second) // past conflict detection
	fd := h.socket(SOCK_RAW, IPPROTO_ICMP)
	_, err := h.SendTo(fd, echoRequest(7, 1, "data"), 0, ap("10.0.0.99:0"))
	require.NoError(t, err)
	h.Advance(h.Now() + 10*time.Second)

	got := make([]byte, 100)
	n, from, err := h.RecvFrom(fd, got, MSG_DONTWAIT)
	require.NoError(t, err)
	require.Equal(t, addrA, from.Addr())
	require.Equal(t, []byte{icmp.Unreachable, icmp.CodeHost}, got[20:22])
	require.Equal(t, "data", string(got[n-4:n]))
}

func TestICMPFilter(t *testing.T) { // SOCK-046
	var clk VirtualClock
	a, b := pair(t, &clk)
	fd := a.socket(SOCK_RAW, IPPROTO_ICMP)
	a.set(fd, SOL_RAW, ICMP_FILTER, 1<<0)
	_, err := a.SendTo(fd, echoRequest(7, 1, ""), 0, ap("10.0.0.2:0"))
	require.NoError(t, err)
	rest(0, a, b)
	require.Zero(t, a.events(fd, POLLIN))
	require.Equal(t, 1, a.get(fd, SOL_RAW, ICMP_FILTER))
}

func TestHeaderIncluded(t *testing.T) { // SOCK-047
	var clk VirtualClock
	a, b := pair(t, &clk)
	tx, rx := a.socket(SOCK_RAW, IPPROTO_RAW), b.socket(SOCK_RAW, 253)
	require.Equal(t, 1, a.get(tx, IPPROTO_IP, IP_HDRINCL))
	d := make([]byte, 24)
	d[0], d[8], d[9] = 0x45, 33, 253
	copy(d[16:], addrB.AsSlice())
	_, err := a.SendTo(tx, d, 0, ap("10.0.0.2:0"))
	require.NoError(t, err)
	rest(0, a, b)
	got := make([]byte, 100)
	n, from, err := b.RecvFrom(rx, got, MSG_DONTWAIT)
	require.NoError(t, err)
	require.Equal(t, 24, n)
	require.Equal(t, addrA, from.Addr())
	require.Equal(t, byte(33), got[8])
	require.Equal(t, uint16(24), binary.BigEndian.Uint16(got[2:]))
	require.Zero(t, ^checksum.Sum(got[:20], 0))
}

func TestRawConnectAndNames(t *testing.T) { // SOCK-045
	h := alone(t)
	fd := h.socket(SOCK_RAW, IPPROTO_ICMP)
	require.Equal(t, ap("0.0.0.0:0"), h.name(fd))
	_, err := h.Send(fd, []byte("x"), 0)
	require.Equal(t, syscall.EDESTADDRREQ, err)
	require.NoError(t, h.Connect(fd, ap("127.0.0.1:0")))
	peer, err := h.GetPeerName(fd)
	require.NoError(t, err)
	require.Equal(t, ap("127.0.0.1:0"), peer)
	require.Equal(t, "raw", h.Sockets()[0].Protocol)
	require.Equal(t, "ESTAB", h.Sockets()[0].State)
}

func TestIPConn(t *testing.T) { // SOCK-046, ICMP-020
	h := alone(t)
	c, err := h.ListenPacket("ip4:icmp", "0.0.0.0")
	require.NoError(t, err)
	_, err = c.WriteTo(echoRequest(1, 2, "ping"), &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	b := make([]byte, 100)
	for _, kind := range []byte{8, 0} { // the loopback shows both
		n, from, err := c.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1", from.String())
		require.Equal(t, kind, b[0])
		require.Equal(t, "ping", string(b[8:n]))
	}
}
