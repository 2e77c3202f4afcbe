package socketapi

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/tcp"
)

// lsrr is a loose source route with its pointer at one of its addresses or past the last.
func lsrr(pointer byte, addrs ...string) []byte {
	b := []byte{131, byte(3 + 4*len(addrs)), pointer}
	for _, a := range addrs {
		b = append(b, netip.MustParseAddr(a).AsSlice()...)
	}
	return append(b, 0)
}

func acceptSourceRouted(cfg *Config) { cfg.IPv4.AcceptSourceRouted = true }

// recvRouted is recv of a segment that came with IP options.
func (w *wire) recvRouted(options []byte, s tcp.Segment) {
	w.inject(ipPacket(addrA, addrB, ip.ProtocolTCP, options, segment(addrA, addrB, s)))
}

func TestSourceRouteOfAnActiveOpen(t *testing.T) { // TCP-115, TCP-116
	w := newWire(t, acceptSourceRouted)
	fd := w.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	w.set(fd, IPPROTO_IP, IP_OPTIONS, lsrr(4, "10.0.0.7", "10.0.0.8")[:11])
	require.Equal(t, syscall.EINPROGRESS, w.Connect(fd, ap("10.0.0.1:9")))
	syn := w.one()
	routed := func(f frame) {
		require.Equal(t, netip.MustParseAddr("10.0.0.7"), f.ip.Dst)
		require.Equal(t, lsrr(4, "10.0.0.8", "10.0.0.1"), f.ip.Options)
	}
	routed(syn)
	s := tcp.Segment{SrcPort: 9, DstPort: syn.SrcPort, Flags: tcp.SYN | tcp.ACK, Seq: 5000, Ack: syn.Seq + 1, Wnd: 65535, Options: tcp.Options{MSS: 1460}}
	w.recvRouted(lsrr(12, "10.0.0.5", "10.0.0.6"), s)
	routed(w.one())
	w.send(fd, string(make([]byte, 1500)))
	for _, f := range w.take() {
		routed(f)
		require.LessOrEqual(t, int(f.ip.TotalLen), 1500)
	}
}

func TestSourceRouteOfAPassiveOpen(t *testing.T) { // TCP-117, TCP-118
	w := newWire(t, acceptSourceRouted)
	fd := w.listen("0.0.0.0:7")
	s := tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000, Options: tcp.Options{MSS: 1460}}
	w.recvRouted(lsrr(12, "10.0.0.8", "10.0.0.9"), s)
	syn := w.one()
	require.Equal(t, netip.MustParseAddr("10.0.0.9"), syn.ip.Dst)
	require.Equal(t, lsrr(4, "10.0.0.8", "10.0.0.1"), syn.ip.Options)

	s = tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: tcp.ACK, Seq: 6, Ack: syn.Seq + 1, Wnd: 1000}
	w.recv(s)
	server, _, err := w.Accept(fd)
	require.NoError(t, err)
	w.send(server, "by the saved route")
	f := w.one()
	require.Equal(t, netip.MustParseAddr("10.0.0.9"), f.ip.Dst)

	s.Ack = f.End()
	w.recvRouted(lsrr(8, "10.0.0.5"), s)
	w.send(server, "by the later one")
	f = w.one()
	require.Equal(t, netip.MustParseAddr("10.0.0.5"), f.ip.Dst)
	require.Equal(t, lsrr(4, "10.0.0.1"), f.ip.Options)
}
