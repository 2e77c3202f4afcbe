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
	size, err := segmentSize(st, &c, route, &o, len(b))
	if err != nil {
		return 0, err
	}
	p := datagram(route, b, st.Local.Port(), to.Port(), checksumBy(st, route, size))
	segment(p, size)
	p.Queue = uint16(e.queue.Load())
	if dgram.Stays(route, &o) {
		p.Free()
	} else if err := e.stack.ip.Send(e.stack.clock.Now(), route, o, p); err != nil {
		e.stack.stats.OutFailed.Inc()
		e.Refused(&st.Options, &o, err, to, route.MTU())
		return 0, err
	}
	e.stack.stats.OutDatagrams.Add(uint64(max(1, (len(b)+size-1)/max(size, 1))))
	if route.Cast() != packet.Unicast {
		e.loop(st, route, &o, b, to, size)
	}
	return len(b), nil
}

// maxSegments is the largest number of datagrams into which one send is cut, as on Linux.
const maxSegments = 128

// segmentSize returns the size in bytes of the datagrams into which a send of n bytes is cut, 0 if it is one datagram (UDP_SEGMENT). Errors,
// as on Linux: EMSGSIZE for datagrams that would need fragments, EINVAL for too many, and without checksums.
func segmentSize(st *dgram.State, c *dgram.Control, route *ip.Route, o *ip.Outgoing, n int) (int, error) {
	size := int(st.Options.Segment)
	if c.Choices != nil && c.Segment != nil {
		size = int(*c.Segment)
	}
	switch {
	case size == 0:
		return 0, nil
	case route.HeaderLen()+o.OptionsLen()+HeaderLen+min(n, size) > route.MTU():
		return 0, syscall.EMSGSIZE
	case n > size*maxSegments, checksumBy(st, route, 0) == checksumNone:
		return 0, syscall.EINVAL
	case n <= size:
		return 0, nil
	}
	return size, nil
}

// segment makes p a super-packet of datagrams of size bytes, unless size is 0.
func segment(p *packet.Buffer, size int) {
	if size > 0 {
		p.Offload.Segmentation, p.Offload.Size = packet.SegmentUDP, uint16(size)
	}
}

// loop delivers a broadcast, or a multicast to a group that the interface receives, to the sockets of the stack as well.
func (e *Socket) loop(st *dgram.State, route *ip.Route, o *ip.Outgoing, b []byte, to netip.AddrPort, size int) {
	i := route.Interface()
	if i == nil || route.Cast() == packet.Multicast && !(st.Options.Loops(route.Dst) && i.Accepts(route.Dst, route.Src)) {
		return
	}
	d := ip.Datagram{
		Src: route.Src, Dst: route.Dst, Protocol: o.Protocol, TOS: o.TOS, TTL: o.TTL, Options: o.Options, Cast: route.Cast(), In: i,
	}
	p := datagram(route, b, st.Local.Port(), to.Port(), checksumLink).Own()
	segment(p, size)
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
	checksumLink        // the link, or the part that cuts a super-packet
	checksumNone        // none: SO_NO_CHECK, UDP_NO_CHECK6_TX
)

// checksumBy chooses who computes the checksum of a datagram, or of datagrams of size bytes if size is not 0.
func checksumBy(st *dgram.State, route *ip.Route, size int) summer {
	switch {
	case st.Options.NoCheck && route.Dst.Is4(), st.Options.NoCheck6 && route.Dst.Is6():
		return checksumNone
	case size > 0 || route.Features().Checksum:
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
