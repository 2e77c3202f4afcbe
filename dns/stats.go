package dns

import "tunstack/internal/stats"

// Stats are the resolver's counters.
type Stats struct {
	Lookups   stats.Counter `name:"dns.lookups" doc:"questions asked of the resolver that the hosts file does not answer"`
	CacheHits stats.Counter `name:"dns.cache.hits" doc:"questions answered from the cache"`
	Joined    stats.Counter `name:"dns.joined" doc:"questions that waited for the answer to the same question of another caller"`
	QueriesU  stats.Counter `name:"dns.out.udp" doc:"queries sent over UDP"`
	QueriesT  stats.Counter `name:"dns.out.tcp" doc:"queries sent over TCP or TLS"`
	Answers   stats.Counter `name:"dns.in.answers" doc:"answers that belong to a query"`
	Truncated stats.Counter `name:"dns.in.truncated" doc:"answers over UDP with the flag TC, repeated over TCP" rfc:"RFC 7766 5"`
	Silent    stats.Counter `name:"dns.silent" doc:"queries that no answer came to in time"`

	DropMismatch  stats.Counter `name:"dns.drop.mismatch" doc:"messages with another identifier or question than the query's" rfc:"RFC 5452 9.1"`
	DropMalformed stats.Counter `name:"dns.drop.malformed" doc:"answers with a wrong format, loops of compression pointers included" rfc:"RFC 1035 4.1"`
}
