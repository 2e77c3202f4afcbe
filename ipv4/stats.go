package ipv4

import "tunstack/internal/stats"

// counters are the counters of the layer; every dropped datagram is counted under one drop reason.
type counters struct {
	InPackets  stats.Counter `name:"ipv4.in.packets" doc:"datagrams and fragments received"`
	InDelivers stats.Counter `name:"ipv4.in.delivers" doc:"datagrams delivered to a transport or a raw socket"`
	OutPackets stats.Counter `name:"ipv4.out.packets" doc:"datagrams sent by this stack, before fragmentation"`
	Forwarded  stats.Counter `name:"ipv4.forwarded" doc:"datagrams forwarded for other hosts" rfc:"RFC 1812 5.2"`

	FragmentsOut stats.Counter `name:"ipv4.fragment.out" doc:"fragments sent" rfc:"RFC 791 3.2"`

	DropTruncated     stats.Counter `name:"ipv4.drop.truncated" doc:"shorter than a header" rfc:"RFC 791 3.1"`
	DropHeaderLen     stats.Counter `name:"ipv4.drop.bad_header_length" doc:"header length under 20 or beyond the packet" rfc:"RFC 1812 5.2.2"`
	DropChecksum      stats.Counter `name:"ipv4.drop.bad_checksum" doc:"header checksum wrong" rfc:"RFC 1122 3.2.1.2"`
	DropTotalLen      stats.Counter `name:"ipv4.drop.bad_total_length" doc:"total length less than the header length or beyond the packet" rfc:"RFC 1812 5.2.2"`
	DropSource        stats.Counter `name:"ipv4.drop.bad_source" doc:"source is not another host's unicast address" rfc:"RFC 1122 3.2.1.3"`
	DropLoopback      stats.Counter `name:"ipv4.drop.loopback_on_wire" doc:"127/8 from outside the stack" rfc:"RFC 1122 3.2.1.3(g)"`
	DropNotLocal      stats.Counter `name:"ipv4.drop.not_local" doc:"for another host, and forwarding is off" rfc:"RFC 1122 3.2.1.3"`
	DropNotJoined     stats.Counter `name:"ipv4.drop.group_not_joined" doc:"multicast to a group without members here" rfc:"RFC 1122 3.2.1.3"`
	DropLinkBroadcast stats.Counter `name:"ipv4.drop.link_broadcast" doc:"unicast datagram in a link-layer broadcast" rfc:"RFC 1122 3.3.6"`
	DropOption        stats.Counter `name:"ipv4.drop.bad_option" doc:"malformed option" rfc:"RFC 1122 3.2.1.8"`
	DropSourceRouted  stats.Counter `name:"ipv4.drop.source_routed" doc:"datagrams with a source route, which are not accepted" rfc:"RFC 7126 4.3"`
	DropSourceRoute   stats.Counter `name:"ipv4.drop.source_route_failed" doc:"source route that could not be followed" rfc:"RFC 1122 3.3.5"`
	DropNoProtocol    stats.Counter `name:"ipv4.drop.no_protocol" doc:"no transport for the protocol number" rfc:"RFC 1122 3.2.2.1"`
	DropMartian       stats.Counter `name:"ipv4.drop.martian" doc:"transit datagram with an address that must not be forwarded" rfc:"RFC 1812 5.3.7"`
	DropTTL           stats.Counter `name:"ipv4.drop.ttl" doc:"time to live used up in transit" rfc:"RFC 1812 5.3.1"`
	DropNoRoute       stats.Counter `name:"ipv4.drop.no_route" doc:"no route to the destination" rfc:"RFC 1812 5.2.7.1"`
	DropTooBig        stats.Counter `name:"ipv4.drop.too_big" doc:"larger than the MTU, and must not be fragmented" rfc:"RFC 791 3.2"`
	DropOutput        stats.Counter `name:"ipv4.drop.output" doc:"could not be sent; the sender got the error"`
}

// Stats is a pointer to the layer's counters, for stats.Read.
func (s *Stack) Stats() any { return &s.stats }
