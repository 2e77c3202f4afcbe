package ip

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/addrkey"
	"tunstack/internal/checksum"
	"tunstack/internal/packet"
)

// Route is the way to a destination, looked up once and kept by a sender. Routes are shared and safe for concurrent use: after
// a change of the stack's tables a Route is looked up again at its next use.
type Route struct {
	Src, Dst netip.Addr

	stack  *Stack
	via    Via
	born   uint64 // the generation whose choice Src is
	cached atomic.Pointer[Path]
	quiet  atomic.Int64 // Confirm does nothing before that time
	hash   uint32       // of Src and Dst
	sum    uint16       // checksum.Addresses of Src and Dst
	chosen bool         // the stack chose Src
}

// Path is the result of a lookup, for one generation of the stack's tables.
type Path struct {
	Out     *Interface
	NextHop netip.Addr // on the link of Out: without a zone
	Cast    packet.Cast
	MTU     int
	NoDF    bool  // the path MTU is below the floor: routers on the path must be allowed to fragment
	Err     error // there is no way now

	generation uint64
	src        netip.Addr // for a Route that has no source yet
}

// Route finds the way to dst; an unspecified dst is the stack itself: src, or else the loopback address. src chooses the source
// address; if src is the zero Addr (or unspecified) the stack chooses. For a multicast or the limited broadcast src also chooses
// the interface, and so does the zone of an IPv6 dst. Errors: ENETUNREACH without a route and for an IPv4 src that is not one of the
// stack's own addresses, EADDRNOTAVAIL for such an IPv6 src and for a link without addresses, EINVAL for a dst that is not a destination, and for a link-local one without a zone if there are several links;
// ENODEV for a zone that names no interface.
func (s *Stack) Route(dst, src netip.Addr) (*Route, error) { return s.RouteVia(dst, src, Via{}) }

// RouteVia is Route restricted by via.
func (s *Stack) RouteVia(dst, src netip.Addr, via Via) (*Route, error) {
	dst, src = dst.Unmap(), src.Unmap()
	if src.IsUnspecified() {
		src = netip.Addr{}
	}
	if s.FamilyOf(dst) == nil || src.IsValid() && src.Is4() != dst.Is4() {
		return nil, syscall.EINVAL
	}
	if dst.IsUnspecified() {
		dst = s.FamilyOf(dst).Loopback().Addr()
		if src.IsValid() {
			dst = src
		}
	}
	if dst.Is6() && (dst.Zone() != "" || IsLinkLocal6(dst)) {
		var err error
		if dst, via, err = s.onLink(dst, src, via); err != nil {
			return nil, err
		}
	}
	slot := &s.routes[routeSlot(dst, src)]
	if r := slot.Load(); r != nil && r.isFor(dst, src) && r.via == via && r.born == s.generation.Load() {
		return r, nil
	}
	p := s.resolve(dst, src, via)
	if p.Err != nil {
		return nil, p.Err
	}
	r := &Route{
		Src: p.src, Dst: dst, stack: s, via: via, chosen: !src.IsValid(), born: p.generation,
		hash: uint32(s.key.Addrs(p.src, dst)), sum: checksum.Addresses(p.src, dst),
	}
	r.cached.Store(p)
	slot.Store(r)
	return r, nil
}

// isFor reports whether Stack.Route made the route for dst and src; the zero src leaves the source to the stack.
func (r *Route) isFor(dst, src netip.Addr) bool {
	return r.Dst == dst && r.chosen != src.IsValid() && (r.chosen || r.Src == src)
}

// onLink adds the zone to a link-local address and lets the zone of any address choose the interface. A link-local address
// without a zone gets that of src, else of the device in via, else of the only link.
func (s *Stack) onLink(dst, src netip.Addr, via Via) (netip.Addr, Via, error) {
	dst, zone, ok := s.ScopedBy(dst)
	if !ok {
		return dst, via, syscall.ENODEV
	}
	t := s.table.Load()
	switch {
	case zone != nil:
	case IsLinkLocal6(src):
		zone = t.byName(src.Zone())
	case via.Device != nil:
		zone = via.Device
	default:
		zone = t.onlyLink()
	}
	if zone == nil || via.Device != nil && via.Device != zone {
		return dst, via, syscall.EINVAL
	}
	via.Device = zone
	if IsLinkLocal6(dst) {
		dst = dst.WithZone(zone.name)
	}
	return dst, via, nil
}

func routeSlot(dst, src netip.Addr) uint8 {
	d := dst.As16()
	h := binary.BigEndian.Uint64(d[:])*31 + binary.BigEndian.Uint64(d[8:])
	if src.IsValid() {
		a := src.As16()
		h += binary.BigEndian.Uint64(a[8:]) * 5
	}
	return uint8(h * 0x9e3779b97f4a7c15 >> 56)
}

// Path is the current way. The caller must not change it.
func (r *Route) Path() *Path {
	p := r.cached.Load()
	if p.generation == r.stack.generation.Load() {
		return p
	}
	p = r.stack.resolve(r.Dst, r.Src, r.via)
	r.cached.Store(p)
	return p
}

// MTU is the path MTU in bytes as it is known now (RFC 1191); 0 when there is no way. The largest transport message that goes
// unfragmented, MMS_S of RFC 1122 section 3.3.3, is MTU less HeaderLen and the options.
func (r *Route) MTU() int { return r.Path().MTU }

// HeaderLen is the length of the family's header without options, in bytes.
func (r *Route) HeaderLen() int { return r.Family().HeaderLen() }

// MaxPayload is the largest transport message in bytes, header included, that a datagram with the fields of o carries.
func (r *Route) MaxPayload(o Outgoing) int { return r.Family().MaxPayload() - o.OptionsLen() }

