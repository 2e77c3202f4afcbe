package link

import (
	"net/netip"
	"time"

	"tunstack/link/nd"
)

// Discover handles a valid message of neighbor discovery other than a Redirect, and does not keep it (ip.Discoverer).
func (e *Ethernet) Discover(now time.Duration, m *nd.Message) {
	d := &e.discovery
	switch m.Type() {
	case nd.TypeNeighborSolicitation:
		s := m.NeighborSolicitation()
		d.solicited(now, m.Src, &s)
	case nd.TypeNeighborAdvertisement:
		a := m.NeighborAdvertisement()
		d.advertised(now, &a)
	case nd.TypeRouterSolicitation:
		if !e.cfg.Router {
			d.stats.DropHost.Inc()
			return
		}
		d.introduced(now, m.Src, m.Source())
		d.setRouter(now, m.Src, false)
	case nd.TypeRouterAdvertisement:
		d.introduced(now, m.Src, m.Source())
		d.setRouter(now, m.Src, true)
	}
}

// Redirected takes the link-layer address of the target of a Redirect, which ip has accepted; zero: the Redirect does not tell. router: the target
// forwards to the destination (RFC 4861 section 8.3; ip.Discoverer).
func (e *Ethernet) Redirected(now time.Duration, target netip.Addr, address nd.LinkLayer, router bool) {
	e.discovery.introduced(now, target, address)
	if router {
		e.discovery.setRouter(now, target, true)
	}
}

// Confirm takes a transport's news that a neighbour has passed packets on (RFC 4861 section 7.3.1; ip.Discoverer).
func (e *Ethernet) Confirm(now time.Duration, a netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := e.table.get(a); n != nil && n.mac != (MAC{}) {
		e.confirm(now, n, e.discovery.pace(now).reachable)
	}
}

// LinkLayerOf is the link-layer address of a neighbour; zero: the cache has none (ip.Discoverer).
func (e *Ethernet) LinkLayerOf(a netip.Addr) nd.LinkLayer {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := e.table.get(a); n != nil {
		return nd.LinkLayer(n.mac)
	}
	return nd.LinkLayer{}
}

// solicited handles a solicitation from src (RFC 4861 section 7.2.3, RFC 4862 section 5.4.3).
func (d *discovery) solicited(now time.Duration, src netip.Addr, s *nd.NeighborSolicitation) {
	e := d.e
	if src.IsUnspecified() {
		d.probed(now, s)
		return
	}
	if MAC(s.Source) == e.mac {
		d.stats.DropLooped.Inc()
		return
	}
	if conflict, _ := e.detect(now, src, netip.Addr{}, MAC(s.Source)); conflict {
		d.stats.Conflicts.Inc()
		return
	}
	if !e.handler.IsHost(src) {
		d.stats.DropSender.Inc()
		return
	}
	e.mu.Lock()
	owned := e.owns(s.Target)
	e.mu.Unlock()
	if !owned && !e.handler.IsAnycast(s.Target) {
		d.stats.DropTarget.Inc()
		return
	}
	d.introduced(now, src, s.Source)
	a := nd.NeighborAdvertisement{Target: s.Target, Solicited: true}
	d.answer(now, reply{NeighborAdvertisement: a, dst: src, mac: MAC(s.Source), anycast: !owned})
}

// probed handles another host's duplicate address detection.
func (d *discovery) probed(now time.Duration, s *nd.NeighborSolicitation) {
	e := d.e
	e.mu.Lock()
	c := e.claims[s.Target]
	owned := c != nil && c.owned
	looped := c != nil && string(s.Nonce) == string(c.nonce[:])
	e.mu.Unlock()
	switch {
	case looped:
		d.stats.DropLooped.Inc()
	case owned, e.handler.IsAnycast(s.Target):
		a := nd.NeighborAdvertisement{Target: s.Target}
		d.answer(now, reply{NeighborAdvertisement: a, dst: nd.AllNodes, mac: groupMAC(nd.AllNodes), anycast: !owned})
	case c == nil:
		d.stats.DropTarget.Inc()
	default:
		d.stats.Conflicts.Inc()
		e.detect(now, netip.Addr{}, s.Target, MAC(s.Source))
	}
}

