package link

import (
	"net/netip"
	"time"
)

// input handles a received ARP packet in the order of RFC 826, Packet Reception, after the checks of RFC 5227. It takes p over.
func (a *arp) input(now time.Duration, p *Packet) {
	in, ok := parseARP(p.Bytes())
	queue := p.Queue
	p.Free()
	switch {
	case !ok:
		a.stats.DropMalformed.Inc()
		return
	case in.sha == a.e.mac:
		a.stats.DropOwn.Inc()
		return
	case in.op != opRequest && in.op != opReply:
		a.stats.DropOperation.Inc()
		return
	case !a.fromHost(&in):
		a.stats.DropSender.Inc()
		return
	case in.op == opRequest:
		a.stats.InRequests.Inc()
	default:
		a.stats.InReplies.Inc()
	}
	probed := netip.Addr{}
	if in.probe() {
		probed = in.tpa
	}
	conflict, owned := a.e.detect(now, in.spa, probed, in.sha)
	if conflict {
		a.stats.Conflicts.Inc()
	}
	if owned {
		a.stats.DropConflict.Inc()
		return
	}
	a.mergeAndReply(now, &in, queue)
}

// mergeAndReply merges the sender into the cache, before it looks at the opcode, and answers a request for an owned address.
func (a *arp) mergeAndReply(now time.Duration, in *arpPacket, queue uint16) {
	e := a.e
	var held []*Packet
	var poll *Packet
	e.mu.Lock()
	target := e.owns(in.tpa)
	if !in.spa.IsUnspecified() {
		held, poll = e.learn(now, in.spa, in.sha, target)
	}
	e.mu.Unlock()
	if poll != nil {
		e.write(poll)
	}
	for _, p := range held {
		e.send(p, in.sha)
	}
	if target && in.op == opRequest {
		a.stats.OutReplies.Inc()
		reply := arpPacket{op: opReply, sha: e.mac, spa: in.tpa, tha: in.sha, tpa: in.spa}
		p := reply.frameFor(in.sha)
		p.Queue = queue
		e.write(p)
	}
}
