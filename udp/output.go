package udp

import (
	"net/netip"
	"syscall"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/dgram"
)

// Send sends one datagram to the peer given, or with a zero AddrPort to the connected one. src, when valid, chooses
// the source address (IP_PKTINFO). Send does not keep b. Errors: EDESTADDRREQ, EMSGSIZE, EACCES, EINVAL for port 0, EPIPE after Shutdown,
// and the pending error, once (ECONNREFUSED).
func (e *Socket) Send(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
	return e.SendMsg(b, to, dgram.Control{Src: src}, false)
}

// SendMsg is Send with the choices in c. With more (MSG_MORE) it sends a part of a datagram, which leaves with the next Send, to the peer that
// the first call named. With Options.Cork it also only adds to the datagram.
func (e *Socket) SendMsg(b []byte, to netip.AddrPort, c dgram.Control, more bool) (int, error) {
	more = more || e.State().Options.Cork
	if !more && !e.cork.Pending() {
		return e.send(b, to, c)
	}
	peer := to
	if remote := e.State().Remote; !to.IsValid() && remote.Port() != 0 { // the datagram keeps it, even if the socket loses it before the last part
		peer = remote
	}
	check := func() (int, error) {
		st, err := e.ensureBound()
		if err != nil {
			return 0, err
		}
		route, o, err := e.prepare(st, to, &c)
		if err != nil {
			return 0, err
		}
		return route.MaxPayload(o) - HeaderLen, e.Sendable()
	}
	return e.cork.Add(b, peer, c, more, check, e.send)
}

func (e *Socket) send(b []byte, to netip.AddrPort, c dgram.Control) (int, error) {
	st, err := e.ensureBound()
	if err != nil {
		return 0, err
	}
	route, o, err := e.prepare(st, to, &c)
	if err != nil {
		return 0, err
	}
	if !to.IsValid() {
		to = st.Remote
	}
	to = netip.AddrPortFrom(route.Dst, to.Port())
	if len(b) > route.MaxPayload(o)-HeaderLen {
		return 0, syscall.EMSGSIZE
	}
	if err := e.Sendable(); err != nil {
		return 0, err
	}
	p := datagram(route, b, st.Local.Port(), to.Port(), checksumBy(st, route))
	p.Queue = uint16(e.queue.Load())
	if dgram.Stays(route, &o) {
		p.Free()
	} else if err := e.stack.ip.Send(e.stack.clock.Now(), route, o, p); err != nil {
		e.stack.stats.OutFailed.Inc()
		e.Refused(&st.Options, err, to, route.MTU())
		return 0, err
	}
	e.stack.stats.OutDatagrams.Inc()
	if route.Cast() != packet.Unicast {
		e.loop(st, route, &o, b, to)
	}
	return len(b), nil
}

// loop delivers a broadcast, or a multicast to a group that the interface receives, to the sockets of the stack as well.
func (e *Socket) loop(st *dgram.State, route *ip.Route, o *ip.Outgoing, b []byte, to netip.AddrPort) {
	i := route.Interface()
	if i == nil || route.Cast() == packet.Multicast && !(st.Options.Loops(route.Dst) && i.Accepts(route.Dst, route.Src)) {
		return
	}
	d := ip.Datagram{
		Src: route.Src, Dst: route.Dst, Protocol: o.Protocol, TOS: o.TOS, TTL: o.TTL, Options: o.Options, Cast: route.Cast(), In: i,
	}
	p := datagram(route, b, st.Local.Port(), to.Port(), checksumLink).Own()
	e.stack.Input(e.stack.clock.Now(), &d, p)
}

// prepare is Prepare, but refuses a peer with port 0 that the call names.
func (e *Socket) prepare(st *dgram.State, to netip.AddrPort, c *dgram.Control) (*ip.Route, ip.Outgoing, error) {
	if to.IsValid() && to.Port() == 0 {
		return nil, ip.Outgoing{}, st.Invalid(to.Addr(), syscall.EINVAL)
	}
	return e.Prepare(st, to, c)
}

// summer is the part of the stack that computes a checksum.
type summer uint8

const (
	checksumHere summer = iota
	checksumLink        // the link
	checksumNone        // none: SO_NO_CHECK, UDP_NO_CHECK6_TX
)

func checksumBy(st *dgram.State, route *ip.Route) summer {
	switch {
	case st.Options.NoCheck && route.Dst.Is4(), st.Options.NoCheck6 && route.Dst.Is6():
		return checksumNone
	case route.Features().Checksum:
		return checksumLink
	}
	return checksumHere
}

// datagram makes the packet for route: a header, and the payload b, which it borrows.
func datagram(route *ip.Route, b []byte, from, to uint16, by summer) *packet.Buffer {
	h := Header{SrcPort: from, DstPort: to, Length: uint16(HeaderLen + len(b))}
	p := packet.New(HeaderLen)
	field := p.Extend(HeaderLen)
	h.Put(field)
	sum := route.PseudoSum(ip.ProtocolUDP, HeaderLen+len(b))
	switch by {
	case checksumNone:
	case checksumLink:
		checksum.Put(field[checksumOffset:], sum)
		p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Offset: checksumOffset}
	default:
		checksum.Put(field[checksumOffset:], fieldValue(checksum.Sum(b, checksum.Sum(field, sum))))
	}
	p.Borrow([2][]byte{b})
	return p
}
