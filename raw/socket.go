package raw

import (
	"net/netip"
	"slices"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/dgram"
)

// Datagram describes a received datagram; the ports are 0.
type Datagram = dgram.Datagram

// Options are the socket's settings; Socket.SetOptions changes them.
type Options = dgram.Options

// Socket is one raw socket. Its addresses have port 0, and it ignores the ports that it is given. No method blocks: a call
// fails with EAGAIN, and Waiters tells when to repeat it. All methods are safe for concurrent use.
type Socket struct {
	dgram.Socket
	stack    *Stack
	protocol uint8
	ping     bool // a ping socket: see Ping
	cork     dgram.Cork
	remove   func() // ends the Tap
}

// NewSocket returns a socket for a protocol of one version of IP, which receives from then on. With ProtocolRaw it only sends, and
// IP_HDRINCL is on. An IPv6 socket receives and sends payloads without the IP header (RFC 3542 section 3).
func (s *Stack) NewSocket(v ip.Versions, protocol uint8) *Socket {
	return s.newSocket(v, protocol, false)
}

func (s *Stack) newSocket(v ip.Versions, protocol uint8, ping bool) *Socket {
	e := &Socket{stack: s, protocol: protocol, ping: ping, remove: func() {}}
	options := dgram.Defaults(v)
	options.HdrIncl = protocol == ProtocolRaw
	e.Init(s.ip, protocol, options, nil)
	if protocol != ProtocolRaw {
		e.remove = s.ip.AddTap(protocol, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[e] = struct{}{}
	return e
}

// Tap takes a copy of a received datagram (ip.Tap).
func (e *Socket) Tap(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	st := e.State()
	if !e.takes(st, d, p) {
		return
	}
	m := Datagram{
		From: netip.AddrPortFrom(d.Src, 0), To: netip.AddrPortFrom(d.Dst, 0),
		Interface: d.In.Name(), TOS: d.TOS, TTL: d.TTL, FlowLabel: d.FlowLabel, At: now,
	}
	if d.Dst.Is6() && len(d.Options) > 0 { // an IPv4 socket receives them in the header
		m.IPOptions = slices.Clone(d.Options)
	}
	p = p.Clone()
	if e.ping || d.Dst.Is6() {
		p.TrimFront(d.HeaderLen)
	}
	if e.Push(m, p, 0) {
		e.stack.stats.InDatagrams.Inc()
	} else {
		e.stack.stats.DropFull.Inc()
	}
}

// takes reports whether a datagram is for the socket.
func (e *Socket) takes(st *dgram.State, d *ip.Datagram, p *packet.Buffer) bool {
	switch {
	case st.Options.Device != nil && st.Options.Device != d.In:
		return false
	case !st.Has(d.Dst):
		return false
	case !e.Allows(st, d):
		return false
	case e.ping:
		return e.repliesTo(st.Local.Port(), d, p)
	case st.Remote.IsValid() && st.Remote.Addr() != d.Src:
		return false
	case d.Dst.Is6():
		return e.takes6(st, d, p)
	case d.Protocol != ip.ProtocolICMP || st.Options.ICMPFilter == 0 || p.Len() <= d.HeaderLen:
		return true
	}
	icmpType := p.Bytes()[d.HeaderLen]
	return icmpType >= 32 || st.Options.ICMPFilter>>icmpType&1 == 0
}

// HandleError takes an ICMP error about a datagram of the protocol (ip.Tap). The socket gets it if the quoted addresses match its own.
func (e *Socket) HandleError(_ time.Duration, ie *ip.Error, quoted []byte) {
	st := e.State()
	mine := st.Has(ie.Quoted.Src)
	if e.ping {
		mine = mine && e.sent(st.Local.Port(), quoted)
	} else {
		mine = mine && (!st.Remote.IsValid() || st.Remote.Addr() == ie.Quoted.Dst)
	}
	if !mine {
		return
	}
	if st.Options.HdrIncl {
		quoted = ie.Datagram
	}
	e.Receiver.HandleError(&st.Options, st.Remote.IsValid(), ie, 0, quoted)
}

// Bind makes the socket receive only datagrams to local, and send from it; a zero Addr is the wildcard. Errors:
// EADDRNOTAVAIL, EINVAL when connected.
func (e *Socket) Bind(local netip.AddrPort) error {
	return e.Change(func(st *dgram.State) error {
		switch {
		case st.Options.Versions == ip.V6 && local.Addr().Is4():
			return syscall.EADDRNOTAVAIL
		case st.Remote.IsValid():
			return syscall.EINVAL
		}
		if err := st.Bind(e.stack.ip, local.Addr()); err != nil {
			return err
		}
		st.Local = netip.AddrPortFrom(st.Bound, 0)
		return nil
	})
}

// Connect sets the default peer, the only address from which the socket then receives; the zero AddrPort removes it. Errors: ENETUNREACH,
// EACCES for broadcast without SO_BROADCAST.
func (e *Socket) Connect(remote netip.AddrPort) error {
	return e.Change(func(st *dgram.State) error { return st.Connect(e.stack.ip, portless(remote)) })
}

// portless returns a with port 0.
func portless(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), 0) }

// Close ends receiving and frees the queued datagrams. It returns EBADF the second time.
func (e *Socket) Close() error {
	if err := e.Socket.Close(); err != nil {
		return err
	}
	e.remove()
	e.stack.mu.Lock()
	defer e.stack.mu.Unlock()
	delete(e.stack.all, e)
	return nil
}

// Protocol is the protocol that NewSocket was given (SO_PROTOCOL).
func (e *Socket) Protocol() uint8 { return e.protocol }
