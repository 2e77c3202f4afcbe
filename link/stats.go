package link

import "tunstack/internal/stats"

// counters are those of any link; a reason that a kind of link does not know stays zero.
type counters struct {
	InPackets       stats.Counter `name:"link.in.packets" doc:"packets or frames received"`
	InOctets        stats.Counter `name:"link.in.octets" doc:"octets received, link headers included"`
	OutPackets      stats.Counter `name:"link.out.packets" doc:"packets or frames sent"`
	OutOctets       stats.Counter `name:"link.out.octets" doc:"octets sent, link headers included"`
	DropNotIPv4     stats.Counter `name:"link.drop.not_ipv4" doc:"empty, or the IP version is not 4" rfc:"RFC 1122 3.2.1.1"`
	DropRunt        stats.Counter `name:"link.drop.runt" doc:"frame shorter than its header or its 802.3 length" rfc:"RFC 894; RFC 1042"`
	DropSource      stats.Counter `name:"link.drop.bad_source" doc:"frame from a group address" rfc:"IEEE 802.3 3.2.3"`
	DropDestination stats.Counter `name:"link.drop.not_for_us" doc:"frame for another station or a group not joined" rfc:"IEEE 802.3 4.2.9; RFC 1112 6.4"`
	DropType        stats.Counter `name:"link.drop.unknown_type" doc:"neither IPv4 nor ARP" rfc:"RFC 894; RFC 1042"`
	DropDevice      stats.Counter `name:"link.drop.device" doc:"the device did not take a packet at once"`
	DropQueueFull   stats.Counter `name:"link.drop.queue_full" doc:"too many packets waiting on the loopback"`
	DropTooLong     stats.Counter `name:"link.drop.too_long" doc:"injected datagram longer than 65,535 octets" rfc:"RFC 791 3.1"`
}

// arpCounters are those of ARP and of address conflict detection.
type arpCounters struct {
	InRequests      stats.Counter `name:"arp.in.requests" doc:"requests received" rfc:"RFC 826"`
	InReplies       stats.Counter `name:"arp.in.replies" doc:"replies received" rfc:"RFC 826"`
	OutRequests     stats.Counter `name:"arp.out.requests" doc:"requests sent, unicast polls included" rfc:"RFC 826"`
	OutReplies      stats.Counter `name:"arp.out.replies" doc:"replies sent" rfc:"RFC 826"`
	OutProbes       stats.Counter `name:"arp.out.probes" doc:"probes for an address to be claimed" rfc:"RFC 5227 2.1.1"`
	OutAnnounces    stats.Counter `name:"arp.out.announcements" doc:"announcements of an own address" rfc:"RFC 5227 2.3, 2.4"`
	Conflicts       stats.Counter `name:"arp.conflicts" doc:"another host used, or probed for, an address of ours" rfc:"RFC 5227 2.1.1, 2.4"`
	Failed          stats.Counter `name:"arp.failed" doc:"neighbours that did not answer" rfc:"RFC 1122 2.3.2.1"`
	Evicted         stats.Counter `name:"arp.evicted" doc:"cache entries that made room for others" rfc:"RFC 1122 2.3.2.1"`
	DropMalformed   stats.Counter `name:"arp.drop.malformed" doc:"truncated, or not Ethernet and IPv4" rfc:"RFC 826 Packet Reception"`
	DropOperation   stats.Counter `name:"arp.drop.unknown_operation" doc:"neither a request nor a reply" rfc:"RFC 826 Packet Reception"`
	DropSender      stats.Counter `name:"arp.drop.bad_sender" doc:"the sender cannot be a host: a group, broadcast or zero hardware address, or an IP address that no host on the network can have" rfc:"RFC 1122 3.2.1.3; RFC 1812 3.3.2"`
	DropOwn         stats.Counter `name:"arp.drop.own" doc:"our own packet came back" rfc:"RFC 5227 2.4"`
	DropConflict    stats.Counter `name:"arp.drop.conflict" doc:"the sender claims an address of ours" rfc:"RFC 5227 2.4"`
	DropDisputed    stats.Counter `name:"arp.drop.disputed" doc:"another station claims the address of a neighbour in use, which is polled first" rfc:"RFC 826 Packet Reception"`
	DropCacheFull   stats.Counter `name:"arp.drop.cache_full" doc:"sender not learned: the cache is full of neighbours in use" rfc:"RFC 826 Packet Reception"`
	DropHeld        stats.Counter `name:"arp.drop.hold_full" doc:"packets that gave way to later ones while their next hop was resolved" rfc:"RFC 1122 2.3.2.2"`
	DropEvicted     stats.Counter `name:"arp.drop.evicted" doc:"held packets whose cache entry made room for another" rfc:"RFC 1122 2.3.2.2"`
	DropUnreachable stats.Counter `name:"arp.drop.unreachable" doc:"packets to a next hop that did not answer" rfc:"RFC 1122 2.3.2.1, 3.3.1.4"`
}
