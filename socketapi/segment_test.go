package socketapi

import (
	"bytes"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
)

// UDP_SEGMENT cuts a send into datagrams, each with its own headers and checksum, in both families. The errors are Linux's.
func TestUDPSegment(t *testing.T) {
	for _, to := range []netip.AddrPort{netip.AddrPortFrom(addrA, 9), netip.AddrPortFrom(addrA6, 9)} {
		w := newWire(t, dualStack)
		fd := w.socket6(SOCK_DGRAM, 0)
		require.Equal(t, syscall.EINVAL, w.SetSockOpt(fd, IPPROTO_UDP, UDP_SEGMENT, -1))
		require.Equal(t, syscall.EINVAL, w.SetSockOpt(fd, IPPROTO_UDP, UDP_SEGMENT, 65536))
		w.set(fd, IPPROTO_UDP, UDP_SEGMENT, 1000)
		require.Equal(t, 1000, w.get(fd, IPPROTO_UDP, UDP_SEGMENT))
		data := bytes.Repeat([]byte("0123456789abc"), 270)[:3500]
		send := func(n int, a *Ancillary) (sizes []int, err error) {
			t.Helper()
			sent, err := w.SendMsg(fd, data[:n], Message{Addr: to, Ancillary: a}, 0)
			var got []byte
			for _, b := range w.sent {
				payload := w.udpPayload(b)
				sizes, got = append(sizes, len(payload)), append(got, payload...)
			}
			w.sent = nil
			if err == nil {
				require.Equal(t, n, sent)
				require.Equal(t, string(data[:n]), string(got))
			}
			return sizes, err
		}
		for n, want := range map[int][]int{0: {0}, 999: {999}, 1000: {1000}, 1001: {1000, 1}, 3500: {1000, 1000, 1000, 500}} {
			sizes, err := send(n, nil)
			require.NoError(t, err)
			require.Equal(t, want, sizes)
		}
		sizes, err := send(3500, &Ancillary{Segment: ptr(uint16(1200))})
		require.NoError(t, err)
		require.Equal(t, []int{1200, 1200, 1100}, sizes)
		_, err = send(129, &Ancillary{Segment: ptr(uint16(1))})
		require.Equal(t, syscall.EINVAL, err)
		sizes, err = send(128, &Ancillary{Segment: ptr(uint16(1))})
		require.NoError(t, err)
		require.Len(t, sizes, 128)
		_, err = send(3500, &Ancillary{Segment: ptr(uint16(1473))})
		require.Equal(t, syscall.EMSGSIZE, err)
		w.set(fd, SOL_SOCKET, SO_NO_CHECK, 1)
		w.set(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)
		_, err = send(3500, nil)
		require.Equal(t, syscall.EINVAL, err)
	}
}

// udpPayload returns the payload of a UDP datagram that was sent, whose checksum it verifies.
func (w *wire) udpPayload(b []byte) []byte {
	w.t.Helper()
	var d ip.Datagram
	if b[0]>>4 == 4 {
		var h ipv4.Header
		require.True(w.t, h.Parse(b))
		d = h.Datagram
	} else {
		var h ipv6.Header
		require.True(w.t, h.Parse(b))
		d = h.Datagram
	}
	require.Equal(w.t, len(b), d.TotalLen)
	body := b[d.HeaderLen:]
	require.Equal(w.t, uint16(0xffff), checksum.Sum(body, checksum.Pseudo(d.Src, d.Dst, ip.ProtocolUDP, len(body))))
	return body[8:]
}
