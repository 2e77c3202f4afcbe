package link

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
	"tunstack/link/nd"
)

// Constants of RFC 4861 section 10.
const (
	retransTimer        = time.Second
	reachableTime       = 30 * time.Second
	delayFirstProbeTime = 5 * time.Second
	maxMulticastSolicit = 3
	maxUnicastSolicit   = 3
)

// redrawInterval is the time after which ReachableTime is drawn anew from an unchanged base (RFC 4861 section 6.3.4: "every few hours").
const redrawInterval = 2 * time.Hour

// discovery is the resolver of IPv6: neighbor discovery (RFC 4861 section 7) and duplicate address detection (RFC 4862 section 5.4). Ethernet.mu
// guards its times.
type discovery struct {
	e     *Ethernet
	stats discoveryCounters

	base, retrans time.Duration // BaseReachableTime and RetransTimer
	reachable     time.Duration // ReachableTime
	drawn         time.Duration // when reachable was drawn; never: it has to be
	delayed       int           // answers that wait

	claiming
}

func (d *discovery) init(e *Ethernet) {
	d.e, d.base, d.retrans, d.drawn = e, orDefault(e.cfg.Neighbors.Reachable, reachableTime), retransTimer, never
	d.acd = e.cfg.ACD.dad(d.retrans)
}

// SetNeighborTimes sets BaseReachableTime and RetransTimer (RFC 4861 section 6.3.2); 0 leaves a time as it is.
func (e *Ethernet) SetNeighborTimes(reachable, retrans time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := &e.discovery
	if reachable > 0 && reachable != d.base {
		d.base, d.drawn = reachable, never
	}
	if retrans > 0 {
		d.retrans, d.acd = retrans, e.cfg.ACD.dad(retrans)
	}
}

// pace implements resolver.
func (d *discovery) pace(now time.Duration) pace {
	if d.drawn == never || now-d.drawn >= redrawInterval {
		d.reachable, d.drawn = d.e.between(d.base/2, d.base*3/2), now
	}
	return pace{
		interval: d.retrans, multicast: maxMulticastSolicit, unicast: maxUnicastSolicit,
		reachable: d.reachable, delay: delayFirstProbeTime,
	}
}

// request implements resolver: a solicitation, from the address of the packet that asks for it (RFC 4861 section 7.2.2). A host without an
// address sends none.
func (d *discovery) request(target, source netip.Addr, to MAC) *Packet {
	if !source.IsValid() {
		return nil
	}
	d.stats.OutSolicitations.Inc()
	dst := target
	if to == (MAC{}) {
		dst = nd.SolicitedNode(target)
		to = groupMAC(dst)
	}
	return d.frame(to, source, dst, &nd.NeighborSolicitation{Target: target, Source: nd.LinkLayer(d.e.mac)})
}

// probe implements resolver: a solicitation from the unspecified address, with a nonce by which the stack knows it again if the link returns it
// (RFC 7527 section 4.1). As in Linux all probes of a claim have one nonce.
func (d *discovery) probe(c *claim) *Packet {
	d.stats.OutProbes.Inc()
	dst := nd.SolicitedNode(c.addr)
	return d.frame(groupMAC(dst), netip.IPv6Unspecified(), dst, &nd.NeighborSolicitation{Target: c.addr, Nonce: c.nonce[:]})
}

// announce implements resolver: an advertisement by which the routers learn a global address before they need it (RFC 9131 section 6.1.1).
func (d *discovery) announce(addr netip.Addr) *Packet {
	if addr.IsLinkLocalUnicast() {
		return nil
	}
	d.stats.OutAnnounces.Inc()
	a := &nd.NeighborAdvertisement{Target: addr, TargetAddress: nd.LinkLayer(d.e.mac), Router: d.e.cfg.Router}
	return d.frame(groupMAC(nd.AllRouters), addr, nd.AllRouters, a)
}

// defend implements resolver. RFC 4862 section 5.4 has no defence: the conflict is reported, and the advertisement that the other host's probe
// draws keeps it from the address.
func (d *discovery) defend(netip.Addr) *Packet { return nil }

func (d *discovery) frame(to MAC, src, dst netip.Addr, m nd.Appender) *Packet {
	p := nd.New(src, dst, m)
	p.Cast = packet.Unicast
	putFrame(p.Prepend(headerSize), to, d.e.mac, typeIPv6)
	return p
}
