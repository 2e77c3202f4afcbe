package socketapi

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/ip"
	"tunstack/tcp"
)

// errors6 are errors of ICMPv6 about a segment, with Linux's numbers.
var errors6 = []struct {
	typ, code byte
	errno     syscall.Errno
}{
	{icmp.Unreachable6, 0, syscall.ENETUNREACH}, {icmp.Unreachable6, 1, syscall.EACCES}, {icmp.Unreachable6, 3, syscall.EHOSTUNREACH},
	{icmp.Unreachable6, 4, syscall.ECONNREFUSED}, {icmp.Unreachable6, 5, syscall.EACCES}, {icmp.Unreachable6, 6, syscall.EACCES},
	{icmp.TimeExceeded6, 0, syscall.EHOSTUNREACH}, {icmp.ParameterProblem6, 0, syscall.EPROTO},
}

// TCP6-006, TCP6-007: an error about the SYN fails the attempt at once, so that the next address is tried, unless it quotes another sequence
// number.
func TestErrorsWhileConnectingOverIPv6(t *testing.T) {
	for _, e := range errors6 {
		w := newWire(t, dualStack)
		fd := w.socket6(SOCK_STREAM|SOCK_NONBLOCK, 0)
		require.Equal(t, syscall.EINPROGRESS, w.Connect(fd, netip.AddrPortFrom(addrA6, 9)))
		syn := w.sent[0]
		for _, change := range []byte{1, 0xff} {
			syn[47] += change
			w.error6(e.typ, e.code, 0, syn)
			syn[47] -= change
			require.Equal(t, syscall.EALREADY, w.Connect(fd, netip.AddrPortFrom(addrA6, 9)), "not the sequence number of the SYN")
		}
		w.error6(e.typ, e.code, 0, syn)
		require.Equal(t, e.errno, w.Connect(fd, netip.AddrPortFrom(addrA6, 9)), "%+v", e)
	}
}

// TCP6-005, TCP6-007: no error ends an established connection. With IPV6_RECVERR the user learns of it at once, and if the peer stays silent
// it is the reason.
func TestErrorsOnAConnectionOverIPv6(t *testing.T) {
	for _, e := range errors6 {
		for _, reported := range []bool{false, true} {
			w := newWire(t, dualStack)
			fd := w.socket6(SOCK_STREAM|SOCK_NONBLOCK, 0)
			w.set6(fd, IPV6_RECVERR, bit(reported))
			syn := w.handshake6(fd, tcp.Options{MSS: 1440})
			_, err := w.Send(fd, []byte("data"), 0)
			require.NoError(t, err)
			require.Len(t, w.sent, 1)
			w.error6(e.typ, e.code, 0, w.sent[0])
			pending := syscall.Errno(0)
			if reported {
				pending = e.errno
			}
			require.Equal(t, pending, w.soError(fd), "%+v", e)

			answer := tcp.Segment{SrcPort: 9, DstPort: syn.SrcPort, Flags: tcp.ACK, Seq: 5001, Ack: syn.Seq + 1, Wnd: 65535, Payload: []byte("more")}
			w.inject(packet6(ip.ProtocolTCP, segment(addrA6, addrB6, answer)))
			got, err := w.host.recv(fd, 10, 0)
			require.NoError(t, err)
			require.Equal(t, "more", got)
			w.after(time.Hour)
			require.Equal(t, e.errno, w.soError(fd), "%+v", e)
		}
	}
}

// ICMP6-020: each transport learns from one's Packet Too Big, and TCP sends what is lost again at once, in smaller segments.
func TestPathMTUOfAllTransports6(t *testing.T) {
	w := newWire(t, dualStack)
	stream, datagram := w.socket6(SOCK_STREAM|SOCK_NONBLOCK, 0), w.udp6()
	w.handshake6(stream, tcp.Options{MSS: 1440})
	_, err := w.Send(stream, make([]byte, 1440), 0)
	require.NoError(t, err)
	cwnd := func() uint32 {
		var i TCPInfo
		_, err := w.GetSockOpt(stream, IPPROTO_TCP, TCP_INFO, &i)
		require.NoError(t, err)
		return i.SndCwnd
	}
	before := cwnd()
	require.Len(t, w.sent, 1)
	lost := w.sent[0]
	w.sent = nil
	w.error6(icmp.PacketTooBig, 0, 1300, lost[:1232])
	again, _ := w.sent6()
	require.NotEmpty(t, again)
	require.Equal(t, 1300, again[0].TotalLen)
	require.GreaterOrEqual(t, cwnd(), before, "in segments, which are smaller now")
	_, err = w.Send(datagram, make([]byte, 1400), 0)
	require.NoError(t, err)
	require.Len(t, w.sent, 2, "fragments")
	require.Equal(t, 1300, w.get(datagram, IPPROTO_IPV6, IPV6_MTU))
}

// ICMP6-014: each of two pingers receives the replies to its own requests.
func TestTwoPingersOfIPv6(t *testing.T) {
	w := newWire(t, dualStack)
	var ids [2]uint16
	fds := [2]int{w.socket6(SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_ICMPV6), w.socket6(SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_ICMPV6)}
	for i, fd := range fds {
		_, err := w.SendTo(fd, []byte{icmp.EchoRequest6, 0, 0, 0, 0, 0, 0, byte(i), 'x'}, 0, netip.AddrPortFrom(addrA6, 0))
		require.NoError(t, err)
		ids[i] = w.name(fd).Port()
	}
	require.NotEqual(t, ids[0], ids[1])
	for i, id := range ids {
		reply := []byte{icmp.EchoReply6, 0, 0, 0, byte(id >> 8), byte(id), 0, byte(i), 'x'}
		w.inject(packet6(ip.ProtocolICMPv6, sum6(ip.ProtocolICMPv6, reply, 2)))
	}
	for i, fd := range fds {
		got, err := w.host.recv(fd, 20, 0)
		require.NoError(t, err)
		require.Equal(t, byte(i), got[7])
		_, err = w.host.recv(fd, 20, 0)
		require.Equal(t, syscall.EAGAIN, err)
	}
}
