package dgram

import (
	"cmp"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"tunstack/internal/packet"
	"tunstack/ip"
)

// Socket is the common part of UDP and raw sockets; both embed it. No method blocks: a call fails with EAGAIN, and Waiters tells when
// to repeat it. All methods are safe for concurrent use.
type Socket struct {
	Receiver
	groups   Groups
	stack    *ip.Stack
	protocol uint8
	state    atomic.Pointer[State]

	mu     sync.Mutex // held while the state is replaced
	closed bool
	moved  func(old, next *State)
}

// State is the part of a socket that packets read, without a lock: it is never changed, only replaced.
type State struct {
	Options Options
	Bound   netip.Addr     // the address given to Bind; the wildcard without Bind
	Local   netip.AddrPort // Bound, or while connected the address that the route chose. Port 0: not bound, or a raw socket
	Remote  netip.AddrPort // invalid: not connected
	Route   *ip.Route      // to Remote
	Headers Headers

	heard ip.Versions // of packets to all own addresses: see Has
}

// settle derives the last fields from the others.
func (st *State) settle(protocol uint8) {
	st.Headers = st.Options.Headers(protocol)
	st.heard = st.Options.Versions.Heard(st.Local.Addr())
}

// Init makes s a socket that sends datagrams of protocol. moved, which may be nil, is called at each change of the state, with the
// lock of Change held.
func (s *Socket) Init(stack *ip.Stack, protocol uint8, options Options, moved func(old, next *State)) {
	s.stack, s.protocol, s.moved = stack, protocol, moved
	wildcard := options.Versions.Wildcard()
	st := &State{Options: options, Bound: wildcard, Local: netip.AddrPortFrom(wildcard, 0)}
	st.settle(protocol)
	s.state.Store(st)
}

// State returns the current state.
func (s *Socket) State() *State { return s.state.Load() }

// Change replaces the state by a copy to which f was applied, unless f fails. Errors: EBADF after Close, and f's.
func (s *Socket) Change(f func(*State) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return syscall.EBADF
	}
	old := s.state.Load()
	next := *old
	if err := f(&next); err != nil {
		return err
	}
	next.settle(s.protocol)
	s.state.Store(&next)
	if s.moved != nil {
		s.moved(old, &next)
	}
	return nil
}

// Bind sets the bound address: local, or the wildcard for a zero Addr. A link-local address also binds the socket to its interface. Errors:
// those of Versions.CanBind and SocketOptions.Scope, and EADDRNOTAVAIL for an address that is neither the stack's own nor a group or
// broadcast address to receive from.
func (st *State) Bind(stack *ip.Stack, local netip.Addr) error {
	o := &st.Options
	if !local.IsValid() {
		local = o.Versions.Wildcard()
	}
	if err := o.Versions.CanBind(local); err != nil {
		return err
	}
	local, zone, err := o.Scope(stack, local)
	switch {
	case err != nil:
		return err
	case !local.IsUnspecified() && !o.FreeBind && !stack.IsLocal(local) && stack.CastOf(local) == packet.Unicast:
		return syscall.EADDRNOTAVAIL
	case zone != nil:
		o.Device = zone
	}
	st.Bound, o.Versions = local, o.Versions.Bound(local)
	return nil
}

// Has reports whether the socket has the local address a: it is bound to a, or to a wildcard that stands for it.
func (st *State) Has(a netip.Addr) bool { return st.Local.Addr() == a || st.heard.Has(a) }

// Connect sets the default peer, and the local address of a socket that is bound to the wildcard; an invalid remote removes the
// peer. A link-local peer also binds the socket to its interface. Errors: those of SocketOptions.Scope and Options.Route.
func (st *State) Connect(stack *ip.Stack, remote netip.AddrPort) error {
	port := st.Local.Port()
	if !remote.IsValid() {
		st.Remote, st.Route, st.Local = netip.AddrPort{}, nil, netip.AddrPortFrom(st.Bound, port)
		return nil
	}
	dst, zone, err := st.Options.Scope(stack, remote.Addr())
	if err != nil {
		return err
	}
	if st.Options.Device == nil {
		st.Options.Device = zone
	}
	route, err := st.Options.Route(stack, dst, netip.Addr{}, st.SourceTo(dst))
	if err != nil {
		return err
	}
	st.Remote, st.Route = netip.AddrPortFrom(route.Dst, remote.Port()), route
	if st.Bound.IsUnspecified() {
		st.Local = netip.AddrPortFrom(route.Src, port)
	}
	return nil
}

