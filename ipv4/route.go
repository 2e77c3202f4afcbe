package ipv4

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"syscall"

	"tunstack/internal/packet"
)

// Route is the way to a destination, looked up once and kept by whoever sends there often. Routes are shared and safe
// for concurrent use: after a change of the stack's tables they look themselves up again, at the next use.
type Route struct {
	Src, Dst netip.Addr

	stack  *Stack
	wanted netip.Addr // what Stack.Route was asked for as source
	born   uint64     // the generation whose choice Src is
	cached atomic.Pointer[path]
}

// path is what a Route knows, as of one generation of the stack's tables.
type path struct {
	generation uint64
	out        *Interface
	nextHop    netip.Addr
	src        netip.Addr // for a Route that has none yet
	cast       packet.Cast
	mtu        int
	noDF       bool  // the path MTU is below the floor: routers on the path must be allowed to fragment
	err        error // no way now
}

// Route finds the way to dst. src chooses the source address; the zero Addr (or 0.0.0.0) leaves it to the stack. For a multicast
// or the limited broadcast src also chooses the interface. Errors:
// ENETUNREACH without a route, EADDRNOTAVAIL if src is not an own address, EINVAL for a dst that is none.
func (s *Stack) Route(dst, src netip.Addr) (*Route, error) {
	dst, src = dst.Unmap(), src.Unmap()
	if src.IsUnspecified() {
		src = netip.Addr{}
	}
	if !dst.Is4() || src.IsValid() && !src.Is4() {
		return nil, syscall.EINVAL
	}
	slot := &s.routes[routeSlot(dst, src)]
	if r := slot.Load(); r != nil && r.Dst == dst && r.wanted == src && r.born == s.generation.Load() {
		return r, nil
	}
	p := s.resolve(dst, src)
	if p.err != nil {
		return nil, p.err
	}
	r := &Route{Src: p.src, Dst: dst, stack: s, wanted: src, born: p.generation}
	r.cached.Store(p)
	slot.Store(r)
	return r, nil
}

func routeSlot(dst, src netip.Addr) uint8 {
	d := dst.As4()
	h := binary.BigEndian.Uint32(d[:])
	if src.IsValid() {
		a := src.As4()
		h += binary.BigEndian.Uint32(a[:]) * 5
	}
	return uint8((h * 0x9e3779b1) >> 24)
}

// path is the way as the tables are now.
func (r *Route) path() *path {
	p := r.cached.Load()
	if p.generation == r.stack.generation.Load() {
		return p
	}
	p = r.stack.resolve(r.Dst, r.Src)
	r.cached.Store(p)
	return p
}

// MTU is the path MTU in octets as it is known now (RFC 1191); 0 when the way is lost. The largest transport message that goes
// unfragmented, MMS_S of RFC 1122 section 3.3.3, is HeaderLen and the options less.
func (r *Route) MTU() int { return r.path().mtu }

// Features is what the link of the route takes over.
func (r *Route) Features() packet.Features {
	if p := r.path(); p.out != nil {
		return p.out.features
	}
	return packet.Features{}
}

// Cast is how packets to the destination are addressed.
func (r *Route) Cast() packet.Cast { return r.path().cast }

// Interface is where the route leaves the host, nil when the way is lost. Its MTU is the first hop's, whatever the path's.
func (r *Route) Interface() *Interface { return r.path().out }

// resolve finds the way to dst from src, which is chosen if it is the zero Addr.
func (s *Stack) resolve(dst, src netip.Addr) *path {
	p := &path{generation: s.generation.Load(), src: src, nextHop: dst}
	t := s.table.Load()
	if p.err = p.choose(t, dst, src); p.err != nil {
		p.out = nil
		return p
	}
	if !p.src.IsValid() {
		if p.err = p.chooseSource(t, dst); p.err != nil {
			p.out = nil
			return p
		}
	}
	p.mtu, p.noDF = s.pmtu.get(dst, p.out.mtu)
	return p
}

// choose sets the interface, the next hop and the cast.
func (p *path) choose(t *table, dst, src netip.Addr) error {
	d := dst.As4()
	if src.IsValid() && !src.IsUnspecified() && !t.isLocal(src.As4()) {
		return syscall.EADDRNOTAVAIL
	}
	p.cast = t.castOf(d)
	switch {
	case d[0] == 0 || d[0] >= 240 && d != limitedBroadcast:
		return syscall.EINVAL
	case t.isLocal(d) || d[0] == 127:
		p.out = t.loopback
	case p.cast == packet.Multicast || d == limitedBroadcast:
		p.out = t.groupInterface(d, src)
	default:
		if r := t.lookup(d); r != nil {
			p.out = r.out
			if !src.IsValid() {
				p.src = r.src
			}
			if r.gateway.IsValid() {
				p.nextHop = r.gateway
			}
		}
	}
	switch {
	case p.out == nil:
		return syscall.ENETUNREACH
	case src.IsLoopback() && !p.out.loopback: // RFC 1122 section 3.2.1.3(g)
		return syscall.EINVAL
	}
	return nil
}

func (p *path) chooseSource(t *table, dst netip.Addr) error {
	switch {
	case t.local[dst.As4()] != nil:
		p.src = dst // a host talks to itself from the address it is asked for
	default:
		p.src = t.sourceFor(p.out, p.nextHop)
	}
	if !p.src.IsValid() {
		if dst.As4() != limitedBroadcast {
			return syscall.EADDRNOTAVAIL
		}
		p.src = netip.IPv4Unspecified() // a host that is learning its address (RFC 1122 section 3.2.1.3)
	}
	return nil
}
