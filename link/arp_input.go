package link

import (
	"net/netip"
	"time"

	"tunstack/internal/packet"
)

// arpInput handles a received ARP packet in the order of RFC 826, Packet Reception, after the checks of RFC 5227.
func (e *Ethernet) arpInput(now time.Duration, p *packet.Buffer) {
	a, ok := parseARP(p.Bytes())
	queue := p.Queue
	p.Free()
	switch {
	case !ok:
		e.arp.DropMalformed.Inc()
		return
	case a.sha == e.mac:
		e.arp.DropOwn.Inc()
		return
	case a.op != opRequest && a.op != opReply:
		e.arp.DropOperation.Inc()
		return
	case !e.host(&a):
		e.arp.DropSender.Inc()
		return
	case a.op == opRequest:
		e.arp.InRequests.Inc()
	default:
		e.arp.InReplies.Inc()
	}
	if e.detect(now, &a) {
		e.arp.DropConflict.Inc()
		return
	}
	e.mergeAndReply(now, &a, queue)
}

// mergeAndReply merges the sender into the cache, before it looks at the opcode, and answers a request for an own address.
func (e *Ethernet) mergeAndReply(now time.Duration, a *arpPacket, queue uint16) {
	var held []*packet.Buffer
	var poll *packet.Buffer
	e.mu.Lock()
	target := e.owns(a.tpa)
	if !a.spa.IsUnspecified() {
		held, poll = e.learn(now, a, target)
	}
	e.mu.Unlock()
	if poll != nil {
		e.write(poll)
	}
	for _, p := range held {
		e.send(p, a.sha)
	}
	if target && a.op == opRequest {
		e.arp.OutReplies.Inc()
		reply := arpPacket{op: opReply, sha: e.mac, spa: a.tpa, tha: a.sha, tpa: a.spa}
		p := reply.frameFor(a.sha)
		p.Queue = queue
		e.write(p)
	}
}

// owns says whether a is an own address, and no longer only probed for.
func (e *Ethernet) owns(a netip.Addr) bool {
	c := e.claims[a]
	return c != nil && c.owned
}

// sender is the address that a request is sent from on behalf of a datagram: the datagram's own, or if it is another
// host's, the lowest of ours. Without any it is zero.
func (e *Ethernet) sender(from netip.Addr) netip.Addr {
	if e.owns(from) {
		return from
	}
	lowest := netip.IPv4Unspecified()
	for a, c := range e.claims {
		if c.owned && (lowest.IsUnspecified() || a.Less(lowest)) {
			lowest = a
		}
	}
	return lowest
}
