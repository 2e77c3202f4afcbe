package raw

import (
	"net/netip"
	"syscall"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/dgram"
)

// Send sends b as the payload of one datagram, or with HdrIncl as the whole of it, to the address given or with a zero AddrPort to
// the connected one. src, when valid, chooses the source address. Send does not keep b. Errors: EDESTADDRREQ, EMSGSIZE, EACCES, EPIPE after
// Shutdown, EINVAL for an invalid header.
func (e *Socket) Send(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
	return e.SendMsg(b, to, dgram.Control{Src: src}, false)
}

// SendMsg is Send with the choices in c. With more (MSG_MORE) it sends a part of a datagram, which leaves with the next Send, to the peer that
// the first call named. With HdrIncl more has no effect.
func (e *Socket) SendMsg(b []byte, to netip.AddrPort, c dgram.Control, more bool) (int, error) {
	st := e.State()
	if st.Options.HdrIncl || !more && !e.cork.Pending() {
		return e.send(b, to, c)
	}
	if err := e.checkPort(to); err != nil {
		return 0, err
	}
	route, o, err := e.Prepare(st, portless(to), &c) // of each call, not only of the first as in UDP; as on Linux
	if err != nil {
		return 0, err
	}
	check := func() (int, error) { return route.MaxPayload(o), e.Sendable() }
	return e.cork.Add(b, to, c, more, check, e.send)
}

// checkPort checks the port of a destination. As on Linux that of an IPv6 socket is 0 or the protocol; an IPv4 socket ignores it.
func (e *Socket) checkPort(to netip.AddrPort) error {
	if p := to.Port(); p != 0 && p != uint16(e.protocol) && e.State().Options.Versions == ip.V6 && !e.ping {
		return syscall.EINVAL
	}
	return nil
}

func (e *Socket) send(b []byte, to netip.AddrPort, c dgram.Control) (int, error) {
	st := e.State()
	if err := e.checkPort(to); err != nil {
		return 0, err
	}
	route, o, err := e.Prepare(st, portless(to), &c)
	if err != nil {
		return 0, err
	}
	if len(b) > ip.MaxDatagram {
		return 0, syscall.EMSGSIZE
	}
	if err := e.Sendable(); err != nil {
		return 0, err
	}
	if err := e.transmit(st, route, o, b); err != nil {
		e.stack.stats.OutFailed.Inc()
		e.Refused(&st.Options, &o, err, netip.AddrPortFrom(route.Dst, 0), route.MTU())
		return 0, err
	}
	e.stack.stats.OutDatagrams.Inc()
	return len(b), nil
}

func (e *Socket) transmit(st *dgram.State, route *ip.Route, o ip.Outgoing, b []byte) error {
	if at := e.checksumAt(st); at >= 0 && !st.Options.HdrIncl {
		var err error
		if b, err = e.withChecksum(route, b, at); err != nil {
			return err
		}
	}
	p := packet.New(0)
	p.Borrow([2][]byte{b})
	now := e.stack.clock.Now()
	switch {
	case st.Options.HdrIncl:
		return e.stack.ip.SendRaw(now, route, p)
	case dgram.Stays(route, &o):
		p.Free()
		return nil
	}
	return e.stack.ip.Send(now, route, o, p)
}
