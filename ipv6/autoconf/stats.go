package autoconf

import "tunstack/internal/stats"

// counters are the counters of a Host.
type counters struct {
	InAdvertisements stats.Counter `name:"autoconf.in.advertisements" doc:"router advertisements received" rfc:"RFC 4861 6.3.4"`
	OutSolicitations stats.Counter `name:"autoconf.out.solicitations" doc:"router solicitations sent" rfc:"RFC 4861 6.3.7"`
	Refused          stats.Counter `name:"autoconf.refused" doc:"formed addresses that could not be used, most of them duplicates" rfc:"RFC 4862 5.4.5"`

	IgnoredHopLimit stats.Counter `name:"autoconf.ignored.hop_limit" doc:"advertised hop limits that are too small" rfc:"RFC 4861 6.3.4"`
	IgnoredMTU      stats.Counter `name:"autoconf.ignored.mtu" doc:"advertised MTUs below 1280 or above the link's" rfc:"RFC 4861 6.3.4"`
	IgnoredTime     stats.Counter `name:"autoconf.ignored.time" doc:"advertised times of neighbour discovery that are too long" rfc:"RFC 4861 6.2.1"`
	IgnoredPrefix   stats.Counter `name:"autoconf.ignored.prefix" doc:"advertised prefixes that no address is formed from" rfc:"RFC 4862 5.5.3"`
	IgnoredRoute    stats.Counter `name:"autoconf.ignored.route" doc:"advertised routes to link-local, multicast or loopback addresses" rfc:"RFC 4191 2.3"`
	IgnoredServer   stats.Counter `name:"autoconf.ignored.dns_server" doc:"advertised DNS servers whose addresses no host has" rfc:"RFC 8106 5.3.1"`

	DropDisabled  stats.Counter `name:"autoconf.drop.disabled" doc:"router advertisements for an interface that is configured otherwise" rfc:"RFC 4861 6.2.7"`
	DropFlood     stats.Counter `name:"autoconf.drop.flood" doc:"router advertisements that arrived faster than they could be handled" rfc:"RFC 6104 2"`
	DropTableFull stats.Counter `name:"autoconf.drop.table_full" doc:"advertised routers, prefixes, routes, addresses and servers beyond the bounds" rfc:"RFC 6104 2"`
}
