package dhcp

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"tunstack/socketapi"
)

// machine is a state machine that a loop drives.
type machine interface {
	Next() time.Duration
	Expire(now time.Duration)
}

// loop is the goroutine that alone calls a machine, and what the machine's host needs of the stack.
type loop struct {
	stack  *socketapi.Stack
	device string

	calls   chan func(now time.Duration)
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	info    Info
	closers []func()
}

func newLoop(stack *socketapi.Stack, device string) *loop {
	l := &loop{stack: stack, device: device, calls: make(chan func(time.Duration))}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// run calls the machine when it is due, and the posted functions, until stop.
func (l *loop) run(m machine) {
	const long = time.Hour
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case f := <-l.calls:
			f(l.stack.Now())
		case <-due.C:
			if now := l.stack.Now(); now >= m.Next() {
				m.Expire(now)
			}
		}
		due.Reset(min(max(m.Next()-l.stack.Now(), 0), long))
	}
}

// post lets the loop call f. It returns when the loop has taken f, or has ended.
func (l *loop) post(f func(now time.Duration)) {
	select {
	case l.calls <- f:
	case <-l.ctx.Done():
	}
}

// call is post that waits for the end of f.
func (l *loop) call(f func(now time.Duration)) {
	done := make(chan struct{})
	l.post(func(now time.Duration) {
		defer close(done)
		f(now)
	})
	select {
	case <-done:
	case <-l.ctx.Done():
	}
}

func (l *loop) onStop(f func()) { l.closers = append(l.closers, f) }

// stop ends the goroutines.
func (l *loop) stop() {
	l.cancel()
	l.mu.Lock()
	closers := l.closers
	l.closers = nil
	l.mu.Unlock()
	for _, f := range closers {
		f()
	}
	l.running.Wait()
}

// listen opens a socket of the interface.
func (l *loop) listen(network, address string) (*socketapi.PacketConn, error) {
	p, err := l.stack.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	conn := p.(*socketapi.PacketConn)
	l.onStop(func() { conn.Close() })
	return conn, l.stack.Berkeley().SetSockOpt(conn.Descriptor(), socketapi.SOL_SOCKET, socketapi.SO_BINDTODEVICE, l.device)
}

// setNames tells the stack's resolver the name servers of a lease.
func (l *loop) setNames(source socketapi.NameSource, servers []netip.Addr, search []string) {
	n := socketapi.NameServers{Source: source, Interface: l.device, Search: search}
	for _, a := range servers {
		if a.Is6() && a.IsLinkLocalUnicast() {
			a = a.WithZone(l.device)
		}
		n.Servers = append(n.Servers, netip.AddrPortFrom(a, 0))
	}
	l.stack.SetNameServers(n)
}

// receive gives the datagrams of a socket to input, in the loop, until the socket is closed.
func (l *loop) receive(conn net.PacketConn, input func(now time.Duration, b []byte)) {
	b := make([]byte, maxDatagram)
	for {
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			return // the socket is closed: errors of the network do not reach one that is not connected
		}
		l.call(func(now time.Duration) { input(now, b[:n]) })
	}
}

// maxDatagram is the largest payload of a UDP datagram.
const maxDatagram = 65535

// mtu is the largest datagram of the interface in bytes.
func (l *loop) mtu() int {
	for _, i := range l.stack.Interfaces() {
		if i.Name == l.device {
			return i.MTU
		}
	}
	return 0
}
