package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"tunstack/internal/poll"
	"tunstack/internal/ports"
	"tunstack/ip"
	"tunstack/ip/dgram"
	"tunstack/ip/errqueue"
)

// Endpoint is one UDP socket. No method blocks: EAGAIN, and Waiters. All are safe for concurrent use.
type Endpoint struct {
	stack *Stack
	inbox dgram.Inbox
	cork  dgram.Cork
	state atomic.Pointer[state]
	queue atomic.Uint32 // the device queue that the last datagram came by

	groups dgram.Groups
	mu     sync.Mutex // for those who replace the state
	closed bool
}

// state is what packets need to know of a socket. It is never changed, only replaced, so they read it without a lock.
type state struct {
	options     Options
	bound       netip.Addr     // as Bind was told it; the wildcard without Bind
	local       netip.AddrPort // bound, or while connected the address that the route chose; port 0: not bound
	remote      netip.AddrPort // the zero AddrPort: not connected
	route       *ip.Route      // to remote
	reservation ports.Reservation
	ephemeral   bool // the port was not asked for: disconnecting gives it up
	headers     dgram.Headers
}

var wildcard = netip.IPv4Unspecified()

// NewEndpoint returns an unbound socket.
func (s *Stack) NewEndpoint() *Endpoint {
	e := &Endpoint{stack: s}
	st := &state{bound: wildcard, local: netip.AddrPortFrom(wildcard, 0)}
	st.options.Options = dgram.Defaults()
	st.headers = st.options.Headers(ip.ProtocolUDP)
	e.state.Store(st)
	return e
}

// change replaces the state by one that f has made of it, unless f fails.
func (e *Endpoint) change(f func(*state) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return syscall.EBADF
	}
	old := e.state.Load()
	next := *old
	if err := f(&next); err != nil {
		return err
	}
	next.headers = next.options.Headers(ip.ProtocolUDP)
	e.state.Store(&next)
	e.moved(old, &next)
	return nil
}

// moved lists the socket under its new state, in place of the old one.
func (e *Endpoint) moved(old, next *state) {
	listed := !old.connected() && !next.connected() && old.local.Port() == next.local.Port() // under its port, and stays there
	if listed || old.local == next.local && old.remote == next.remote {
		return
	}
	e.stack.sockets.add(e, next)
	e.stack.sockets.remove(e, old)
}

// Bind gives the socket its address. Errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL when already bound. Port 0 picks a free
// one; a zero Addr is the wildcard. A broadcast or multicast address receives only what is sent to it.
func (e *Endpoint) Bind(local netip.AddrPort) error {
	addr := local.Addr()
	if !addr.IsValid() {
		addr = wildcard
	}
	if err := dgram.Bindable(e.stack.ip, addr); err != nil {
		return err
	}
	return e.change(func(st *state) error {
		if st.local.Port() != 0 {
			return syscall.EINVAL
		}
		st.bound = addr
		if local.Port() == 0 && st.options.NoPort {
			st.local = netip.AddrPortFrom(addr, 0)
			return nil
		}
		return e.reserve(st, local.Port())
	})
}

// reserve takes a port at the bound address.
func (e *Endpoint) reserve(st *state, port uint16) error {
	var f ports.Flags
	if st.options.ReuseAddr {
		f |= ports.ReuseAddr
	}
	if st.options.ReusePort {
		f |= ports.ReusePort
	}
	r, err := e.stack.ports.Within(st.options.Ports).Bind(netip.AddrPortFrom(st.bound, port), f)
	if err != nil {
		return err
	}
	st.reservation = r
	st.local = netip.AddrPortFrom(st.bound, r.Port())
	return nil
}

// Autobind gives a socket without a port an ephemeral one. Errors: EADDRINUSE.
func (e *Endpoint) Autobind() error {
	_, err := e.ensureBound()
	return err
}

// ensureBound gives a socket without a port an ephemeral one and returns its state.
func (e *Endpoint) ensureBound() (*state, error) {
	if st := e.state.Load(); st.local.Port() != 0 {
		return st, nil
	}
	err := e.change(func(st *state) error {
		if st.local.Port() != 0 {
			return nil
		}
		st.ephemeral = true
		return e.reserve(st, 0)
	})
	return e.state.Load(), err
}

// Connect sets the default peer, from which alone the socket then receives; the zero AddrPort removes it. A peer with port 0 is the
// host, whatever the port: so programs ask for the route's source address. Errors: ENETUNREACH,
// EACCES for broadcast without SO_BROADCAST.
func (e *Endpoint) Connect(remote netip.AddrPort) error {
	if remote == (netip.AddrPort{}) {
		return e.change(e.disconnect)
	}
	if _, err := e.ensureBound(); err != nil {
		return err
	}
	return e.change(func(st *state) error {
		route, err := st.options.Route(e.stack.ip, remote.Addr(), netip.Addr{}, st.local.Addr())
		if err != nil {
			return err
		}
		st.remote, st.route = netip.AddrPortFrom(route.Dst, remote.Port()), route
		if st.bound == wildcard {
			st.local = netip.AddrPortFrom(route.Src, st.local.Port())
		}
		return nil
	})
}

