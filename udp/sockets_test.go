package udp

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A connected socket receives its peer's datagrams, however many others share the port; the unconnected socket receives the others.
func TestConnectedSocketsOfOnePort(t *testing.T) { // SOCK-037
	const n = 500
	h := newHost(t)
	reuse := func(o *Options) { o.ReuseAddr = true }
	wild := h.bound("0.0.0.0:443", reuse)
	connected := make([]*Socket, n)
	for i := range connected {
		connected[i] = h.bound("0.0.0.0:443", reuse)
		require.NoError(t, connected[i].Connect(ap(fmt.Sprintf("10.0.0.1:%d", 1000+i))))
	}
	require.Equal(t, entry{unconnected: []*Socket{wild}, connected: n}, h.udp.sockets.on(443))
	require.Len(t, h.udp.Sockets(), n+1)
	for i, e := range connected {
		h.receive(fmt.Sprintf("10.0.0.1:%d", 1000+i), "10.0.0.2:443", fmt.Sprint(i))
		e.reads(t, fmt.Sprint(i))
	}
	h.receive("10.0.0.1:999", "10.0.0.2:443", "another port")
	wild.reads(t, "another port")
	h.receive("10.0.0.1:1000", "10.0.0.3:443", "another own address")
	wild.reads(t, "another own address")

	require.NoError(t, connected[0].Connect(netip.AddrPort{}))
	h.receive("10.0.0.1:1000", "10.0.0.2:443", "dissolved")
	connected[0].reads(t, "dissolved")
	for _, e := range connected {
		require.NoError(t, e.Close())
	}
	require.Equal(t, entry{unconnected: []*Socket{wild}}, h.udp.sockets.on(443))
	require.NoError(t, wild.Close())
	require.Equal(t, entry{}, h.udp.sockets.on(443))
	for i := range h.udp.sockets.connected {
		require.Nil(t, h.udp.sockets.connected[i].lists)
	}
	wild.fails(t, syscall.EBADF)
}
