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
	return e.gather(b, to, src, false)
}

// SendMore is Send of a part of a datagram (MSG_MORE), which leaves with the next Send, to the peer that the first call named. With
// HdrIncl it is Send.
func (e *Socket) SendMore(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
	return e.gather(b, to, src, true)
}

func (e *Socket) gather(b []byte, to netip.AddrPort, src netip.Addr, more bool) (int, error) {
	st := e.State()
	if st.Options.HdrIncl || !more && !e.cork.Pending() {
		return e.send(b, to, src)
	}
	route, err := e.RouteTo(st, portless(to), src) // of each call, not only of the first as in UDP; as on Linux
	if err != nil {
		return 0, err
	}
	check := func() (int, error) { return route.MaxPayload(st.Headers.For(route)), e.Sendable() }
	return e.cork.Add(b, to, src, more, check, e.send)
}

func (e *Socket) send(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
	st := e.State()
	route, err := e.RouteTo(st, portless(to), src)
	if err != nil {
		return 0, err
	}
	if len(b) > ip.MaxDatagram {
		return 0, syscall.EMSGSIZE
	}
	if err := e.Sendable(); err != nil {
		return 0, err
	}
	if err := e.transmit(st, route, b); err != nil {
		e.stack.stats.OutFailed.Inc()
		e.Refused(&st.Options, err, netip.AddrPortFrom(route.Dst, 0), route.MTU())
		return 0, err
	}
	e.stack.stats.OutDatagrams.Inc()
	return len(b), nil
}

func (e *Socket) transmit(st *dgram.State, route *ip.Route, b []byte) error {
	p := packet.New(0)
	now := e.stack.clock.Now()
	if at := e.checksumAt(st); at >= 0 {
		var err error
		if b, err = e.withChecksum(route, b, at); err != nil {
			p.Free()
			return err
		}
	}
	p.Borrow([2][]byte{b})
	if st.Options.HdrIncl {
		return e.stack.ip.SendRaw(now, route, p)
	}
	return e.stack.ip.Send(now, route, st.Headers.For(route), p)
}
