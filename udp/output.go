package udp

import (
	"cmp"
	"net/netip"
	"syscall"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
)

// Send sends one datagram to the peer given, or with a zero AddrPort to the connected one. src, when valid, chooses
// the source address (IP_PKTINFO). b is not kept. Errors: EDESTADDRREQ, EMSGSIZE, EACCES, EINVAL for port 0, EPIPE after Shutdown,
// and once a pending error (ECONNREFUSED).
func (e *Endpoint) Send(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
	return e.gather(b, to, src, false)
}

// SendMore is Send of a part of a datagram (MSG_MORE), which leaves with the next Send, to the peer that the first call named. With
// Options.Cork Send, too, only adds to it.
func (e *Endpoint) SendMore(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
	return e.gather(b, to, src, true)
}

func (e *Endpoint) gather(b []byte, to netip.AddrPort, src netip.Addr, more bool) (int, error) {
	more = more || e.state.Load().options.Cork
	if !more && !e.cork.Pending() {
		return e.send(b, to, src)
	}
	check := func() error {
		st, err := e.ensureBound()
		if err == nil {
			_, err = e.route(st, cmp.Or(to, st.remote), src)
		}
		if err == nil {
			err = e.inbox.Sendable()
		}
		return err
	}
	return e.cork.Add(b, to, src, more, check, e.send)
}

func (e *Endpoint) send(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
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
	to = netip.AddrPortFrom(route.Dst, to.Port())
	o := st.headers.For(route.Cast())
	if len(b) > route.MaxPayload(o)-HeaderLen {
		return 0, syscall.EMSGSIZE
	}
	if err := e.inbox.Sendable(); err != nil {
		return 0, err
	}
	p := datagram(route, b, st.local.Port(), to.Port(), checksumBy(st, route))
	p.Queue = uint16(e.queue.Load())
	if st.options.Stays(route.Cast()) {
		p.Free()
	} else if err := e.stack.ip.Send(e.stack.clock.Now(), route, o, p); err != nil {
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
func (e *Endpoint) loop(st *state, route *ip.Route, b []byte, to netip.AddrPort) {
	i := route.Interface()
	if i == nil || route.Cast() == packet.Multicast && !(st.options.MulticastLoop && i.Joined(route.Dst)) {
		return
	}
	o := st.headers.For(route.Cast())
	d := ip.Datagram{
		Src: route.Src, Dst: route.Dst, Protocol: o.Protocol, TOS: o.TOS, TTL: o.TTL, Options: o.Options, Cast: route.Cast(), In: i,
	}
	p := datagram(route, b, st.local.Port(), to.Port(), checksumLink).Own()
	e.stack.Input(e.stack.clock.Now(), &d, p)
}

func (e *Endpoint) route(st *state, to netip.AddrPort, src netip.Addr) (*ip.Route, error) {
	switch {
	case !to.IsValid():
		return nil, syscall.EDESTADDRREQ
	case to == st.remote && !src.IsValid():
		return st.route, nil
	case to.Port() == 0:
		return nil, syscall.EINVAL
	}
	return st.options.Route(e.stack.ip, to.Addr(), src, st.local.Addr())
}

// summer says who computes a checksum.
type summer uint8

const (
	checksumHere summer = iota
	checksumLink        // the link
	checksumNone        // nobody: SO_NO_CHECK
)

func checksumBy(st *state, route *ip.Route) summer {
	switch {
	case st.options.NoCheck:
		return checksumNone
	case route.Features().Checksum:
		return checksumLink
	}
	return checksumHere
}

// datagram makes a packet along route of a header and, borrowed, the payload b.
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
