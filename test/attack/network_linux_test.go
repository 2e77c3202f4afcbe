package attack

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"tunstack/internal/checksum"
	"tunstack/ip"
)

// header describes an attacker's IPv4 datagram.
type header struct {
	src      netip.Addr
	id       int
	offset   int // in bytes
	more     bool
	protocol byte
	options  []byte // in units of 4 bytes
}

func (f *field) datagram(h header, payload []byte) []byte {
	n := 20 + len(h.options)
	b := make([]byte, n, n+len(payload))
	b[0], b[8], b[9] = byte(4<<4|n/4), 64, h.protocol
	binary.BigEndian.PutUint16(b[2:], uint16(n+len(payload)))
	binary.BigEndian.PutUint16(b[4:], uint16(h.id))
	fragment := uint16(h.offset / 8)
	if h.more {
		fragment |= 0x2000
	}
	binary.BigEndian.PutUint16(b[6:], fragment)
	copy(b[12:], h.src.AsSlice())
	copy(b[16:], f.self.AsSlice())
	copy(b[20:], h.options)
	return append(b, payload...)
}

// udp is a UDP datagram without a checksum.
func udp(src, dst int, payload []byte) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, uint16(src))
	binary.BigEndian.PutUint16(b[2:], uint16(dst))
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return append(b, payload...)
}

// someone is one of n forged sources.
func someone(i, n int) netip.Addr {
	i %= n
	return netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})
}

// Fragments of datagrams that never become whole do not evict honest datagrams, even if their fragments arrive slowly.
func TestFragmentFlood(t *testing.T) { // SEC-013
	for name, sources := range map[string]int{"three sources": 3, "many sources": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			stop := f.flood(20000, func(i int) []byte {
				return f.datagram(header{src: someone(i, sources), id: i / 3, offset: 65480, protocol: ip.ProtocolUDP}, make([]byte, 28))
			})
			f.honest(100)
			require.Equal(t, 15, f.slowDatagrams(15))
			t.Log(stop(), "fragments sent")
			f.unharmed(name)
			require.Positive(t, f.counter("ip.drop.reassembly_full"))
		})
	}
}

// slowDatagrams sends datagrams with 10 ms between their fragments, and returns the number answered.
func (f *field) slowDatagrams(n int) (answered int) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: f.host.AsSlice()})
	require.NoError(f.t, err)
	defer c.Close()
	whole := udp(c.LocalAddr().(*net.UDPAddr).Port, echoPort, make([]byte, 3000))
	for id := 1; id <= n; id++ {
		for at := 0; at < len(whole); at += 1480 {
			end := min(at+1480, len(whole))
			f.inject(f.datagram(header{src: f.host, id: id, offset: at, more: end < len(whole), protocol: ip.ProtocolUDP}, whole[at:end]))
			time.Sleep(10 * time.Millisecond) // time for the attack
		}
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1<<16)); err == nil {
			answered++
		}
	}
	return answered
}

// SYNs with a source route back through the attacker open nothing.
func TestSourceRoutedSYNs(t *testing.T) { // SEC-018
	f := newField(t)
	stop := f.flood(10000, func(i int) []byte {
		syn := make([]byte, 20)
		binary.BigEndian.PutUint16(syn, uint16(i))
		syn[3], syn[12], syn[13], syn[14] = echoPort, 5<<4, 2, 255
		src := someone(i, 1<<20)
		checksum.Put(syn[16:], ^checksum.Sum(syn, checksum.Pseudo(src, f.self, ip.ProtocolTCP, len(syn))))
		route := append([]byte{131, 7, 8}, f.host.AsSlice()...)
		return f.datagram(header{src: src, protocol: ip.ProtocolTCP, options: append(route, 0)}, syn)
	})
	f.honest(100)
	stop()
	f.unharmed("source routes")
	require.Positive(t, f.counter("ipv4.drop.source_routed"))
	require.LessOrEqual(t, f.counter("tcp.open.passive"), 100)
}

// A Fragmentation Needed about a datagram that the stack never sent changes no path MTU.
func TestForgedFragmentationNeeded(t *testing.T) { // SEC-010
	f := newField(t)
	stop := f.flood(10000, func(i int) []byte {
		quote := f.datagram(header{src: f.self, protocol: ip.ProtocolICMP}, append([]byte{8, 0, 0, 0}, make([]byte, 24)...))
		copy(quote[16:], someone(i, 1<<20).AsSlice())
		quote[6] = 0x40 // DF
		b := append([]byte{3, 4, 0, 0, 0, 0, 2, 64}, quote...)
		checksum.Put(b[2:], ^checksum.Sum(b, 0))
		return f.datagram(header{src: f.host, protocol: ip.ProtocolICMP}, b)
	})
	f.honest(100)
	stop()
	f.unharmed("fragmentation needed")
	require.Positive(t, f.counter("ip.icmp.ignored"))
	require.Zero(t, f.counter("ip.pmtu.lowered"))
}

// The limit on ICMP errors does not show whether one of 50 ports is open.
func TestPortOracle(t *testing.T) { // ICMP-023
	const batches, ports, first = 40, 50, 20000
	f := newField(t)
	open, err := f.stack.ListenPacket("udp", netip.AddrPortFrom(f.self, first+17).String())
	require.NoError(t, err)
	defer open.Close()
	f.ownAll(netip.MustParsePrefix("10.7.0.0/16"))
	right := 0
	for batch := range batches {
		isOpen := batch%2 == 0
		from := &net.UDPAddr{IP: net.IPv4(10, 7, 0, byte(1+batch))} // a new source each time, so that no limit per peer matters
		c, err := net.DialUDP("udp", from, &net.UDPAddr{IP: f.self.AsSlice(), Port: first - 1})
		require.NoError(t, err)
		for i := range ports {
			port := first + i
			if !isOpen {
				port += 100
			}
			f.inject(f.datagram(header{src: someone(batch*ports+i, 1<<20), protocol: ip.ProtocolUDP}, udp(9, port, nil)))
		}
		if refused(t, c) == isOpen {
			right++
		}
		c.Close()
		time.Sleep(100 * time.Millisecond) // until the bucket is full again: the attacker waits
	}
	t.Logf("%d of %d batches judged right", right, batches)
	require.InDelta(t, batches/2, right, 13) // four standard deviations of guessing
}

// ownAll adds all addresses of a network to the kernel.
func (f *field) ownAll(network netip.Prefix) {
	lo, err := netlink.LinkByName("lo")
	require.NoError(f.t, err)
	require.NoError(f.t, netlink.RouteAdd(&netlink.Route{
		LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
		Dst: &net.IPNet{IP: network.Addr().AsSlice(), Mask: net.CIDRMask(network.Bits(), 32)},
	}))
}

// refused sends to a closed port and reports whether an error arrives.
func refused(t *testing.T, c net.Conn) bool {
	_, err := c.Write(nil)
	require.NoError(t, err)
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, err = c.Read(make([]byte, 1))
	return errors.Is(err, unix.ECONNREFUSED)
}