// Hash is a hash of Src and Dst under Config.Secret.
func (r *Route) Hash() uint32 { return r.hash }

// Family is the IP version of the route.
func (r *Route) Family() Family { return r.stack.families[index(r.Dst)] }

// PseudoSum is the checksum of the pseudo-header over n bytes of transport header and payload (RFC 9293 section 3.1).
func (r *Route) PseudoSum(protocol uint8, n int) uint16 {
	return checksum.PseudoFrom(r.sum, protocol, n)
}

// Features is the work that the link of the route takes over.
func (r *Route) Features() packet.Features {
	if p := r.Path(); p.Out != nil {
		return p.Out.features
	}
	return packet.Features{}
}

// Cast is how packets to the destination are addressed.
func (r *Route) Cast() packet.Cast { return r.Path().Cast }

// Interface is the interface by which the route leaves the stack, nil when there is no way. Its MTU is the first hop's,
// whatever the path MTU is.
func (r *Route) Interface() *Interface { return r.Path().Out }

// confirmInterval is the least time between two confirmations of a next hop along one route.
const confirmInterval = time.Second

// Confirm takes a transport's news that the peer has received what was sent along r: the link need not ask whether the next hop answers
// (RFC 4861 section 7.3.1).
func (r *Route) Confirm(now time.Duration) {
	if now < time.Duration(r.quiet.Load()) {
		return
	}
	r.quiet.Store(int64(now + confirmInterval))
	if p := r.Path(); p.Out != nil {
		if l, ok := p.Out.link.(Discoverer); ok {
			l.Confirm(now, p.NextHop)
		}
	}
}

// resolve finds the way to dst from src; it chooses the source if src is the zero Addr.
func (s *Stack) resolve(dst, src netip.Addr, via Via) *Path {
	p := &Path{generation: s.generation.Load(), src: src, NextHop: dst.WithZone("")}
	t := s.table.Load()
	if p.Err = s.choose(t, p, dst, src, via); p.Err == nil && !p.src.IsValid() {
		p.Err = s.chooseSource(t, p, dst, via)
	}
	if p.Err != nil {
		p.Out = nil
		return p
	}
	p.MTU, p.NoDF = s.pmtu.get(dst, p.Out.MTUTo(dst))
	return p
}

// NextHop finds the way to dst for a datagram being forwarded. MTU is the first hop's.
func (s *Stack) NextHop(dst netip.Addr) (Path, error) {
	p := Path{NextHop: dst} // which is not of one link
	if err := s.choose(s.table.Load(), &p, dst, netip.Addr{}, Via{}); err != nil {
		return p, err
	}
	p.MTU = p.Out.MTUTo(dst)
	return p, nil
}

// choose sets the interface, the next hop and the cast.
func (s *Stack) choose(t *table, p *Path, dst, src netip.Addr, via Via) error {
	if err := s.checkSource(t, src, via); err != nil {
		return err
	}
	to := s.classIn(t, dst)
	p.Cast = to.Cast
	switch {
	case to.Form == FormInvalid || to.Form == FormUnspecified:
		return syscall.EINVAL
	case to.Local || to.Form == FormLoopback:
		p.Out = t.loopback
	case to.Form == FormMulticast || to.Form == FormBroadcast:
		p.Out = t.group(dst, src, via)
	case IsLinkLocal6(dst):
		if out := t.byName(dst.Zone()); out != nil && !out.loopback {
			p.Out = out
		}
	default:
		p.follow(t.lookupTo(dst, src, via), src)
	}
	switch {
	case p.Out == nil:
		return syscall.ENETUNREACH
	case src.IsLoopback() && !p.Out.loopback: // RFC 1122 section 3.2.1.3(g)
		return syscall.EINVAL
	case src.Is6() && !via.Foreign && !t.candidate(src, dst, p.Out):
		return syscall.EINVAL
	}
	return nil
}

// checkSource checks that the stack may send from the address that the caller has chosen. The errors for an address of no interface are
// those of Linux; IPv6 sends there from an address that it has lost.
func (s *Stack) checkSource(t *table, src netip.Addr, via Via) error {
	if !src.IsValid() || src.IsUnspecified() {
		return nil
	}
	switch own := s.classIn(t, src); {
	case own.Local && !own.Anycast, via.Foreign && own.Form == FormHost && src.Is6():
		return nil
	case src.Is4():
		return syscall.ENETUNREACH
	}
	return syscall.EADDRNOTAVAIL
}

// follow copies interface, next hop and preferred source from a route; nil: there is no route.
func (p *Path) follow(r *routeEntry, src netip.Addr) {
	if r == nil {
		return
	}
	p.Out = r.out
	if !src.IsValid() && !(r.connected && r.src.Is6()) { // IPv6 chooses among all addresses
		p.src = r.src
	}
	if r.gateway.IsValid() {
		p.NextHop = r.gateway.WithZone("")
	}
}

func (s *Stack) chooseSource(t *table, p *Path, dst netip.Addr, via Via) error {
	switch {
	case via.NoAddr && FormOf(dst) == FormBroadcast:
	case t.local[addrkey.Of(dst)] != nil:
		p.src = dst // the stack talks to itself from the destination address
	case dst.Is6():
		p.src = t.selectSource(s.cfg.Policy, p.Out, p.NextHop, dst, via.Public)
	default:
		p.src = t.sourceFor(p.Out, p.NextHop)
	}
	switch {
	case p.src.IsValid():
		return nil
	case FormOf(dst) != FormBroadcast:
		return syscall.EADDRNOTAVAIL
	}
	p.src = netip.IPv4Unspecified() // a stack that is learning its address (RFC 1122 section 3.2.1.3)
	return nil
}
