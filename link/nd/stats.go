package nd

import "tunstack/internal/stats"

// Counters count the messages received; those that are not valid each under one reason. The zero value is ready for use.
type Counters struct{ c counters }

// Stats returns a pointer to the counters, for stats.Read.
func (c *Counters) Stats() any { return &c.c }

type counters struct {
	InRouterSolicitations    stats.Counter `name:"nd.in.router_solicitations" doc:"valid router solicitations received" rfc:"RFC 4861 6.1.1"`
	InRouterAdvertisements   stats.Counter `name:"nd.in.router_advertisements" doc:"valid router advertisements received" rfc:"RFC 4861 6.1.2"`
	InNeighborSolicitations  stats.Counter `name:"nd.in.neighbor_solicitations" doc:"valid neighbor solicitations received" rfc:"RFC 4861 7.1.1"`
	InNeighborAdvertisements stats.Counter `name:"nd.in.neighbor_advertisements" doc:"valid neighbor advertisements received" rfc:"RFC 4861 7.1.2"`
	InRedirects              stats.Counter `name:"nd.in.redirects" doc:"valid redirects received" rfc:"RFC 4861 8.1"`

	DropHopLimit    stats.Counter `name:"nd.drop.hop_limit" doc:"hop limit below 255: the sender may be behind a router" rfc:"RFC 4861 7.1"`
	DropFragment    stats.Counter `name:"nd.drop.fragment" doc:"message in a fragmented datagram" rfc:"RFC 6980 5"`
	DropCode        stats.Counter `name:"nd.drop.bad_code" doc:"code other than 0" rfc:"RFC 4861 7.1"`
	DropTruncated   stats.Counter `name:"nd.drop.truncated" doc:"shorter than its type allows" rfc:"RFC 4861 7.1"`
	DropOption      stats.Counter `name:"nd.drop.bad_option" doc:"option of length zero or beyond the message" rfc:"RFC 4861 7.1"`
	DropLinkLayer   stats.Counter `name:"nd.drop.bad_link_layer_address" doc:"link-layer address that no Ethernet station has" rfc:"RFC 2464 6"`
	DropTarget      stats.Counter `name:"nd.drop.bad_target" doc:"target that no neighbor can have" rfc:"RFC 4861 7.1, 8.1"`
	DropUnspecified stats.Counter `name:"nd.drop.unspecified_source" doc:"from :: with a link-layer address, or not to the group of the target" rfc:"RFC 4861 7.1.1"`
	DropSolicited   stats.Counter `name:"nd.drop.solicited_multicast" doc:"multicast advertisement with the flag Solicited" rfc:"RFC 4861 7.1.2"`
	DropSource      stats.Counter `name:"nd.drop.bad_source" doc:"message of a router from an address that is not link-local" rfc:"RFC 4861 6.1.2, 8.1"`
	DropDestination stats.Counter `name:"nd.drop.bad_destination" doc:"redirect of a multicast address" rfc:"RFC 4861 8.1"`
}

// count counts a valid message.
func (c *counters) count(typ uint8) {
	switch typ {
	case TypeRouterSolicitation:
		c.InRouterSolicitations.Inc()
	case TypeRouterAdvertisement:
		c.InRouterAdvertisements.Inc()
	case TypeNeighborSolicitation:
		c.InNeighborSolicitations.Inc()
	case TypeNeighborAdvertisement:
		c.InNeighborAdvertisements.Inc()
	case TypeRedirect:
		c.InRedirects.Inc()
	}
}
