package icmp

import (
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/link/nd"
)

// DiscoveryStats is a pointer to the counters of received messages of neighbor discovery, for stats.Read.
func (s *Stack6) DiscoveryStats() any { return s.discovery.Stats() }

// discover handles a message of neighbor discovery (RFC 4861).
func (s *Stack6) discover(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	defer p.Free()
	m := nd.Message{Src: d.Src.WithZone(""), Dst: d.Dst.WithZone(""), HopLimit: d.TTL, Fragmented: d.Fragmented, Body: p.Bytes()}
	switch {
	case !m.Valid(&s.discovery):
	case m.Type() == nd.TypeRedirect:
		s.receiveRedirect(now, d, m.Redirect())
	default:
		d.In.Discover(now, &m)
	}
}

// receiveRedirect hands a Redirect to the transport that sent the quoted datagram. As in Linux, one without a quote goes to ip at once.
func (s *Stack6) receiveRedirect(now time.Duration, d *ip.Datagram, r nd.Redirect) {
	dst := d.In.Scoped(r.Destination)
	e := ip.Error{
		Kind: ip.Redirect, Type: nd.TypeRedirect, From: d.Src, In: d.In, Local: d.In.Loopback(),
		Gateway: d.In.Scoped(r.Target), GatewayAddress: r.TargetAddress, Datagram: r.Redirected,
	}
	if r.Redirected == nil {
		e.Quoted.Dst = dst
		s.ip.Redirect(now, &e)
		return
	}
	quoted, ok := s.quote(&e)
	if !ok || e.Quoted.Dst != dst {
		s.stats.DropQuote.Inc()
		return
	}
	s.ip.HandleError(now, &e, quoted)
}

// routeOf is the route of an error about d. A Redirect comes from the link-local address of the interface that received d.
func (s *Stack6) routeOf(e *ip.Error, d *ip.Datagram) (*ip.Route, error) {
	if e.Kind != ip.Redirect {
		return s.routeBack(d)
	}
	src := d.In.ReportSource(s.v6)
	if src.IsUnspecified() {
		return nil, syscall.EADDRNOTAVAIL
	}
	return s.ip.RouteVia(d.Src, d.In.Scoped(src), ip.Via{Device: d.In})
}

// redirect6 builds a Redirect, without its checksum, that quotes as much of p as fits the MTU of every link (RFC 4861 section 8.2).
func redirect6(e *ip.Error, d *ip.Datagram, p *packet.Buffer) *packet.Buffer {
	const quoteHeader = 8
	target := e.Gateway.WithZone("")
	r := nd.Redirect{Target: target, Destination: d.Dst.WithZone(""), TargetAddress: d.In.LinkLayerOf(target)}
	room := maxError6 - len(r.Append(nil)) - quoteHeader
	r.Redirected = make([]byte, min(p.Len(), room)&^7)
	p.CopyAt(r.Redirected, 0)
	m := packet.From(r.Append(nil))
	m.Queue = p.Queue
	return m
}
