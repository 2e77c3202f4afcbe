package attack

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/tcp"
)

// requests is the number of the legitimate client's requests during an attack: seconds, or with TUNSTACK_LONG=1 a minute.
func requests() int {
	if os.Getenv("TUNSTACK_LONG") == "1" {
		return 5000
	}
	return 100
}

// segment is a TCP segment from src to a port of the stack.
func (f *field) segment(src netip.AddrPort, port uint16, s tcp.Segment) []byte {
	s.SrcPort, s.DstPort = src.Port(), port
	b := make([]byte, s.HeaderLen(), s.HeaderLen()+len(s.Payload))
	s.PutHeader(b)
	b = append(b, s.Payload...)
	checksum.Put(b[16:], ^checksum.Sum(b, checksum.Pseudo(src.Addr(), f.self, ip.ProtocolTCP, len(b))))
	return f.datagram(header{src: src.Addr(), protocol: ip.ProtocolTCP}, b)
}

// SYNs from one source or from everywhere, and ACKs that guess cookies, do not keep an honest client from being served.
func TestSYNFlood(t *testing.T) { // SEC-006, SEC-063, SEC-064
	for name, sources := range map[string]int{"one source": 1, "many sources": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			stop := f.flood(20000, func(i int) []byte {
				s := tcp.Segment{Flags: tcp.SYN, Seq: tcp.Seq(i), Wnd: 1000}
				if i%2 == 1 {
					s.Flags, s.Ack = tcp.ACK, tcp.Seq(rand.Uint32())
				}
				return f.segment(netip.AddrPortFrom(someone(i/2, sources), uint16(1024+i/2%60000)), echoPort, s)
			})
			f.honest(requests())
			t.Log(stop(), "segments sent")
			f.unharmed(name)
			require.Positive(t, f.counter("tcp.cookie.sent"))
		})
	}
}

// A connection whose peer splits the flight by SACK does not keep others from being served (CVE-2019-11478).
func TestSACKSplitting(t *testing.T) { // SEC-060
	for _, length := range []int{1, 1448} {
		t.Run(fmt.Sprint("blocks of ", length), func(t *testing.T) {
			f := newField(t)
			p := f.greedy()
			inFlight := p.end.Sub(p.ack)
			t.Log(inFlight, "bytes in flight")
			require.Greater(t, inFlight, 1<<20)
			stop := f.flood(10000, func(int) []byte {
				s := tcp.Segment{Flags: tcp.ACK, Seq: p.seq, Ack: p.ack, Wnd: 65535}
				s.Options.SackCount = 4
				for i := range 4 {
					start := p.ack.Add(rand.IntN(inFlight-length) / length * length)
					s.Options.Sack[i] = tcp.Range{Start: start, End: start.Add(length)}
				}
				return f.segment(p.addr, sourcePort, s)
			})
			f.honest(requests())
			t.Log(stop(), "ACKs sent")
			f.unharmed("SACK splitting")
		})
	}
}

// sourcePort is the port of a service that sends without end.
const sourcePort = 19

// greedy is a peer of that service that keeps megabytes in flight to itself.
type greedy struct {
	addr          netip.AddrPort
	seq, ack, end tcp.Seq // end is the end of the data sent
	packets       int     // a socket that receives copies of the stack's packets
}

// growth bounds the time in which the window of greedy grows. If the machine is busy, the delays look like a queue, and HyStart ends slow start.
const growth = 30 * time.Second

// greedy connects from an address without a host, so that no kernel answers. It acknowledges everything at once while that
// makes the window grow, and then nothing.
func (f *field) greedy() *greedy {
	l, err := f.stack.Listen("tcp", netip.AddrPortFrom(f.self, sourcePort).String())
	require.NoError(f.t, err)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		for data := make([]byte, 1<<20); err == nil; {
			_, err = c.Write(data)
		}
		c.Close()
	}()
	p := &greedy{addr: netip.AddrPortFrom(someone(1, 2), 1024), seq: 1, packets: f.listenToDevice()}
	f.inject(f.segment(p.addr, sourcePort, tcp.Segment{Flags: tcp.SYN, Wnd: 65535,
		Options: tcp.Options{MSS: 1460, SackPermitted: true, HasScale: true, Scale: 14}}))
	require.Eventually(f.t, func() bool { return p.look() > 0 }, patience, time.Millisecond)
	p.ack = p.end
	deadline := time.Now().Add(growth)
	for p.end.Sub(p.ack) < 4<<20 && time.Now().Before(deadline) {
		p.ack = p.end
		f.inject(f.segment(p.addr, sourcePort, tcp.Segment{Flags: tcp.ACK, Seq: p.seq, Ack: p.ack, Wnd: 65535}))
		for range 5 { // the path's delay
			time.Sleep(time.Millisecond)
			p.look()
		}
	}
	return p
}

// listenToDevice is a socket that receives copies of the IP packets on the stack's device.
func (f *field) listenToDevice() int {
	links, err := netlink.LinkList()
	require.NoError(f.t, err)
	const proto = unix.ETH_P_IP >> 8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { unix.Close(fd) })
	require.NoError(f.t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: proto, Ifindex: links[len(links)-1].Attrs().Index}))
	return fd
}

// look records the received segments and returns their number.
func (p *greedy) look() (n int) {
	b := make([]byte, 1<<17)
	for {
		size, _, err := unix.Recvfrom(p.packets, b, unix.MSG_DONTWAIT)
		if err != nil {
			return n
		}
		var s tcp.Segment
		if size < 40 || netip.AddrFrom4([4]byte(b[16:20])) != p.addr.Addr() || s.Parse(b[20:size]) != nil {
			continue
		}
		s.Payload = s.Payload[:max(min(len(s.Payload), int(binary.BigEndian.Uint16(b[2:]))-20-s.HeaderLen()), 0)]
		if end := s.End(); n == 0 && p.end == 0 || p.end.Less(end) {
			p.end = end
		}
		n++
	}
}
