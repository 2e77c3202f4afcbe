package udp

import (
	"net/netip"
	"syscall"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ipv4"
)

// Send sends one datagram to the peer given, or with a zero AddrPort to the connected one. src, when valid, chooses
// the source address (IP_PKTINFO). b is not kept. Errors: EDESTADDRREQ, EMSGSIZE, EACCES, EINVAL for port 0, EPIPE after Shutdown,
// and once a pending error (ECONNREFUSED).
func (e *Endpoint) Send(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
	st, err := e.ensureBound()
	if err != nil {
		return 0, err
	}
	if !to.IsValid() {
		to = st.remote
	}
	route, err := e.route(st, to, src)
	if err != nil {
		return 0, err
	}
	h := st.headers.For(route.Cast())
	if len(b) > MaxPayload+ipv4.HeaderLen-h.Len() {
		return 0, syscall.EMSGSIZE
	}
	if err := e.inbox.Sendable(); err != nil {
		return 0, err
	}
	p := datagram(b, netip.AddrPortFrom(route.Src, st.local.Port()), to, st.options.NoCheck, route.Features().Checksum)
	p.Queue = uint16(e.queue.Load())
	if err := e.stack.ip.Send(e.stack.clock.Now(), route, h, p); err != nil {
		e.stack.stats.OutFailed.Inc()
		e.inbox.Refused(&st.options.Options, err, to, route.MTU())
		return 0, err
	}
	e.stack.stats.OutDatagrams.Inc()
	if route.Cast() != packet.Unicast {
		e.loop(st, route, b, to)
	}
	return len(b), nil
}

// loop gives a broadcast, or a multicast to a group of ours, to the sockets of this host too.
func (e *Endpoint) loop(st *state, route *ipv4.Route, b []byte, to netip.AddrPort) {
	i := route.Interface()
	if i == nil || route.Cast() == packet.Multicast && !(st.options.MulticastLoop && i.Joined(route.Dst)) {
		return
	}
	h := *st.headers.For(route.Cast())
	h.Src, h.Dst, h.Cast, h.If = route.Src, route.Dst, route.Cast(), i
	p := datagram(b, netip.AddrPortFrom(route.Src, st.local.Port()), to, false, true).Own()
	e.stack.Input(e.stack.clock.Now(), &h, p)
}

func (e *Endpoint) route(st *state, to netip.AddrPort, src netip.Addr) (*ipv4.Route, error) {
	switch {
	case !to.IsValid():
		return nil, syscall.EDESTADDRREQ
	case to.Port() == 0:
		return nil, syscall.EINVAL
	case to == st.remote && !src.IsValid():
		return st.route, nil
	}
	return st.options.Route(e.stack.ip, to.Addr(), src, st.bound)
}

// datagram makes a packet of a header and, borrowed, the payload b. partial leaves the checksum to the link.
func datagram(b []byte, from, to netip.AddrPort, noCheck, partial bool) *packet.Buffer {
	h := Header{SrcPort: from.Port(), DstPort: to.Port(), Length: uint16(HeaderLen + len(b))}
	p := packet.New(HeaderLen)
	field := p.Extend(HeaderLen)
	h.Put(field)
	sum := pseudo(from.Addr().As4(), to.Addr().As4(), HeaderLen+len(b))
	switch {
	case noCheck:
	case partial:
		checksum.Put(field[checksumOffset:], sum)
		p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Offset: checksumOffset}
	default:
		checksum.Put(field[checksumOffset:], fieldValue(checksum.Sum(b, checksum.Sum(field, sum))))
	}
	p.Borrow([2][]byte{b})
	return p
}
