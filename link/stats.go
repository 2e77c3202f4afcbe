package link

import "tunstack/internal/stats"

// counters are the counters of every link. A reason that does not occur on a kind of link stays zero.
type counters struct {
	InPackets       stats.Counter `name:"link.in.packets" doc:"packets or frames received"`
	InBytes         stats.Counter `name:"link.in.bytes" doc:"bytes received, link headers included"`
	OutPackets      stats.Counter `name:"link.out.packets" doc:"packets or frames sent"`
	OutBytes        stats.Counter `name:"link.out.bytes" doc:"bytes sent, link headers included"`
	DropRunt        stats.Counter `name:"link.drop.runt" doc:"frame shorter than its header or its 802.3 length" rfc:"RFC 894; RFC 1042"`
	DropSource      stats.Counter `name:"link.drop.bad_source" doc:"frame from a group address" rfc:"IEEE 802.3 3.2.3"`
	DropDestination stats.Counter `name:"link.drop.not_for_us" doc:"frame for another station or a group not joined" rfc:"IEEE 802.3 4.2.9; RFC 1112 6.4"`
	DropType        stats.Counter `name:"link.drop.unknown_type" doc:"EtherType of neither IPv4, IPv6 nor ARP" rfc:"RFC 894; RFC 1042"`
	DropVersion     stats.Counter `name:"link.drop.wrong_version" doc:"datagram of another IP version than the EtherType" rfc:"RFC 894; RFC 2464 3"`
	DropDevice      stats.Counter `name:"link.drop.device" doc:"the device refused a packet, which was lost"`
	DropQueueFull   stats.Counter `name:"link.drop.queue_full" doc:"too many packets in the queue of the loopback"`
	DropTooLong     stats.Counter `name:"link.drop.too_long" doc:"injected datagram longer than 65,535 bytes" rfc:"RFC 791 3.1"`
}

// arpCounters are the counters of ARP and of address conflict detection.
type arpCounters struct {
	InRequests    stats.Counter `name:"arp.in.requests" doc:"requests received" rfc:"RFC 826"`
	InReplies     stats.Counter `name:"arp.in.replies" doc:"replies received" rfc:"RFC 826"`
	OutRequests   stats.Counter `name:"arp.out.requests" doc:"requests sent, unicast polls included" rfc:"RFC 826"`
	OutReplies    stats.Counter `name:"arp.out.replies" doc:"replies sent" rfc:"RFC 826"`
	OutProbes     stats.Counter `name:"arp.out.probes" doc:"probes for an address to be claimed" rfc:"RFC 5227 2.1.1"`
	OutAnnounces  stats.Counter `name:"arp.out.announcements" doc:"announcements of an address of the stack" rfc:"RFC 5227 2.3, 2.4"`
	Conflicts     stats.Counter `name:"arp.conflicts" doc:"another host used, or probed for, an address of the stack" rfc:"RFC 5227 2.1.1, 2.4"`
	DropMalformed stats.Counter `name:"arp.drop.malformed" doc:"truncated, or not Ethernet and IPv4" rfc:"RFC 826 Packet Reception"`
	DropOperation stats.Counter `name:"arp.drop.unknown_operation" doc:"neither a request nor a reply" rfc:"RFC 826 Packet Reception"`
	DropSender    stats.Counter `name:"arp.drop.bad_sender" doc:"the sender cannot be a host: a group, broadcast or zero hardware address, or an IP address that no host on the network can have" rfc:"RFC 1122 3.2.1.3; RFC 1812 3.3.2"`
	DropOwn       stats.Counter `name:"arp.drop.own" doc:"the sender has the stack's hardware address" rfc:"RFC 5227 2.4"`
	DropConflict  stats.Counter `name:"arp.drop.conflict" doc:"the sender claims an address of the stack" rfc:"RFC 5227 2.4"`
}

// discoveryCounters are the counters of neighbor discovery on one link, beside those of nd.Counters.
type discoveryCounters struct {
	OutSolicitations  stats.Counter `name:"nd.out.neighbor_solicitations" doc:"solicitations sent to find a neighbour or to check one" rfc:"RFC 4861 7.2.2, 7.3.3"`
	OutAdvertisements stats.Counter `name:"nd.out.neighbor_advertisements" doc:"advertisements sent as answers" rfc:"RFC 4861 7.2.4"`
	OutProbes         stats.Counter `name:"nd.out.probes" doc:"probes for an address to be claimed" rfc:"RFC 4862 5.4.2"`
	OutAnnounces      stats.Counter `name:"nd.out.announcements" doc:"announcements of a new address to the routers" rfc:"RFC 9131 6.1.1"`
	Conflicts         stats.Counter `name:"nd.conflicts" doc:"another host used, or probed for, an address of the stack" rfc:"RFC 4862 5.4"`
	DropTarget        stats.Counter `name:"nd.drop.not_our_target" doc:"solicitation of an address that is not the stack's" rfc:"RFC 4861 7.2.3"`
	DropHost          stats.Counter `name:"nd.drop.not_a_router" doc:"router solicitation, which a host does not answer" rfc:"RFC 4861 6.2.6"`
	DropDelayed       stats.Counter `name:"nd.drop.answer_flood" doc:"solicitations of anycast addresses beyond the answers that may wait" rfc:"RFC 4861 7.2.7"`
	DropSender        stats.Counter `name:"nd.drop.bad_sender" doc:"solicitation from an address that no host has" rfc:"RFC 4861 7.2.3"`
	DropUnasked       stats.Counter `name:"nd.drop.unasked" doc:"advertisement of a neighbour that is not in the cache, or without its link-layer address" rfc:"RFC 4861 7.2.5"`
	DropLooped        stats.Counter `name:"nd.drop.looped" doc:"own message that the link returned" rfc:"RFC 7527 4.2"`
}

// neighborCounters are the counters of the neighbour cache, for both families.
type neighborCounters struct {
	Failed          stats.Counter `name:"neighbor.failed" doc:"neighbours that did not answer" rfc:"RFC 1122 2.3.2.1"`
	Evicted         stats.Counter `name:"neighbor.evicted" doc:"cache entries removed to make room for others" rfc:"RFC 1122 2.3.2.1"`
	DropDisputed    stats.Counter `name:"neighbor.drop.disputed" doc:"another station claims the address of a neighbour in use, which is polled first" rfc:"RFC 826 Packet Reception"`
	DropCacheFull   stats.Counter `name:"neighbor.drop.cache_full" doc:"sender not learned: the cache is full of neighbours in use" rfc:"RFC 826 Packet Reception"`
	DropHeld        stats.Counter `name:"neighbor.drop.hold_full" doc:"packets to a next hop that has not answered yet, dropped to hold later ones" rfc:"RFC 1122 2.3.2.2"`
	DropEvicted     stats.Counter `name:"neighbor.drop.evicted" doc:"packets held for a neighbour whose cache entry was evicted" rfc:"RFC 1122 2.3.2.2"`
	DropUnreachable stats.Counter `name:"neighbor.drop.unreachable" doc:"packets to a next hop that did not answer" rfc:"RFC 1122 2.3.2.1, 3.3.1.4"`
}
