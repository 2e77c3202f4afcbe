package server

import "tunstack/internal/stats"

// counters are the counters of a Server.
type counters struct {
	Out      stats.Counter `name:"dhcp.server.out" doc:"answers" rfc:"RFC 2131 4.3"`
	Granted  stats.Counter `name:"dhcp.server.granted" doc:"leases given or extended" rfc:"RFC 2131 4.3.2"`
	Refused  stats.Counter `name:"dhcp.server.refused" doc:"requests for an address that the client does not have" rfc:"RFC 2131 4.3.2"`
	Released stats.Counter `name:"dhcp.server.released" doc:"leases given back" rfc:"RFC 2131 4.3.4"`
	Declined stats.Counter `name:"dhcp.server.declined" doc:"addresses that clients have found in use" rfc:"RFC 2131 4.3.3"`

	DropMalformed stats.Counter `name:"dhcp.server.drop.malformed" doc:"datagrams that are not requests" rfc:"RFC 2131 2"`
	DropType      stats.Counter `name:"dhcp.server.drop.type" doc:"requests of a type that is not a client's" rfc:"RFC 2131 4.3"`
	DropUnknown   stats.Counter `name:"dhcp.server.drop.unknown" doc:"requests of clients without a lease, about which the server says nothing" rfc:"RFC 2131 4.3.2"`
	DropPoolEmpty stats.Counter `name:"dhcp.server.drop.pool_empty" doc:"DISCOVERs while no address is free" rfc:"RFC 2131 4.3.1"`
}

// Stats returns a pointer to the counters, for stats.Read.
func (s *Server) Stats() any { return &s.stats }
