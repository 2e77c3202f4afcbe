package dhcp4

import "tunstack/internal/stats"

// counters are the counters of a Client.
type counters struct {
	InOffers stats.Counter `name:"dhcp4.in.offers" doc:"OFFERs taken" rfc:"RFC 2131 4.4.1"`
	InAcks   stats.Counter `name:"dhcp4.in.acks" doc:"ACKs taken" rfc:"RFC 2131 4.4.1"`
	InNaks   stats.Counter `name:"dhcp4.in.naks" doc:"NAKs taken" rfc:"RFC 2131 4.4.1"`

	DropMalformed   stats.Counter `name:"dhcp4.drop.malformed" doc:"datagrams that are not messages, or longer than 4096 bytes" rfc:"RFC 2131 2"`
	DropOther       stats.Counter `name:"dhcp4.drop.other" doc:"messages that are not replies to this interface's address" rfc:"RFC 2131 4.4.1"`
	DropClientID    stats.Counter `name:"dhcp4.drop.client_id" doc:"replies with another client identifier" rfc:"RFC 6842 3"`
	DropTransaction stats.Counter `name:"dhcp4.drop.transaction" doc:"replies to another transaction" rfc:"RFC 2131 4.4.1"`
	DropServer      stats.Counter `name:"dhcp4.drop.server" doc:"replies without the identifier of a server, or of another server" rfc:"RFC 2132 9.7"`
	DropState       stats.Counter `name:"dhcp4.drop.state" doc:"replies that the state does not expect" rfc:"RFC 2131 4.4.1"`
	DropAddress     stats.Counter `name:"dhcp4.drop.address" doc:"offers of an address that no host can have, or that was not asked for" rfc:"RFC 2131 4.4.1"`
	DropLease       stats.Counter `name:"dhcp4.drop.lease" doc:"offers without a lease time, or of 0 s" rfc:"RFC 2131 3.3"`
}
