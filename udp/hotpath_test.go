package udp

import (
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/ip"
)

// A datagram in, read, and answered costs no allocation, connected or not, with the checksum computed by the link or by the stack.
func TestNoAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for n := range 4 {
		h := newHostOn(t, 1500, packet.Features{Checksum: n%2 == 1})
		h.wire.Discard = true
		c := []struct{ peer, local, port, other string }{
			{"10.0.0.1:1000", "10.0.0.2:7", "0.0.0.0:7", "0.0.0.0:8"}, {"[2001:db8::1]:1000", "[2001:db8::2]:7", "[::]:7", "[::]:8"},
		}[n/2]
		e, connected := h.bound(c.port), h.bound(c.other)
		require.NoError(t, connected.Connect(ap(c.peer)))
		in := build(t, c.peer, c.local, "0123456789abcdef")
		b := make([]byte, 2000)
		echo := func() {
			h.tun.Input(0, packet.From(in))
			n, d, err := e.Recv(b, false)
			require.NoError(t, err)
			_, err = e.Send(b[:n], d.From, netip.Addr{})
			require.NoError(t, err)
			_, err = connected.Send(b[:n], netip.AddrPort{}, netip.Addr{})
			require.NoError(t, err)
		}
		require.Zero(t, testing.AllocsPerRun(1000, echo))
	}
}

// Sockets come, go, connect and change while packets and errors arrive by two queues and others send.
func TestConcurrent(t *testing.T) {
	h := newHost(t)
	h.wire.Discard = true
	e := h.bound("0.0.0.0:7")
	in := build(t, "10.0.0.1:1000", "10.0.0.2:7", "0123456789abcdef")
	const rounds = 2000
	var work sync.WaitGroup
	for q := range 2 {
		work.Go(func() {
			for range rounds {
				p := packet.From(in)
				p.Queue = uint16(q)
				h.tun.Input(0, p)
				h.advise(3, 3, "10.0.0.2:7", "10.0.0.1:1000")
			}
		})
		work.Go(func() {
			b := make([]byte, 100)
			for range rounds {
				if n, _, err := e.Recv(b, false); err == nil && n != 16 {
					t.Errorf("%d bytes", n)
				}
				_, _ = e.Send(b, ap("10.0.0.1:1000"), netip.Addr{})
				_, _ = e.Send(b, netip.AddrPort{}, netip.Addr{})
			}
		})
	}
	work.Go(func() {
		for i := range rounds / 10 {
			e.SetOptions(func(o *Options) { o.TOS = uint8(i) })
			_ = e.Connect(ap("10.0.0.1:1000"))
			_ = e.Connect(netip.AddrPort{})
			other := h.udp.NewSocket(ip.V4)
			_ = other.Connect(ap(fmt.Sprintf("10.0.0.1:%d", i+1)))
			_ = h.udp.Sockets()
			_ = other.Close()
		}
	})
	work.Wait()
	require.Len(t, h.udp.Sockets(), 1)
	require.NoError(t, e.Close())
	e.fails(t, syscall.EBADF)
	require.Zero(t, e.Used())
}

// BenchmarkEcho measures one received datagram and its answer, beside many other sockets.
func BenchmarkEcho(b *testing.B) {
	for _, others := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("sockets=%d", others+1), func(b *testing.B) {
			h := newHostOn(b, 1500, packet.Features{Checksum: true})
			h.wire.Discard = true
			e := h.bound("0.0.0.0:7")
			for range others {
				h.bound("0.0.0.0:0")
			}
			in := build(b, "10.0.0.1:1000", "10.0.0.2:7", "0123456789abcdef")
			buf := make([]byte, 2000)
			b.ReportAllocs()
			for b.Loop() {
				p := packet.From(in)
				p.Offload.Checksum = packet.ChecksumValid
				h.tun.Input(0, p)
				n, d, _ := e.Recv(buf, false)
				_, _ = e.Send(buf[:n], d.From, netip.Addr{})
			}
		})
	}
}

// BenchmarkConnected measures one datagram to one of n sockets that are connected from the same port, and its answer.
func BenchmarkConnected(b *testing.B) {
	for _, n := range []int{1, 4000} {
		b.Run(fmt.Sprintf("sockets=%d", n), func(b *testing.B) {
			h := newHostOn(b, 1500, packet.Features{Checksum: true})
			h.wire.Discard = true
			var e *Socket
			for i := range n {
				e = h.bound("0.0.0.0:443", func(o *Options) { o.ReuseAddr = true })
				require.NoError(b, e.Connect(ap(fmt.Sprintf("10.0.0.1:%d", 1000+i))))
			}
			in := build(b, fmt.Sprintf("10.0.0.1:%d", 1000+n/2), "10.0.0.2:443", "0123456789abcdef")
			e = h.udp.sockets.lookup(ap("10.0.0.2:443"), ap(fmt.Sprintf("10.0.0.1:%d", 1000+n/2)), nil)
			buf := make([]byte, 2000)
			b.ReportAllocs()
			for b.Loop() {
				p := packet.From(in)
				p.Offload.Checksum = packet.ChecksumValid
				h.tun.Input(0, p)
				m, _, _ := e.Recv(buf, false)
				_, _ = e.Send(buf[:m], netip.AddrPort{}, netip.Addr{})
			}
		})
	}
}
