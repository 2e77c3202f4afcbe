package udp

import (
	"net/netip"
	"sync/atomic"
	"syscall"

	"tunstack/internal/ports"
	"tunstack/ip"
	"tunstack/ip/dgram"
)

// Options are the socket's settings; Socket.SetOptions changes them.
type Options = dgram.Options

// Datagram describes a received datagram.
type Datagram = dgram.Datagram

// Socket is one UDP socket. No method blocks: a call fails with EAGAIN, and Waiters tells when to repeat it. All methods are safe for
// concurrent use.
type Socket struct {
	dgram.Socket
	stack *Stack
	cork  dgram.Cork
	queue atomic.Uint32 // number of the device queue of the last datagram

	// Used inside Change only.
	reservation ports.Reservation
	ephemeral   bool // the stack chose the port: disconnecting releases it
}

// NewSocket returns an unbound socket.
func (s *Stack) NewSocket(v ip.Versions) *Socket {
	e := &Socket{stack: s}
	e.Init(s.ip, ip.ProtocolUDP, dgram.Defaults(v), e.moved)
	return e
}

// moved lists the socket under its new state, in place of the old one.
func (e *Socket) moved(old, next *dgram.State) {
	listed := !connected(old) && !connected(next) && old.Local.Port() == next.Local.Port() // the entry of the port stays the same
	if listed || old.Local == next.Local && old.Remote == next.Remote {
		return
	}
	e.stack.sockets.add(e, next)
	e.stack.sockets.remove(e, old)
}

// Bind gives the socket its address. Errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL when already bound. Port 0 picks a free
// one; a zero Addr is the wildcard. A broadcast or multicast address receives only datagrams that are sent to it.
func (e *Socket) Bind(local netip.AddrPort) error {
	return e.Change(func(st *dgram.State) error {
		bound := st.Local.Port() != 0
		if bound && st.Options.Versions != ip.V4 { // the order of Linux's checks
			return syscall.EINVAL
		}
		if err := st.Bind(e.stack.ip, local.Addr()); err != nil {
			return err
		}
		if bound {
			return syscall.EINVAL
		}
		if local.Port() == 0 && st.Options.NoPort {
			st.Local = netip.AddrPortFrom(st.Bound, 0)
			return nil
		}
		e.ephemeral = local.Port() == 0
		return e.reserve(st, local.Port())
	})
}

// reserve takes a port at the bound address.
func (e *Socket) reserve(st *dgram.State, port uint16) error {
	var f ports.Flags
	if st.Options.ReuseAddr {
		f |= ports.ReuseAddr
	}
	if st.Options.ReusePort {
		f |= ports.ReusePort
	}
	if st.Options.Versions == ip.V6 {
		f |= ports.V6Only
	}
	r, err := e.stack.ports.Within(st.Options.Ports).Bind(netip.AddrPortFrom(st.Bound, port), f)
	if err != nil {
		return err
	}
	e.reservation = r
	st.Local = netip.AddrPortFrom(st.Bound, r.Port())
	return nil
}

// Autobind gives a socket without a port an ephemeral one. Errors: EADDRINUSE.
func (e *Socket) Autobind() error {
	_, err := e.ensureBound()
	return err
}

// ensureBound gives a socket without a port an ephemeral one and returns its state.
func (e *Socket) ensureBound() (*dgram.State, error) {
	if st := e.State(); st.Local.Port() != 0 {
		return st, nil
	}
	err := e.Change(func(st *dgram.State) error {
		if st.Local.Port() != 0 {
			return nil
		}
		err := e.reserve(st, 0)
		e.ephemeral = err == nil
		return err
	})
	return e.State(), err
}

// Connect sets the default peer, the only one from which the socket then receives; the zero AddrPort removes it. A peer with port 0
// stands for every port of that address: programs connect to it to learn the route's source address. Errors: ENETUNREACH, EACCES for broadcast without
// SO_BROADCAST.
func (e *Socket) Connect(remote netip.AddrPort) error {
	if remote.IsValid() {
		if err := e.Autobind(); err != nil {
			return err
		}
	}
	return e.Change(func(st *dgram.State) error {
		if err := st.Connect(e.stack.ip, remote); err != nil {
			return err
		}
		if !remote.IsValid() && e.ephemeral {
			e.stack.ports.Release(e.reservation)
			e.reservation, e.ephemeral = ports.Reservation{}, false
			st.Local = netip.AddrPortFrom(st.Bound, 0)
		}
		return nil
	})
}

// Remote is the connected peer; false without one, and while its port is 0.
func (e *Socket) Remote() (netip.AddrPort, bool) {
	remote := e.State().Remote
	return remote, connected(e.State())
}

// Close frees the port and the queued datagrams. It returns EBADF the second time.
func (e *Socket) Close() error {
	if err := e.Socket.Close(); err != nil {
		return err
	}
	e.stack.sockets.remove(e, e.State()) // the last state: Change fails from now on
	e.stack.ports.Release(e.reservation)
	return nil
}

// SetCork sets Options.Cork. Turned off, it sends the gathered datagram (udp(7)) and ignores the error of that, as Linux does.
func (e *Socket) SetCork(on bool) {
	e.SetOptions(func(o *Options) { o.Cork = on })
	if !on {
		_ = e.cork.Push(e.send)
	}
}
