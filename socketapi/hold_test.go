package socketapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
)

// Setting TCP_NODELAY, also when it is set already, sends the data that TCP_CORK and MSG_MORE hold back.
func TestNoDelaySendsHeldData(t *testing.T) { // SOCK-038, SOCK-039
	w := newWire(t)
	p := w.connected()
	w.set(p.fd, IPPROTO_TCP, TCP_CORK, 1)
	for range 2 {
		w.send(p.fd, "held")
		w.silent()
		w.set(p.fd, IPPROTO_TCP, TCP_NODELAY, 1)
		require.Equal(t, "held", string(w.one().Payload))
	}
	w.set(p.fd, IPPROTO_TCP, TCP_CORK, 0)
	n, err := w.Send(p.fd, []byte("more"), MSG_MORE)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	w.silent()
	w.set(p.fd, IPPROTO_TCP, TCP_NODELAY, 1)
	require.Equal(t, "more", string(w.one().Payload))
}

// TCP_QUICKACK reads 1 until the user replies to what arrives. Setting it sends a delayed acknowledgment at once.
func TestQuickAck(t *testing.T) { // TCP-087
	w := newWire(t)
	fd := w.socket(SOCK_STREAM, 0)
	require.Equal(t, 1, w.get(fd, IPPROTO_TCP, TCP_QUICKACK))
	p := w.connected()
	require.Equal(t, 1, w.get(p.fd, IPPROTO_TCP, TCP_QUICKACK))
	w.set(p.fd, IPPROTO_TCP, TCP_QUICKACK, 0)
	require.Equal(t, 0, w.get(p.fd, IPPROTO_TCP, TCP_QUICKACK))
	p.sends(tcp.ACK, "x")
	w.silent()
	w.set(p.fd, IPPROTO_TCP, TCP_QUICKACK, 1)
	require.Equal(t, tcp.ACK, w.one().Flags)
	p.sends(tcp.ACK, "y")
	require.Equal(t, tcp.ACK, w.one().Flags)
	w.set(p.fd, IPPROTO_TCP, TCP_QUICKACK, 0)
	p.sends(tcp.ACK, "z")
	w.send(p.fd, "reply")
	require.Equal(t, "reply", string(w.one().Payload))
	w.after(time.Second)
	require.Equal(t, 0, w.get(p.fd, IPPROTO_TCP, TCP_QUICKACK))
}