func (e *Endpoint) disconnect(st *state) error {
	st.remote, st.route = netip.AddrPort{}, nil
	st.local = netip.AddrPortFrom(st.bound, st.local.Port())
	if st.ephemeral {
		e.stack.ports.Release(st.reservation)
		st.reservation, st.ephemeral = ports.Reservation{}, false
		st.local = netip.AddrPortFrom(st.bound, 0)
	}
	return nil
}

// Close frees the port and what waits. It returns EBADF the second time.
func (e *Endpoint) Close() error {
	if err := e.inbox.Close(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	st := e.state.Load()
	e.stack.sockets.remove(e, st)
	e.stack.ports.Release(st.reservation)
	e.groups.Close(e.stack.ip)
	return nil
}

// Shutdown ends receiving once the queue is empty, sending, or both. On a socket that is not connected it
// returns ENOTCONN and still does so, as on Linux.
func (e *Endpoint) Shutdown(read, write bool) error {
	e.inbox.Shutdown(read, write)
	if !e.state.Load().remote.IsValid() {
		return syscall.ENOTCONN
	}
	return nil
}

// Recv copies the first waiting datagram to b. Errors: EAGAIN, and once a pending error. After Shutdown of reading: (0, _, nil).
func (e *Endpoint) Recv(b []byte, peek bool) (int, Datagram, error) { return e.inbox.Recv(b, peek) }

// Local is the own address; a zero Port before Bind.
func (e *Endpoint) Local() netip.AddrPort { return e.state.Load().local }

// Remote is the connected peer; false without one, and while its port is 0.
func (e *Endpoint) Remote() (netip.AddrPort, bool) {
	remote := e.state.Load().remote
	return remote, remote.IsValid() && remote.Port() != 0
}

// Ready is what the socket can do now.
func (e *Endpoint) Ready() poll.Mask { return e.inbox.Ready() }

// Waiters are told whenever Ready gains an event.
func (e *Endpoint) Waiters() *poll.WaitList { return e.inbox.Waiters() }

// TakeError returns and clears the pending error (SO_ERROR).
func (e *Endpoint) TakeError() error { return e.inbox.TakeError() }

// RecvError removes the oldest entry of the error queue (MSG_ERRQUEUE). Errors: EAGAIN.
func (e *Endpoint) RecvError() (errqueue.Error, error) { return e.inbox.RecvError() }

// SetPeekOffset sets SO_PEEK_OFF, where peeks begin; below 0 turns it off.
func (e *Endpoint) SetPeekOffset(n int) { e.inbox.SetPeekOffset(n) }

// PeekOffset is SO_PEEK_OFF; -1 when it is off.
func (e *Endpoint) PeekOffset() int { return e.inbox.PeekOffset() }

// Buffered is the size of the first waiting datagram (FIONREAD).
func (e *Endpoint) Buffered() int { return e.inbox.Buffered() }

// PathMTU is the path MTU to the connected peer (IP_MTU). Errors: ENOTCONN.
func (e *Endpoint) PathMTU() (int, error) {
	st := e.state.Load()
	if st.route == nil {
		return 0, syscall.ENOTCONN
	}
	return st.route.MTU(), nil
}

// Join makes the stack a member of a multicast group on the interface with the address iface; an invalid iface lets
// the route to the group choose. Errors: EINVAL, EADDRINUSE, ENODEV.
func (e *Endpoint) Join(group, iface netip.Addr) error {
	return e.groups.Join(e.stack.ip, group, iface)
}

// Leave undoes Join. The error is EADDRNOTAVAIL without one.
func (e *Endpoint) Leave(group, iface netip.Addr) error {
	return e.groups.Leave(e.stack.ip, group, iface)
}

// AddSource receives a multicast group from one source more, and joins it if need be. Errors: those of dgram.Groups.AddSource.
func (e *Endpoint) AddSource(s dgram.Source) error { return e.groups.AddSource(e.stack.ip, s) }

// DropSource undoes AddSource, and leaves the group with the last source.
func (e *Endpoint) DropSource(s dgram.Source) error { return e.groups.DropSource(e.stack.ip, s) }

// Groups are the multicast groups of the socket, for the filters of their sources.
func (e *Endpoint) Groups() *dgram.Groups { return &e.groups }

// Options returns the settings.
func (e *Endpoint) Options() Options {
	o := e.state.Load().options
	o.Options = o.Options.Clone()
	return o
}

// SetCork sets Options.Cork. Turned off, it sends what was held (udp(7)); an error of that has no one to go to, as on Linux.
func (e *Endpoint) SetCork(on bool) {
	e.SetOptions(func(o *Options) { o.Cork = on })
	if !on {
		_ = e.cork.Push(e.send)
	}
}

// SetOptions changes the settings. Those about sharing the port count when it is bound. On a closed socket it does nothing.
func (e *Endpoint) SetOptions(change func(*Options)) {
	_ = e.change(func(st *state) error {
		st.options.Options = st.options.Clone()
		change(&st.options)
		st.options.Options = st.options.Clone()
		e.inbox.SetLimit(st.options.RcvBuf)
		if st.route != nil {
			if route, err := st.options.Route(e.stack.ip, st.remote.Addr(), netip.Addr{}, st.bound); err == nil {
				st.route = route
			}
		}
		if !st.options.RecvErr {
			e.inbox.PurgeErrors()
		}
		return nil
	})
}
