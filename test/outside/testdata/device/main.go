// This program is a separate module. It implements a tun.Device with the exported types alone, and connects two stacks by it.
package main

import (
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"tunstack/link"
	"tunstack/socketapi"
	"tunstack/tun"
)

// cable is one end of a wire between two stacks, with one queue, which is itself.
type cable struct {
	name     string
	kind     tun.Kind
	features tun.Features
	in, out  chan crossing
	closed   chan struct{}
	close    func()
	arrived  *tun.Packet // what Wait received, until TryRead takes it
}

// crossing is a packet on the wire.
type crossing struct {
	data    []byte
	offload tun.Offload
}

// newCable returns the two ends.
func newCable(kind tun.Kind, features tun.Features) (a, b *cable) {
	there, back := make(chan crossing, 256), make(chan crossing, 256)
	end := func(name string, in, out chan crossing) *cable {
		c := &cable{name: name, kind: kind, features: features, in: in, out: out, closed: make(chan struct{})}
		c.close = sync.OnceFunc(func() { close(c.closed) })
		return c
	}
	return end("a", back, there), end("b", there, back)
}

func (c *cable) Name() string           { return c.name }
func (c *cable) Kind() tun.Kind         { return c.kind }
func (c *cable) MTU() int               { return tun.DefaultMTU }
func (c *cable) Features() tun.Features { return c.features }
func (c *cable) Queues() []tun.Queue    { return []tun.Queue{c} }

func (c *cable) Close() error {
	c.close()
	return nil
}

func (c *cable) TryRead() (*tun.Packet, error) {
	if p := c.arrived; p != nil {
		c.arrived = nil
		return p, nil
	}
	select {
	case <-c.closed:
		return nil, os.ErrClosed
	case x := <-c.in:
		return x.packet(), nil
	default:
		return nil, nil
	}
}

func (c *cable) Wait() error {
	if c.arrived != nil {
		return nil
	}
	select {
	case <-c.closed:
		return os.ErrClosed
	case x := <-c.in:
		c.arrived = x.packet()
		return nil
	}
}

func (c *cable) Write(p *tun.Packet) error {
	p = p.Own()
	defer p.Free()
	if p.Offload.Checksum != tun.ChecksumNone && !c.features.Checksum {
		return syscall.EINVAL // the sender has not read Features
	}
	select {
	case c.out <- crossing{append([]byte(nil), p.Bytes()...), p.Offload}:
		return nil
	default:
		return syscall.ENOBUFS
	}
}

func (x *crossing) packet() *tun.Packet {
	p := tun.NewPacket(len(x.data))
	copy(p.Extend(len(x.data)), x.data)
	p.Offload = x.offload
	return p
}

// observer is a tun.Observer.
type observer struct{}

func (observer) Arrived(queue int, p *tun.Packet) {}
func (observer) Handled(queue int)                {}
func (observer) Sent(p *tun.Packet)               {}

// handler is a link.Handler in place of the IP layer above a link.
type handler struct{ received chan string }

func (h handler) Input(now time.Duration, p *link.Packet)       { h.received <- string(p.Bytes()); p.Free() }
func (h handler) IsHost(a netip.Addr) bool                      { return a.IsGlobalUnicast() }
func (h handler) Source(p *link.Packet) netip.Addr              { return netip.Addr{} }
func (h handler) IsAnycast(a netip.Addr) bool                   { return false }
func (h handler) NotRouter(now time.Duration, a netip.Addr)     {}
func (h handler) Silent(now time.Duration, a netip.Addr)        {}
func (h handler) Unreachable(now time.Duration, p *link.Packet) { p.Free() }

func main() {
	for _, kind := range []tun.Kind{tun.TUN, tun.TAP} {
		for _, features := range []tun.Features{{}, {Checksum: true, TSO: 65535}} {
			echo(kind, features)
		}
	}
	links()
	fmt.Println("ok")
}

// echo sends a megabyte from one stack to the other and back.
func echo(kind tun.Kind, features tun.Features) {
	one, two := newCable(kind, features)
	client, server := stack(one, "10.0.0.1/24"), stack(tun.Observe(two, observer{}), "10.0.0.2/24")
	defer client.Close()
	defer server.Close()
	l, err := server.Listen("tcp", ":7")
	check(err)
	go func() {
		c, err := l.Accept()
		check(err)
		io.Copy(c, c)
		c.Close()
	}()
	c, err := client.Dial("tcp", "10.0.0.2:7")
	check(err)
	sent := make([]byte, 1<<20)
	go func() {
		c.Write(sent)
		c.(*socketapi.TCPConn).CloseWrite()
	}()
	back, err := io.ReadAll(c)
	check(err)
	if len(back) != len(sent) {
		log.Fatalf("%v: %d bytes came back of %d", kind, len(back), len(sent))
	}
}

func stack(d tun.Device, addr string) *socketapi.Stack {
	s, err := socketapi.New(socketapi.Config{Interfaces: []socketapi.Interface{{
		Device: d,
		Addrs:  []netip.Prefix{netip.MustParsePrefix(addr)},
		ACD:    link.ACD{ProbeNum: -1},
	}}})
	check(err)
	return s
}

// links uses package link without a stack.
func links() {
	one, two := newCable(tun.TUN, tun.Features{})
	h := handler{make(chan string, 1)}
	l := link.NewTun(one)
	l.SetHandler(h)
	check(l.Output(0, tun.PacketFrom([]byte("hello")), netip.Addr{}))
	check(two.Wait())
	p, err := two.TryRead()
	check(err)
	l.Input(0, p)
	if got := <-h.received; got != "hello" {
		log.Fatal("received ", got)
	}
	tap, _ := newCable(tun.TAP, tun.Features{})
	_, err = link.NewEthernet(link.Config{Device: tap, Timers: new(link.Timers)})
	check(err)
	link.NewLoopback(new(link.Timers)).SetHandler(h)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
