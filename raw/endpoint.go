package raw

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/ip/dgram"
	"tunstack/ip/errqueue"
)

// Datagram describes a received datagram; the ports are 0.
type Datagram = dgram.Datagram

// Options are the socket's settings; Endpoint.SetOptions changes them.
type Options struct {
	dgram.Options
	HdrIncl    bool   // IP_HDRINCL: Send is given the IP header too
	ICMPFilter uint32 // ICMP_FILTER: a set bit keeps ICMP messages of that type from the socket
}

// Endpoint is one raw socket. No method blocks: EAGAIN, and Waiters. All are safe for concurrent use.
type Endpoint struct {
	stack    *Stack
	protocol uint8
	inbox    dgram.Inbox
	cork     dgram.Cork
	groups   dgram.Groups
	state    atomic.Pointer[state]
	ping     bool   // a ping socket: see Ping
	remove   func() // ends the Tap

	mu sync.Mutex // for those who replace the state
}

// state is what packets need to know of a socket. It is never changed, only replaced, so they read it without a lock.
type state struct {
	options Options
	bound   netip.Addr // as Bind was told it
	local   netip.Addr // bound, or while connected the address that the route chose
	remote  netip.Addr // invalid: not connected
	route   *ip.Route  // to remote
	headers dgram.Headers

	id, remotePort uint16 // of a ping socket
}

var wildcard = netip.IPv4Unspecified()

// NewEndpoint returns a socket for a protocol, which receives from now on. With ProtocolRaw it only sends, and IP_HDRINCL is on.
func (s *Stack) NewEndpoint(protocol uint8) *Endpoint { return s.newEndpoint(protocol, false) }

