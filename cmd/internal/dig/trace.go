package dig

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxReferrals bounds the way from the root.
const maxReferrals = 30

// follow goes from the root to the servers of the name (+trace): resolvers are asked for the servers of the root and for the addresses
// of servers that a referral does not tell.
func (r *running) follow(ctx context.Context, resolvers []server) error {
	m := r.ask(".", dns.TypeNS, true)
	got, err := r.any(ctx, resolvers, m)
	if err != nil {
		return err
	}
	r.step(got, m)
	zone := ""
	for range maxReferrals {
		next, names := referral(got.Msg)
		if len(names) == 0 {
			return nil
		}
		if zone != "" && (next == zone || !dns.IsSubDomain(zone, next)) {
			fmt.Fprintln(r.out, ";; BAD (HORIZONTAL) REFERRAL")
			return nil
		}
		zone = next
		servers, err := r.addresses(ctx, resolvers, got.Msg, names)
		if err != nil {
			return err
		}
		m = r.ask(r.name, r.qtype, false)
		if got, err = r.any(ctx, servers, m); err != nil {
			return err
		}
		r.step(got, m)
		if got.Rcode != dns.RcodeSuccess || got.Authoritative || len(got.Answer) > 0 {
			return nil
		}
	}
	fmt.Fprintln(r.out, ";; too many referrals")
	return nil
}

// step prints an answer on the way.
func (r *running) step(got *reply, sent *dns.Msg) {
	r.print(got, sent)
	fmt.Fprintf(r.out, ";; Received %d bytes from %s(%s) in %d ms\n\n", got.size, got.source(), got.server.name, got.took.Milliseconds())
}

// referral is the zone to which m refers, and its servers.
func referral(m *dns.Msg) (zone string, names []string) {
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		if ns, ok := rr.(*dns.NS); ok {
			zone = dns.CanonicalName(ns.Hdr.Name)
			names = append(names, dns.CanonicalName(ns.Ns))
		}
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return zone, names
}

// addresses are the servers with these names: those of whom m has addresses, else the first one that the resolvers know.
func (r *running) addresses(ctx context.Context, resolvers []server, m *dns.Msg, names []string) ([]server, error) {
	var list []server
	for _, name := range names {
		list = append(list, r.known(name, m.Extra)...)
	}
	for _, name := range names {
		if len(list) > 0 {
			break
		}
		for _, t := range r.addressTypes() {
			got, err := r.any(ctx, resolvers, r.ask(name, t, true))
			if err != nil {
				return nil, err
			}
			list = append(list, r.known("", got.Answer)...)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("couldn't get address for '%s': not found", strings.TrimSuffix(names[0], "."))
	}
	return list, nil
}

// addressTypes are the records with addresses that the IP versions in use can reach.
func (r *running) addressTypes() []uint16 {
	return map[string][]uint16{"": {dns.TypeA, dns.TypeAAAA}, "4": {dns.TypeA}, "6": {dns.TypeAAAA}}[r.Family]
}

// known are the servers of whom records have addresses; the name "" is any.
func (r *running) known(name string, records []dns.RR) (list []server) {
	for _, rr := range records {
		h := rr.Header()
		if name != "" && dns.CanonicalName(h.Name) != name || !slices.Contains(r.addressTypes(), h.Rrtype) {
			continue
		}
		list = append(list, server{name: strings.TrimSuffix(h.Name, "."), addr: rdata(rr), port: Port})
	}
	return list
}