// advertised handles an advertisement (RFC 4861 section 7.2.5).
func (d *discovery) advertised(now time.Duration, a *nd.NeighborAdvertisement) {
	e, mac := d.e, MAC(a.TargetAddress)
	if mac == e.mac {
		d.stats.DropLooped.Inc()
		return
	}
	if conflict, _ := e.detect(now, a.Target, netip.Addr{}, mac); conflict {
		d.stats.Conflicts.Inc()
		return
	}
	e.mu.Lock()
	n := e.table.get(a.Target)
	if n == nil && e.cfg.Router && mac != (MAC{}) { // a host's new address, which the router will need soon (RFC 9131 section 6.1.2)
		e.mu.Unlock()
		d.introduced(now, a.Target, a.TargetAddress)
		return
	}
	if n == nil || n.state == Failed || n.state == Incomplete && mac == (MAC{}) { // in Linux, too, a failed neighbour has to be asked again
		e.mu.Unlock()
		d.stats.DropUnasked.Inc()
		return
	}
	wasRouter := n.router
	held := d.update(now, n, a)
	mac = n.mac
	e.mu.Unlock()
	for _, p := range held {
		e.send(p, mac)
	}
	if wasRouter && !a.Router {
		e.handler.NotRouter(now, a.Target)
	}
}

// update applies an advertisement to an entry, and returns the packets that were held for the neighbour.
func (d *discovery) update(now time.Duration, n *neighbor, a *nd.NeighborAdvertisement) (held []*Packet) {
	mac := MAC(a.TargetAddress)
	learned := mac != (MAC{}) && mac != n.mac
	if learned && !a.Override && n.state != Incomplete {
		if n.state == Reachable {
			d.e.stale(now, n)
		}
		return nil
	}
	n.router = a.Router
	if mac != (MAC{}) {
		n.mac = mac
	}
	switch {
	case a.Solicited:
		d.e.confirm(now, n, d.pace(now).reachable)
	case learned:
		d.e.stale(now, n)
	}
	return d.release(now, n)
}

// release returns the packets that were held for a neighbour whose MAC is known now. If the neighbour is STALE, they begin a check.
func (d *discovery) release(now time.Duration, n *neighbor) []*Packet {
	held := d.e.held.take(n)
	if len(held) > 0 && n.state == Stale {
		d.e.check(now, n)
		d.e.rank(n)
	}
	return held
}

// introduced handles the link-layer address that a neighbour tells of itself, or that a router tells of another (RFC 4861 sections 6.2.6, 6.3.4,
// 7.2.3 and 8.3): it makes the entry, or changes its address, and does not confirm that the neighbour is reachable.
func (d *discovery) introduced(now time.Duration, a netip.Addr, address nd.LinkLayer) {
	e, mac := d.e, MAC(address)
	if mac == (MAC{}) || mac == e.mac || !e.handler.IsHost(a) {
		return
	}
	e.mu.Lock()
	n := e.table.get(a)
	if n == nil {
		if n = e.addUnasked(a); n == nil {
			e.mu.Unlock()
			e.neighbors.DropCacheFull.Inc()
			return
		}
	}
	var held []*Packet
	if n.mac != mac {
		n.mac = mac
		e.stale(now, n)
		held = d.release(now, n)
	}
	e.mu.Unlock()
	for _, p := range held {
		e.send(p, mac)
	}
}

// setRouter notes whether a neighbour is a router, if it is in the cache (RFC 4861 sections 6.2.6, 6.3.4 and 8.3).
func (d *discovery) setRouter(now time.Duration, a netip.Addr, router bool) {
	e := d.e
	e.mu.Lock()
	n := e.table.get(a)
	stopped := n != nil && n.router && !router
	if n != nil {
		n.router = router
	}
	e.mu.Unlock()
	if stopped {
		e.handler.NotRouter(now, a)
	}
}
