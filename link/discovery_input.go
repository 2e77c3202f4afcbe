package link

import (
	"net/netip"
	"time"

	"tunstack/link/nd"
)

// Discover handles a valid message of neighbor discovery, which it does not keep (ip.Discoverer).
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
		d.introduced(now, m.Src, m.RouterSolicitation().Source, false)
	case nd.TypeRouterAdvertisement:
		d.introduced(now, m.Src, m.RouterAdvertisement().Source, true)
	case nd.TypeRedirect:
		r := m.Redirect()
		d.introduced(now, r.Target, r.TargetAddress, r.Target != r.Destination)
	}
}

// solicited handles a solicitation from src (RFC 4861 section 7.2.3, RFC 4862 section 5.4.3).
func (d *discovery) solicited(now time.Duration, src netip.Addr, s *nd.NeighborSolicitation) {
	e := d.e
	if src.IsUnspecified() {
		d.probed(now, s)
		return
	}
	if !e.handler.IsHost(src) {
		d.stats.DropSender.Inc()
		return
	}
	if conflict, _ := e.detect(now, src, netip.Addr{}, MAC(s.Source)); conflict {
		d.stats.Conflicts.Inc()
		return
	}
	e.mu.Lock()
	target := e.owns(s.Target)
	e.mu.Unlock()
	if !target {
		d.stats.DropTarget.Inc()
		return
	}
	d.introduced(now, src, s.Source, false)
	d.stats.OutAdvertisements.Inc()
	a := &nd.NeighborAdvertisement{Target: s.Target, Solicited: true, Override: true, TargetAddress: nd.LinkLayer(e.mac), Router: e.cfg.Router}
	if mac := MAC(s.Source); mac != (MAC{}) { // straight to the station: a flood of sources shall not count as neighbours in use
		e.write(d.frame(mac, s.Target, src, a))
		return
	}
	_ = e.Output(now, nd.New(s.Target, src, a), src) // EHOSTUNREACH: it has not answered our solicitations
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
	case c == nil:
		d.stats.DropTarget.Inc()
	case looped:
		d.stats.DropLooped.Inc()
	case owned:
		d.stats.OutAdvertisements.Inc()
		e.write(d.advertise(groupMAC(nd.AllNodes), nd.AllNodes, &nd.NeighborAdvertisement{Target: s.Target, Override: true}))
	default:
		d.stats.Conflicts.Inc()
		e.detect(now, netip.Addr{}, s.Target, MAC(s.Source))
	}
}

// advertised handles an advertisement (RFC 4861 section 7.2.5).
func (d *discovery) advertised(now time.Duration, a *nd.NeighborAdvertisement) {
	e := d.e
	if MAC(a.TargetAddress) == e.mac {
		d.stats.DropLooped.Inc()
		return
	}
	if conflict, _ := e.detect(now, a.Target, netip.Addr{}, MAC(a.TargetAddress)); conflict {
		d.stats.Conflicts.Inc()
		return
	}
	e.mu.Lock()
	n := e.table.get(a.Target)
	if n == nil || n.state == Incomplete && a.TargetAddress == (nd.LinkLayer{}) {
		e.mu.Unlock()
		d.stats.DropUnasked.Inc()
		return
	}
	wasRouter := n.router
	held := d.update(now, n, a)
	mac := n.mac
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
	changed := mac != (MAC{}) && mac != n.mac
	switch {
	case (n.state == Incomplete || n.state == Failed) && mac == (MAC{}):
		return nil
	case n.state == Incomplete || n.state == Failed:
	case changed && !a.Override:
		if n.state == Reachable {
			d.e.stale(now, n)
		}
		return nil
	}
	n.router = a.Router
	learned := n.state == Incomplete || n.state == Failed || changed
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
		d.e.ranking.touch(n)
	}
	return held
}

// introduced handles the link-layer address that a neighbour tells of itself, or that a router tells of another (RFC 4861 sections 6.2.6, 6.3.4,
// 7.2.3 and 8.3): it makes the entry, or changes its address, and does not confirm that the neighbour is reachable.
func (d *discovery) introduced(now time.Duration, a netip.Addr, address nd.LinkLayer, router bool) {
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
	n.router = n.router || router
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
