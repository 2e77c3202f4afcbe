package socketapi

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/ip"
)

// After IPV6_DONTFRAG has refused a datagram, the next call to receive returns the path MTU to its destination, as on Linux.
func TestRecvPathMTU(t *testing.T) { // UDP6-005, SOCK6-016
	w := newWire(t, dualStack)
	fd := w.socket6(SOCK_DGRAM|SOCK_NONBLOCK, 0)
	require.NoError(t, w.Bind(fd, ap("[::]:7")))
	refused := func(to string, a *Ancillary) {
		t.Helper()
		_, err := w.SendMsg(fd, make([]byte, 3000), Message{Addr: ap(to), Ancillary: a}, 0)
		require.Equal(t, syscall.EMSGSIZE, err)
	}
	tells := func(flags int, want Message) {
		t.Helper()
		n, m, err := w.RecvMsg(fd, make([]byte, 10), flags)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, want, m)
	}
	silent := func() {
		t.Helper()
		_, _, err := w.RecvMsg(fd, make([]byte, 10), 0)
		require.Equal(t, syscall.EAGAIN, err)
	}
	to := func(a string, mtu int) Message {
		return Message{Addr: netip.AddrPortFrom(netip.MustParseAddr(a), 0), PathMTU: mtu}
	}

	w.set6(fd, IPV6_DONTFRAG, 1)
	refused("[2001:db8::1]:9", nil)
	silent()
	w.set6(fd, IPV6_RECVPATHMTU, 1)
	silent()
	refused("[2001:db8::1]:9", nil)
	require.Equal(t, POLLOUT, w.events(fd, POLLIN|POLLOUT|POLLERR), "it makes the socket not readable")
	tells(0, to("2001:db8::1", 1500))
	silent()
	refused("[2001:db8::1]:9", nil)
	refused("[2001:db8::9]:10", nil)
	tells(MSG_PEEK, to("2001:db8::9", 1500)) // the latest, once
	silent()

	w.inject(packet6(ip.ProtocolUDP, sum6(ip.ProtocolUDP, []byte{0, 9, 0, 7, 0, 9, 0, 0, 'x'}, 6)))
	refused("[2001:db8::1]:9", nil)
	tells(0, to("2001:db8::1", 1500)) // before the data
	w.receives(fd, "x")

	refused("[2001:db8::1]:9", nil)
	w.set6(fd, IPV6_RECVPATHMTU, 0)
	silent()
	w.set6(fd, IPV6_RECVPATHMTU, 1)
	tells(0, to("2001:db8::1", 1500)) // it has waited

	w.set6(fd, IPV6_DONTFRAG, 0)
	w.set6(fd, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
	refused("[2001:db8::1]:9", nil)
	silent()
	refused("[2001:db8::1]:9", &Ancillary{DontFrag: ptr(true)})
	tells(0, to("2001:db8::1", 1500))
	w.set6(fd, IPV6_RECVERR, 1)
	refused("[2001:db8::1]:9", &Ancillary{DontFrag: ptr(true)})
	tells(0, to("2001:db8::1", 1500))
	_, m, err := w.RecvMsg(fd, make([]byte, 10), MSG_ERRQUEUE)
	require.NoError(t, err)
	require.EqualValues(t, 1500, m.Err.Info)

	w.set6(fd, IPV6_DSTOPTS, []byte{0, 0, 1, 4, 0, 0, 0, 0})
	refused("[2001:db8::1]:9", &Ancillary{DontFrag: ptr(true)})
	tells(0, to("2001:db8::1", 1492)) // less the extension headers
}

// A Packet Too Big lowers the path MTU of the datagrams that follow, and each setting has Linux's effect on them.
func TestDatagramsAfterPacketTooBig(t *testing.T) { // UDP6-005, UDP6-006, SOCK6-016, ICMP6-016, ICMP6-017
	w := newWire(t, dualStack)
	fd := w.udp6()
	w.set6(fd, IPV6_RECVERR, 1)
	sizes := func(n int) (list []int) {
		t.Helper()
		_, err := w.Send(fd, make([]byte, n), 0)
		if err != nil {
			require.Equal(t, syscall.EMSGSIZE, err)
			return nil
		}
		headers, _ := w.sent6()
		for _, h := range headers {
			list = append(list, h.TotalLen)
		}
		return list
	}
	_, err := w.Send(fd, make([]byte, 1452), 0)
	require.NoError(t, err)
	whole := w.sent[0]
	w.sent = nil
	w.error6(icmp.PacketTooBig, 0, 1279, whole[:1232])
	require.Equal(t, 1500, w.get(fd, IPPROTO_IPV6, IPV6_MTU))
	require.Equal(t, []int{1500}, sizes(1452))
	w.error6(icmp.PacketTooBig, 0, 1300, whole[:1232])
	w.error6(icmp.PacketTooBig, 0, 1400, whole[:1232])
	require.Equal(t, 1300, w.get(fd, IPPROTO_IPV6, IPV6_MTU))
	require.Equal(t, syscall.EMSGSIZE, w.soError(fd))
	_, m, err := w.RecvMsg(fd, make([]byte, 2000), MSG_ERRQUEUE)
	require.NoError(t, err)
	require.Equal(t, [3]uint32{uint32(syscall.EMSGSIZE), 3, 1300}, [3]uint32{m.Err.Errno, uint32(m.Err.Origin), m.Err.Info})
	_, m, err = w.RecvMsg(fd, make([]byte, 2000), MSG_ERRQUEUE)
	require.NoError(t, err)
	require.EqualValues(t, 1400, m.Err.Info, "it is told although it changes nothing, as on Linux")
	for _, c := range []struct {
		discover int
		want     []int
	}{
		{IPV6_PMTUDISC_WANT, []int{1296, 260}}, {IPV6_PMTUDISC_DONT, []int{1296, 260}}, {IPV6_PMTUDISC_OMIT, []int{1500}},
		{IPV6_PMTUDISC_DO, nil}, {IPV6_PMTUDISC_PROBE, []int{1500}}, {IPV6_PMTUDISC_INTERFACE, []int{1500}},
	} {
		w.set6(fd, IPV6_MTU_DISCOVER, c.discover)
		require.Equal(t, c.want, sizes(1452), "IPV6_MTU_DISCOVER %d", c.discover)
	}
}

// Whether a socket learns of a Packet Too Big depends on IPV6_MTU_DISCOVER and IPV6_RECVERR as on Linux.
func TestWhoLearnsOfPacketTooBig(t *testing.T) { // UDP6-006, SOCK6-016
	for discover, want := range map[int][2]bool{ // in the error queue, and without it as the pending error
		IPV6_PMTUDISC_DONT: {true, false}, IPV6_PMTUDISC_WANT: {true, true}, IPV6_PMTUDISC_DO: {true, true},
		IPV6_PMTUDISC_PROBE: {true, true}, IPV6_PMTUDISC_INTERFACE: {false, false}, IPV6_PMTUDISC_OMIT: {false, false},
	} {
		for i, recvErr := range []int{1, 0} {
			w := newWire(t, dualStack)
			fd := w.udp6()
			w.set6(fd, IPV6_MTU_DISCOVER, discover)
			w.set6(fd, IPV6_RECVERR, recvErr)
			_, err := w.Send(fd, make([]byte, 1452), 0)
			require.NoError(t, err)
			w.error6(icmp.PacketTooBig, 0, 1300, w.sent[0][:1232])
			require.Equal(t, want[i], w.soError(fd) == syscall.EMSGSIZE, "IPV6_MTU_DISCOVER %d, IPV6_RECVERR %d", discover, recvErr)
		}
	}
}
