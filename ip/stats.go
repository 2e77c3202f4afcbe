package ip

import "tunstack/internal/stats"

// counters are the counters that the families share.
type counters struct {
	PMTULowered    stats.Counter `name:"ip.pmtu.lowered" doc:"path MTU estimates lowered" rfc:"RFC 1191 3"`
	ErrorForged    stats.Counter `name:"ip.icmp.ignored" doc:"errors that change MTUs or routes, but quote no datagram sent lately with DF" rfc:"RFC 5927 7.2"`
	GatewayFailed  stats.Counter `name:"ip.gateway.failed" doc:"gateways that stopped answering" rfc:"RFC 1122 3.3.1.4"`
	Redirected     stats.Counter `name:"ip.redirect.accepted" doc:"destinations moved to another gateway" rfc:"RFC 1122 3.2.2.2"`
	RedirectIgnore stats.Counter `name:"ip.redirect.ignored" doc:"redirects that failed the checks" rfc:"RFC 1122 3.2.2.2"`

	DropVersion     stats.Counter `name:"ip.drop.bad_version" doc:"unknown IP version" rfc:"RFC 1122 3.2.1.1"`
	DropFiltered    stats.Counter `name:"ip.drop.source_filter" doc:"to a group from a source that no member receives" rfc:"RFC 9776 3.2"`
	DropUnreachable stats.Counter `name:"ip.drop.host_unreachable" doc:"next hop did not answer" rfc:"RFC 1122 2.3.2.2"`
}

// Stats are pointers to the layer's sets of counters, for stats.Read.
func (s *Stack) Stats() []any { return []any{&s.stats, s.reassembly.Stats()} }
