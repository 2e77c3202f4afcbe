package socketapi

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// IP_LOCAL_PORT_RANGE bounds the choice of a port, for bind, connect and the first send.
func TestLocalPortRange(t *testing.T) { // SOCK-071
	h := alone(t)
	const low, high = 40000, 40001
	for _, typ := range []int{SOCK_STREAM, SOCK_DGRAM} {
		open := func() int {
			fd := h.socket(typ|SOCK_NONBLOCK, 0)
			h.set(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, high<<16|low)
			require.Equal(t, uint32(high<<16|low), uint32(h.get(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE)))
			return fd
		}
		for range 2 {
			fd := open()
			require.NoError(t, h.Bind(fd, ap("127.0.0.1:0")))
			require.Contains(t, []uint16{low, high}, h.name(fd).Port())
		}
		fd := open()
		require.Equal(t, syscall.EADDRINUSE, h.Bind(fd, ap("127.0.0.1:0")))
		require.NoError(t, h.Bind(fd, ap("127.0.0.1:30000")), "a port that is asked for may lie elsewhere")
		require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, low<<16|high))
	}
	fd := h.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	h.set(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, 50000<<16|50000)
	_ = h.Connect(fd, ap("127.0.0.1:9"))
	require.Equal(t, uint16(50000), h.name(fd).Port())
}

// IP_BIND_ADDRESS_NO_PORT leaves the port to connect, listen or the first send.
func TestBindAddressNoPort(t *testing.T) { // SOCK-071
	h := alone(t)
	open := func(typ int) int {
		fd := h.socket(typ|SOCK_NONBLOCK, 0)
		h.set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
		require.NoError(t, h.Bind(fd, ap("127.0.0.5:0")))
		require.Equal(t, ap("127.0.0.5:0"), h.name(fd))
		return fd
	}
	for _, typ := range []int{SOCK_STREAM, SOCK_DGRAM} {
		fd := open(typ)
		_ = h.Connect(fd, ap("127.0.0.1:9"))
		require.Equal(t, "127.0.0.5", h.name(fd).Addr().String())
		require.NotZero(t, h.name(fd).Port())
	}
	fd := open(SOCK_STREAM)
	require.NoError(t, h.Listen(fd, 1))
	require.NotZero(t, h.name(fd).Port())
	fd = open(SOCK_DGRAM)
	_, err := h.SendTo(fd, nil, 0, ap("127.0.0.1:9"))
	require.NoError(t, err)
	require.NotZero(t, h.name(fd).Port())
}

// IP_RETOPTS turns the options of a received datagram into those of an answer.
func TestReturnOptions(t *testing.T) { // SOCK-071
	var clk VirtualClock
	a, b := pair(t, &clk)
	sender, fd := a.socket(SOCK_DGRAM, 0), b.bound(SOCK_DGRAM, "10.0.0.2:7")
	a.set(sender, IPPROTO_IP, IP_OPTIONS, []byte{7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // Record Route
	for on := range 2 {
		b.set(fd, IPPROTO_IP, IP_RETOPTS, on)
		_, err := a.SendTo(sender, []byte("x"), 0, ap("10.0.0.2:7"))
		require.NoError(t, err)
		rest(0, a, b)
		_, m, err := b.RecvMsg(fd, make([]byte, 1), 0)
		require.NoError(t, err)
		require.Equal(t, byte(7), m.Options[0])
		if on == 0 {
			require.Empty(t, m.ReturnOptions)
			continue
		}
		require.Equal(t, addrB.AsSlice(), m.ReturnOptions[3:7], "with this host added")
	}
}

// With IP_FREEBIND or IPV6_FREEBIND a socket is bound to an address before the stack has it, and never sends from another one. Over IPv4 it
// sends as soon as the stack has the address, over IPv6 at once, as on Linux.
func TestFreeBind(t *testing.T) { // SOCK-071
	for _, c := range []struct {
		domain, level, name int
		peer, own           string
		early               []error // of connect, for SOCK_DGRAM and SOCK_STREAM, before the stack has the address
	}{
		{AF_INET, IPPROTO_IP, IP_FREEBIND, "10.0.0.1:7", "10.0.0.9:7", []error{syscall.ENETUNREACH, syscall.ENETUNREACH}},
		{AF_INET6, IPPROTO_IPV6, IPV6_FREEBIND, "[2001:db8::1]:7", "[2001:db8::9]:7", []error{nil, syscall.EINPROGRESS}},
	} {
		w := newWire(t, dualStack)
		for n, typ := range []int{SOCK_DGRAM, SOCK_STREAM} {
			fd, err := w.Socket(c.domain, typ|SOCK_NONBLOCK, 0)
			require.NoError(t, err)
			require.Equal(t, syscall.EADDRNOTAVAIL, w.Bind(fd, ap(c.own)))
			w.set(fd, c.level, c.name, 1)
			require.NoError(t, w.Bind(fd, ap(c.own)))
			require.Equal(t, c.early[n], w.Connect(fd, ap(c.peer)))
			if typ == SOCK_DGRAM {
				_, err = w.SendTo(fd, nil, 0, ap(c.peer))
				require.Equal(t, c.early[n], err)
			}
			w.from(c.own, c.domain == AF_INET6)

			own := netip.PrefixFrom(ap(c.own).Addr(), 24)
			require.NoError(t, w.AddAddress(t.Context(), "link0", own))
			w.sent = nil // of discovery
			if typ == SOCK_DGRAM {
				_, err = w.SendTo(fd, nil, 0, ap(c.peer))
				require.NoError(t, err)
				w.from(c.own, true)
			} else if c.domain == AF_INET {
				require.Equal(t, syscall.EINPROGRESS, w.Connect(fd, ap(c.peer)))
				w.from(c.own, true)
			}
			require.NoError(t, w.RemoveAddress("link0", own.Addr()))
			w.sent = nil
		}
	}
}

// from requires that one packet was sent, with a source address, or none, and forgets it.
func (w *wire) from(src string, sent bool) {
	w.t.Helper()
	require.Len(w.t, w.sent, bit(sent))
	if sent {
		require.Contains(w.t, string(w.sent[0]), string(ap(src).Addr().AsSlice()))
	}
	w.sent = nil
}

// With IPV6_FREEBIND a control message chooses a source that the stack does not have, but no group.
func TestForeignSource(t *testing.T) {
	w := newWire(t, dualStack)
	fd, err := w.Socket(AF_INET6, SOCK_DGRAM|SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	send := func(src string) error {
		_, err := w.SendMsg(fd, []byte("x"), Message{Addr: ap("[2001:db8::1]:7"), Local: netip.MustParseAddr(src)}, 0)
		return err
	}
	require.Equal(t, syscall.EINVAL, send("2001:db8:9::9"))
	w.set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
	require.NoError(t, send("2001:db8:9::9"))
	w.from("[2001:db8:9::9]:0", true)
	require.Equal(t, syscall.EADDRNOTAVAIL, send("ff05::9"), "Linux sends from a group's address; RFC 4291 section 2.7 forbids it")
	require.Empty(t, w.sent)
}