// SourceTo is the local address as far as it concerns datagrams to dst: an IPv6 one that Connect has chosen does not keep the socket from using
// IPv4, as on Linux.
func (st *State) SourceTo(dst netip.Addr) netip.Addr {
	if a := st.Local.Addr(); a.Is4() || dst.Is6() {
		return a
	}
	return st.Bound
}

// Invalid returns the error of a send to dst with an argument that causes err. As on Linux the error that dst causes comes first, except that
// of an IPv6 destination of a socket of AF_INET6.
func (st *State) Invalid(dst netip.Addr, err error) error {
	if v := st.Options.Versions; v == ip.V4 || dst.Is4() {
		return cmp.Or(v.CanReach(dst, st.SourceTo(dst)), err)
	}
	return err
}

// routeTo is the route of a datagram to a peer.
func (s *Socket) routeTo(st *State, to netip.AddrPort, c *Control) (*ip.Route, error) {
	if !to.IsValid() {
		to = st.Remote
	}
	switch {
	case !to.IsValid():
		return nil, syscall.EDESTADDRREQ
	case c.Choices != nil && c.Err != nil:
		return nil, st.Invalid(to.Addr(), c.Err)
	case to == st.Remote && !c.Src.IsValid() && (c.Choices == nil || c.Device == nil):
		return st.Route, nil
	case c.Choices != nil && c.Device != nil:
		o := st.Options
		o.Device = c.Device
		return o.Route(s.stack, to.Addr(), c.Src, st.SourceTo(to.Addr()))
	}
	return st.Options.Route(s.stack, to.Addr(), c.Src, st.SourceTo(to.Addr()))
}

// Allows reports whether the socket receives d as far as its groups and their sources go.
func (s *Socket) Allows(st *State, d *ip.Datagram) bool {
	return d.Cast != packet.Multicast || s.groups.Allows(d.In, d.Dst, d.Src, !st.Options.multicast(d.Dst).OnlyJoined)
}

// Close frees the queued datagrams and leaves all groups. It returns EBADF the second time.
func (s *Socket) Close() error {
	if err := s.Receiver.Close(); err != nil {
		return err
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.groups.Close()
	return nil
}

// Shutdown ends receiving once the queue is empty, sending, or both. On a socket that is not connected it returns ENOTCONN and
// still does so, as on Linux.
func (s *Socket) Shutdown(read, write bool) error {
	s.Receiver.Shutdown(read, write)
	if !s.State().Remote.IsValid() {
		return syscall.ENOTCONN
	}
	return nil
}

// Local is the local address; the wildcard, with port 0, before Bind and Connect.
func (s *Socket) Local() netip.AddrPort { return s.State().Local }

// Remote is the connected peer; false without one.
func (s *Socket) Remote() (netip.AddrPort, bool) {
	remote := s.State().Remote
	return remote, remote.IsValid()
}

// PathMTU is the path MTU to the connected peer in bytes (IP_MTU). Errors: ENOTCONN.
func (s *Socket) PathMTU() (int, error) {
	st := s.State()
	if st.Route == nil {
		return 0, syscall.ENOTCONN
	}
	return st.Route.MTU(), nil
}

// Groups are the multicast groups of the socket, which the caller may change.
func (s *Socket) Groups() *Groups { return &s.groups }

// Options returns a copy of the settings.
func (s *Socket) Options() Options { return s.State().Options.Clone() }

// SetOptions changes the settings. Those about sharing a port affect later Binds only. On a closed socket it
// does nothing.
func (s *Socket) SetOptions(change func(*Options)) {
	_ = s.Change(func(st *State) error {
		st.Options = st.Options.Clone()
		change(&st.Options)
		st.Options = st.Options.Clone()
		s.SetLimit(st.Options.RcvBuf)
		if st.Route != nil {
			if route, err := st.Options.Route(s.stack, st.Remote.Addr(), netip.Addr{}, st.Bound); err == nil {
				st.Route = route
			}
		}
		if !st.Options.RecvErr && !st.Options.IPv6().RecvErr {
			s.PurgeErrors()
		}
		return nil
	})
}
