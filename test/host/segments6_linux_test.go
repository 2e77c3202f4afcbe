package host

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/socketapi"
	"tunstack/tun"
)

// supers counts the IPv6 super-packets of each kind that cross a device.
type supers struct {
	header                       int // of the link, in bytes
	tcpIn, tcpOut, udpIn, udpOut atomic.Int64
}

func (s *supers) count(p *tun.Packet, tcp, udp *atomic.Int64) {
	switch b := p.Bytes(); {
	case len(b) <= s.header || b[s.header]>>4 != 6:
	case p.Offload.Segmentation == tun.SegmentTCP:
		tcp.Add(1)
	case p.Offload.Segmentation == tun.SegmentUDP:
		udp.Add(1)
	}
}

// Arrived, Handled and Sent implement tun.Observer.
func (s *supers) Arrived(_ int, p *tun.Packet) { s.count(p, &s.tcpIn, &s.udpIn) }
func (s *supers) Handled(int)                  {}
func (s *supers) Sent(p *tun.Packet)           { s.count(p, &s.tcpOut, &s.udpOut) }

// lab6 is a stack on a device with a record of what crosses it.
type lab6 struct {
	*socketapi.Stack
	supers
	features tun.Features
	wire     bool                    // the device itself has super-packets
	seen     func(filter string) int // counts packets on the wire
}

// eachSegmenting runs a test on each kind of device.
func eachSegmenting(t *testing.T, test func(t *testing.T, l *lab6)) {
	for _, v := range variants {
		if v.kind == tun.TAP && (!v.offload || v.driver == "water") {
			continue
		}
		t.Run(v.String(), func(t *testing.T) {
			dev := newDevice6(t, v)
			l := &lab6{features: dev.Features(), wire: v.offload && v.driver != "water"}
			if v.kind == tun.TAP {
				l.header = 14
			}
			l.Stack = onDevice6(t, socketapi.Config{Interfaces: []socketapi.Interface{{Device: tun.Observe(dev, &l.supers)}}})
			l.seen = watch(t, v, dev.Name())
			test(t, l)
		})
	}
}

// A bulk transfer over IPv6 crosses the device in super-packets where it has offloads, and the water driver joins what arrives; elsewhere no
// packet is larger than the MTU.
func TestTCPSegmentsOfIPv6(t *testing.T) {
	eachSegmenting(t, func(t *testing.T, s *lab6) {
		l, err := net.Listen("tcp6", "["+hostIP6+"]:0")
		require.NoError(t, err)
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err == nil {
				io.Copy(c, c)
				c.Close()
			}
		}()
		c, err := s.Dial("tcp6", l.Addr().String())
		require.NoError(t, err)
		require.NoError(t, echoed(c.(duplex), 1, 1<<20))
		larger := func(src string) int { return s.seen("tcp && ipv6.plen > 1460 && ipv6.src == " + src) }
		require.Equal(t, s.wire, larger(stackIP6) > 0, "super-packets of the stack on the wire")
		require.Equal(t, s.wire, larger(hostIP6) > 0, "super-packets of the kernel on the wire")
		offload := s.features.TSO > 0
		require.Equal(t, [2]bool{offload, offload}, [2]bool{s.tcpIn.Load() > 0, s.tcpOut.Load() > 0})
	})
}

const (
	segment = 1000 // UDP_SEGMENT
	sent    = 9500 // bytes in one send
)

// A send with UDP_SEGMENT, of the kernel or of the stack, arrives as datagrams. It crosses the device in one super-packet where that has USO.
func TestUDPSegmentsOfIPv6(t *testing.T) {
	eachSegmenting(t, func(t *testing.T, s *lab6) {
		ours, err := s.ListenPacket("udp6", "["+stackIP6+"]:9")
		require.NoError(t, err)
		defer ours.Close()
		theirs, err := net.ListenUDP("udp6", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("["+hostIP6+"]:9")))
		require.NoError(t, err)
		defer theirs.Close()
		raw, err := theirs.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			require.NoError(t, unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, segment))
		}))
		data, err := io.ReadAll(stream(2, sent))
		require.NoError(t, err)
		_, err = theirs.WriteTo(data, ours.LocalAddr())
		require.NoError(t, err)
		inSegments(t, data, ours)

		b := s.Berkeley()
		fd, err := b.Socket(socketapi.AF_INET6, socketapi.SOCK_DGRAM, 0)
		require.NoError(t, err)
		require.NoError(t, b.SetSockOpt(fd, socketapi.IPPROTO_UDP, socketapi.UDP_SEGMENT, segment))
		_, err = b.SendTo(fd, data, 0, theirs.LocalAddr().(*net.UDPAddr).AddrPort())
		require.NoError(t, err)
		inSegments(t, data, theirs)

		uso := s.features.USO > 0 // of the device, if the kernel has it: from Linux 6.2 on
		require.Equal(t, [2]bool{uso, uso}, [2]bool{s.udpIn.Load() == 1, s.udpOut.Load() == 1})
		for _, src := range []string{hostIP6, stackIP6} {
			from := fmt.Sprintf("udp.dstport == 9 && ipv6.src == %s && ipv6.plen == ", src)
			require.Equal(t, uso, s.seen(from+fmt.Sprint(8+sent)) == 1)
			if !uso {
				require.Equal(t, sent/segment, s.seen(from+fmt.Sprint(8+segment)))
			}
		}
	})
}

// inSegments requires the bytes of one send in datagrams.
func inSegments(t *testing.T, data []byte, in net.PacketConn) {
	t.Helper()
	require.NoError(t, in.SetReadDeadline(time.Now().Add(patience)))
	for at := 0; at < sent; at += segment {
		b := make([]byte, 2*segment)
		n, _, err := in.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, data[at:min(at+segment, sent)], b[:n])
	}
}