func (s *Stack) newEndpoint(protocol uint8, ping bool) *Endpoint {
	e := &Endpoint{stack: s, protocol: protocol, ping: ping, remove: func() {}}
	st := &state{bound: wildcard, local: wildcard}
	st.options.Options = dgram.Defaults()
	st.options.HdrIncl = protocol == ProtocolRaw
	st.headers = st.options.Headers(protocol)
	e.state.Store(st)
	if protocol != ProtocolRaw {
		e.remove = s.ip.AddTap(protocol, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[e] = struct{}{}
	return e
}

// Tap takes a copy of a received datagram (ip.Tap).
func (e *Endpoint) Tap(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	st := e.state.Load()
	if !e.takes(st, d, p) || d.Cast == packet.Multicast && !e.groups.Allows(d.Dst, d.Src, !st.options.OnlyJoined) {
		return
	}
	m := Datagram{
		From: netip.AddrPortFrom(d.Src, 0), To: netip.AddrPortFrom(d.Dst, 0),
		Interface: d.In.Name(), TOS: d.TOS, TTL: d.TTL, At: now,
	}
	p = p.Clone()
	if e.ping {
		p.TrimFront(d.HeaderLen)
	}
	if e.inbox.Push(m, p, 0) {
		e.stack.stats.InDatagrams.Inc()
	} else {
		e.stack.stats.DropFull.Inc()
	}
}

// takes says whether a datagram is for the socket.
func (e *Endpoint) takes(st *state, d *ip.Datagram, p *packet.Buffer) bool {
	if e.ping {
		return st.repliesTo(d, p)
	}
	return st.wants(d, p)
}

// HandleError takes an ICMP error about a datagram of the protocol (ip.Tap). The socket sees it if the quoted addresses are its own.
func (e *Endpoint) HandleError(_ time.Duration, ie *ip.Error, quoted []byte) {
	st := e.state.Load()
	mine := st.local == ie.Quoted.Src || st.local == wildcard && ie.Quoted.Src.Is4()
	if e.ping {
		mine = mine && st.sent(quoted)
	} else {
		mine = mine && (!st.remote.IsValid() || st.remote == ie.Quoted.Dst)
	}
	if !mine {
		return
	}
	if st.options.HdrIncl {
		quoted = ie.Datagram
	}
	e.inbox.HandleError(&st.options.Options, st.remote.IsValid(), ie, 0, quoted)
}

func (st *state) wants(d *ip.Datagram, p *packet.Buffer) bool {
	switch {
	case st.options.Device != nil && st.options.Device != d.In:
		return false
	case st.local != d.Dst && !(st.local == wildcard && d.Dst.Is4()):
		return false
	case st.remote.IsValid() && st.remote != d.Src:
		return false
	case d.Protocol != ip.ProtocolICMP || st.options.ICMPFilter == 0 || p.Len() <= d.HeaderLen:
		return true
	}
	icmpType := p.Bytes()[d.HeaderLen]
	return icmpType >= 32 || st.options.ICMPFilter>>icmpType&1 == 0
}

// change replaces the state by one that f has made of it, unless f fails.
func (e *Endpoint) change(f func(*state) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := *e.state.Load()
	if err := f(&next); err != nil {
		return err
	}
	next.headers = next.options.Headers(e.protocol)
	e.state.Store(&next)
	return nil
}

// Bind makes the socket receive only what is sent to local, and send from it; a zero Addr is the wildcard. Errors:
// EADDRNOTAVAIL, EINVAL when connected.
func (e *Endpoint) Bind(local netip.Addr) error {
	if !local.IsValid() {
		local = wildcard
	}
	return e.change(func(st *state) error {
		if st.remote.IsValid() {
			return syscall.EINVAL
		}
		if err := dgram.Bindable(e.stack.ip, local); err != nil {
			return err
		}
		st.bound, st.local = local, local
		return nil
	})
}

// Connect sets the default peer, from which alone the socket then receives; the zero Addr removes it. Errors: ENETUNREACH,
// EACCES for broadcast without SO_BROADCAST.
func (e *Endpoint) Connect(remote netip.Addr) error {
	return e.change(func(st *state) error {
		if !remote.IsValid() {
			st.remote, st.route, st.local = netip.Addr{}, nil, st.bound
			return nil
		}
		route, err := st.options.Route(e.stack.ip, remote, netip.Addr{}, st.local)
		if err != nil {
			return err
		}
		st.remote, st.route = route.Dst, route
		if st.bound == wildcard {
			st.local = route.Src
		}
		return nil
	})
}

// Send sends b as the payload of one datagram, or with HdrIncl as the whole of it, to the address given or with a zero Addr to the
// connected one. src, when valid, chooses the source address. Errors: EDESTADDRREQ, EMSGSIZE, EACCES, EPIPE after Shutdown,
// EINVAL for a header that is none.
func (e *Endpoint) Send(b []byte, to, src netip.Addr) (int, error) {
	return e.gather(b, to, src, false)
}

// SendMore is Send of a part of a datagram (MSG_MORE), which leaves with the next Send, to the peer that the first call named. With
// HdrIncl it is Send.
func (e *Endpoint) SendMore(b []byte, to, src netip.Addr) (int, error) {
	return e.gather(b, to, src, true)
}

func (e *Endpoint) gather(b []byte, to, src netip.Addr, more bool) (int, error) {
	peer := netip.AddrPortFrom(to, 0)
	if st := e.state.Load(); (more || e.cork.Pending()) && !st.options.HdrIncl {
		if _, err := e.route(st, to, src); err != nil { // unlike UDP also of later calls, as on Linux
			return 0, err
		}
		return e.cork.Add(b, peer, src, more, e.inbox.Sendable, e.send)
	}
	return e.send(b, peer, src)
}

func (e *Endpoint) send(b []byte, peer netip.AddrPort, src netip.Addr) (int, error) {
	to := peer.Addr()
	st := e.state.Load()
	route, err := e.route(st, to, src)
	if err != nil {
		return 0, err
	}
	if len(b) > ip.MaxDatagram {
		return 0, syscall.EMSGSIZE
	}
	if err := e.inbox.Sendable(); err != nil {
		return 0, err
	}
	if err := e.transmit(st, route, b); err != nil {
		e.stack.stats.OutFailed.Inc()
		e.inbox.Refused(&st.options.Options, err, netip.AddrPortFrom(route.Dst, 0), route.MTU())
		return 0, err
	}
	e.stack.stats.OutDatagrams.Inc()
	return len(b), nil
}

func (e *Endpoint) route(st *state, to, src netip.Addr) (*ip.Route, error) {
	switch {
	case !to.IsValid() && st.route == nil:
		return nil, syscall.EDESTADDRREQ
	case !to.IsValid() && !src.IsValid():
		return st.route, nil
	case !to.IsValid():
		to = st.remote
	}
	return st.options.Route(e.stack.ip, to, src, st.local)
}

func (e *Endpoint) transmit(st *state, route *ip.Route, b []byte) error {
	p := packet.New(0)
	p.Borrow([2][]byte{b})
	now := e.stack.clock.Now()
	if st.options.HdrIncl {
		return e.stack.ip.SendRaw(now, route, p)
	}
	return e.stack.ip.Send(now, route, st.headers.For(route.Cast()), p)
}

// Recv copies the first waiting datagram, IP header included, to b. Errors: EAGAIN. After Shutdown of reading: (0, _, nil).
func (e *Endpoint) Recv(b []byte, peek bool) (int, Datagram, error) { return e.inbox.Recv(b, peek) }

// Shutdown ends receiving once the queue is empty, sending, or both. On a socket that is not connected it
// returns ENOTCONN and still does so, as on Linux.
func (e *Endpoint) Shutdown(read, write bool) error {
	e.inbox.Shutdown(read, write)
	if _, connected := e.Remote(); !connected {
		return syscall.ENOTCONN
	}
	return nil
}

// Close ends receiving and frees what waits. It returns EBADF the second time.
func (e *Endpoint) Close() error {
	if err := e.inbox.Close(); err != nil {
		return err
	}
	e.remove()
	e.groups.Close(e.stack.ip)
	e.stack.mu.Lock()
	defer e.stack.mu.Unlock()
	delete(e.stack.all, e)
	return nil
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

// Protocol is what NewEndpoint was given (SO_PROTOCOL).
func (e *Endpoint) Protocol() uint8 { return e.protocol }

// Local is the own address; the wildcard before Bind and Connect.
func (e *Endpoint) Local() netip.Addr { return e.state.Load().local }

// Remote is the connected peer; false without one.
func (e *Endpoint) Remote() (netip.Addr, bool) {
	remote := e.state.Load().remote
	return remote, remote.IsValid()
}

// Ready is what the socket can do now.
func (e *Endpoint) Ready() poll.Mask { return e.inbox.Ready() }

// Waiters are told whenever Ready gains an event.
func (e *Endpoint) Waiters() *poll.WaitList { return e.inbox.Waiters() }

// TakeError returns and clears the pending error (SO_ERROR).
func (e *Endpoint) TakeError() error { return e.inbox.TakeError() }

// RecvError removes the oldest entry of the error queue (MSG_ERRQUEUE). Errors: EAGAIN.
func (e *Endpoint) RecvError() (errqueue.Error, error) { return e.inbox.RecvError() }

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

// SetOptions changes the settings.
func (e *Endpoint) SetOptions(change func(*Options)) {
	_ = e.change(func(st *state) error {
		st.options.Options = st.options.Clone()
		change(&st.options)
		st.options.Options = st.options.Clone()
		e.inbox.SetLimit(st.options.RcvBuf)
		if st.route != nil {
			if route, err := st.options.Route(e.stack.ip, st.remote, netip.Addr{}, st.bound); err == nil {
				st.route = route
			}
		}
		if !st.options.RecvErr {
			e.inbox.PurgeErrors()
		}
		return nil
	})
}
