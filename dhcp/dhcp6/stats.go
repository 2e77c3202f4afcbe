package dhcp6

import "tunstack/internal/stats"

// counters are the counters of a Client.
type counters struct {
	InAdvertises stats.Counter `name:"dhcp6.in.advertises" doc:"Advertises taken" rfc:"RFC 8415 18.2.9"`
	InReplies    stats.Counter `name:"dhcp6.in.replies" doc:"Replies with addresses or settings" rfc:"RFC 8415 18.2.10"`
	Failed       stats.Counter `name:"dhcp6.failed" doc:"Replies in which the server refuses" rfc:"RFC 8415 18.2.10.1"`
	Refused      stats.Counter `name:"dhcp6.refused" doc:"addresses that other hosts have" rfc:"RFC 8415 18.2.8"`

	IgnoredAddress   stats.Counter `name:"dhcp6.ignored.address" doc:"addresses that no host can have, or beyond the bound" rfc:"RFC 8415 21.6"`
	IgnoredLifetimes stats.Counter `name:"dhcp6.ignored.lifetimes" doc:"addresses that are preferred longer than valid" rfc:"RFC 8415 21.6"`
	IgnoredTimes     stats.Counter `name:"dhcp6.ignored.times" doc:"identity associations with T1 after T2" rfc:"RFC 8415 21.4"`
	IgnoredMaxRT     stats.Counter `name:"dhcp6.ignored.max_rt" doc:"largest retransmission times outside of 60 to 86400 s" rfc:"RFC 8415 21.24"`

	DropMalformed   stats.Counter `name:"dhcp6.drop.malformed" doc:"datagrams that are not messages, or longer than 4096 bytes" rfc:"RFC 8415 8"`
	DropType        stats.Counter `name:"dhcp6.drop.type" doc:"messages that no client receives" rfc:"RFC 8415 16"`
	DropClientID    stats.Counter `name:"dhcp6.drop.client_id" doc:"messages without the client's identifier" rfc:"RFC 8415 16.10"`
	DropServerID    stats.Counter `name:"dhcp6.drop.server_id" doc:"messages without the identifier of a server, or with one of more than 130 bytes" rfc:"RFC 8415 16.10"`
	DropTransaction stats.Counter `name:"dhcp6.drop.transaction" doc:"answers to another transaction" rfc:"RFC 8415 16.10"`
	DropState       stats.Counter `name:"dhcp6.drop.state" doc:"answers that the exchange does not expect" rfc:"RFC 8415 16"`
	DropNoAddress   stats.Counter `name:"dhcp6.drop.no_address" doc:"Advertises and Replies without an address" rfc:"RFC 8415 18.2.9"`
}
