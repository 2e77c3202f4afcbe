package ipv6

import "tunstack/internal/stats"

// counters are the counters of the layer; every dropped datagram is counted under one drop reason.
type counters struct {
	InPackets  stats.Counter `name:"ipv6.in.packets" doc:"datagrams and fragments received"`
	InDelivers stats.Counter `name:"ipv6.in.delivers" doc:"datagrams delivered to a transport or a raw socket"`
	OutPackets stats.Counter `name:"ipv6.out.packets" doc:"datagrams sent by this stack, before fragmentation"`
	Forwarded  stats.Counter `name:"ipv6.forwarded" doc:"datagrams forwarded for other hosts" rfc:"RFC 8200 3"`

	FragmentsOut stats.Counter `name:"ipv6.fragment.out" doc:"fragments sent" rfc:"RFC 8200 4.5"`

	DropTruncated       stats.Counter `name:"ipv6.drop.truncated" doc:"shorter than a header" rfc:"RFC 8200 3"`
	DropPayloadLen      stats.Counter `name:"ipv6.drop.bad_payload_length" doc:"payload length beyond the packet" rfc:"RFC 8200 3"`
	DropSource          stats.Counter `name:"ipv6.drop.bad_source" doc:"source is not another host's unicast address" rfc:"RFC 4291 2.7"`
	DropDestination     stats.Counter `name:"ipv6.drop.bad_destination" doc:"destination is an address that no datagram may have" rfc:"RFC 4291 2.5.2"`
	DropLoopback        stats.Counter `name:"ipv6.drop.loopback_on_wire" doc:"::1 or an interface-local group from outside the stack" rfc:"RFC 4291 2.5.3"`
	DropNotLocal        stats.Counter `name:"ipv6.drop.not_local" doc:"for another host, and forwarding is off" rfc:"RFC 8504 5.1"`
	DropNotJoined       stats.Counter `name:"ipv6.drop.group_not_joined" doc:"multicast to a group without members here" rfc:"RFC 4291 2.8"`
	DropLinkMulticast   stats.Counter `name:"ipv6.drop.link_multicast" doc:"unicast datagram in a link-layer broadcast or multicast" rfc:"RFC 4443 2.4(e.4)"`
	DropHeaderOrder     stats.Counter `name:"ipv6.drop.header_order" doc:"hop-by-hop header that is not the first" rfc:"RFC 8200 4.1"`
	DropExtension       stats.Counter `name:"ipv6.drop.bad_extension" doc:"extension header beyond the packet" rfc:"RFC 8200 4"`
	DropLimit           stats.Counter `name:"ipv6.drop.header_limit" doc:"too many or too long extension headers or options" rfc:"RFC 8504 5.3"`
	DropOption          stats.Counter `name:"ipv6.drop.bad_option" doc:"option beyond its header" rfc:"RFC 8200 4.2"`
	DropUnknownOption   stats.Counter `name:"ipv6.drop.unknown_option" doc:"unknown option that must not be skipped" rfc:"RFC 8200 4.2"`
	DropRouting         stats.Counter `name:"ipv6.drop.routing_header" doc:"routing header with segments left" rfc:"RFC 5095 3"`
	DropFragment        stats.Counter `name:"ipv6.drop.bad_fragment" doc:"fragment not in units of 8 bytes or past the largest datagram" rfc:"RFC 8200 4.5"`
	DropIncompleteChain stats.Counter `name:"ipv6.drop.incomplete_chain" doc:"first fragment without all headers" rfc:"RFC 7112 5"`
	DropNoNext          stats.Counter `name:"ipv6.drop.no_next_header" doc:"nothing behind the headers" rfc:"RFC 8200 4.7"`
	DropNoProtocol      stats.Counter `name:"ipv6.drop.no_protocol" doc:"no transport for the next header" rfc:"RFC 8200 4"`
	DropMartian         stats.Counter `name:"ipv6.drop.martian" doc:"transit datagram with an address that must not be forwarded" rfc:"RFC 4291 2.5"`
	DropHopLimit        stats.Counter `name:"ipv6.drop.hop_limit" doc:"hop limit used up in transit" rfc:"RFC 8200 3"`
	DropNoRoute         stats.Counter `name:"ipv6.drop.no_route" doc:"no route to the destination" rfc:"RFC 4443 3.1"`
	DropScope           stats.Counter `name:"ipv6.drop.beyond_scope" doc:"from a link-local address to another link" rfc:"RFC 4007 9"`
	DropTooBig          stats.Counter `name:"ipv6.drop.too_big" doc:"larger than the MTU, and must not be fragmented" rfc:"RFC 8200 5"`
	DropOutput          stats.Counter `name:"ipv6.drop.output" doc:"could not be sent; the sender got the error"`
}
