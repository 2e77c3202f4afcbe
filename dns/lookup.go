package dns

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Host is a host with its addresses.
type Host struct {
	Addrs     []netip.Addr // the best first
	Canonical string       // the first name of its line in the hosts file, or the one at the end of the CNAME chain, without a dot at the end
}

// Lookup finds the addresses of a host, in the hosts file or by DNS. network is "ip", "ip4" or "ip6". An address stands for itself.
func (r *Resolver) Lookup(ctx context.Context, network, host string) (Host, error) {
	return r.LookupEach(ctx, network, host, func([]netip.Addr) {})
}

// LookupEach is Lookup that calls found with the addresses of each family as soon as they are known (RFC 8305 section 3). found runs on
// the goroutine of the caller.
func (r *Resolver) LookupEach(ctx context.Context, network, host string, found func([]netip.Addr)) (Host, error) {
	h, err := r.lookup(ctx, network, host, found)
	if err != nil {
		return Host{}, failure(host, err)
	}
	if r.cfg.Sort != nil {
		r.cfg.Sort(h.Addrs)
	}
	return h, nil
}

func (r *Resolver) lookup(ctx context.Context, network, host string, found func([]netip.Addr)) (Host, error) {
	if network != "ip" && network != "ip4" && network != "ip6" {
		return Host{}, net.UnknownNetworkError(network)
	}
	has := func(a netip.Addr) bool { return network == "ip" || a.Unmap().Is4() == (network == "ip4") }
	if a, err := netip.ParseAddr(host); err == nil {
		if !has(a) {
			return Host{}, ErrNoData
		}
		found([]netip.Addr{a})
		return Host{[]netip.Addr{a}, host}, nil
	}
	if h := r.hosts.host(host, has); h.Addrs != nil {
		found(h.Addrs)
		return h, nil
	}
	if h := r.handler(host); h != nil {
		handled, err := h.lookup(ctx, network, host, has)
		found(handled.Addrs)
		return handled, err
	}
	answers, err := r.searchEach(ctx, host, func(a *Answer) { found(a.addrs()) }, r.addressTypes(network)...)
	if err != nil {
		return Host{}, err
	}
	h := Host{Canonical: answers[0].canonical(host)}
	for _, a := range answers {
		h.Addrs = append(h.Addrs, a.addrs()...)
	}
	return h, nil
}

// addrs are the addresses of an answer's A or AAAA records.
func (a *Answer) addrs() []netip.Addr {
	list := make([]netip.Addr, len(a.Data()))
	for i := range list {
		list[i] = a.Data()[i].Addr()
	}
	return list
}

// addressTypes are the types of records to ask for. AAAA comes first (RFC 8305 section 3), but after A where one answer is awaited
// before the next query, as glibc does.
func (r *Resolver) addressTypes(network string) []dnsmessage.Type {
	s := r.settings.Load()
	switch {
	case network == "ip4" || network == "ip" && s.NoAAAA:
		return []dnsmessage.Type{dnsmessage.TypeA}
	case network == "ip6":
		return []dnsmessage.Type{dnsmessage.TypeAAAA}
	case s.SingleRequest:
		return []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA}
	}
	return []dnsmessage.Type{dnsmessage.TypeAAAA, dnsmessage.TypeA}
}

// LookupHost is that of *net.Resolver: the addresses of a host.
func (r *Resolver) LookupHost(ctx context.Context, host string) ([]string, error) {
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return texts, nil
}

// LookupNetIP is that of *net.Resolver: the addresses of a host. network is "ip", "ip4" or "ip6".
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	h, err := r.Lookup(ctx, network, host)
	return h.Addrs, err
}

// LookupIP is that of *net.Resolver: LookupNetIP with another type of address.
func (r *Resolver) LookupIP(ctx context.Context, network, host string) ([]net.IP, error) {
	addrs, err := r.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	ips := make([]net.IP, len(addrs))
	for i, a := range addrs {
		ips[i] = a.AsSlice()
	}
	return ips, nil
}

// LookupIPAddr is that of *net.Resolver: the addresses of a host with their zones.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	ips := make([]net.IPAddr, len(addrs))
	for i, a := range addrs {
		ips[i] = net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()}
	}
	return ips, nil
}

// LookupAddr is that of *net.Resolver: the names of an address, in the hosts file or by DNS. Those of DNS end with a dot.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "unrecognized address", Name: addr}
	}
	if names := r.hosts.addr(a); len(names) > 0 {
		return names, nil
	}
	answer, err := r.Query(ctx, reverseName(a), dnsmessage.TypePTR)
	if err != nil {
		return nil, failureOf(err, addr)
	}
	return names(answer, addr, func(d *dnsmessage.PTRResource) string { return d.PTR.String() })
}

// LookupCNAME is that of *net.Resolver: the name at the end of the CNAME chain of a host that has an address. It ends with a dot.
func (r *Resolver) LookupCNAME(ctx context.Context, host string) (string, error) {
	if h := r.hosts.host(host, netip.Addr.IsValid); h.Addrs != nil {
		return strings.TrimSuffix(h.Canonical, ".") + ".", nil
	}
	answers, err := r.search(ctx, host, r.addressTypes("ip")...)
	if err != nil {
		return "", failure(host, err)
	}
	return answers[0].canonical(host) + ".", nil
}

// canonical is the name at the end of the CNAME chain, else the asked one, without a dot at the end and with the case in which the server
// or the user writes it. host is what the user has asked for. A name that no host can have is not given to programs.
func (a *Answer) canonical(host string) string {
	host = strings.TrimSuffix(host, ".")
	name := host + strings.TrimSuffix(a.Name, ".")[min(len(host), len(a.Name)-1):] // with what the search list has added
	if a.data > 0 {
		name = strings.TrimSuffix(a.Records[a.data-1].Data.(*dnsmessage.CNAMEResource).CNAME.String(), ".")
	}
	if !ValidHost(name) {
		return host
	}
	return name
}

// LookupTXT is that of *net.Resolver: the texts of a name. The parts of one record are joined.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	answers, err := r.search(ctx, name, dnsmessage.TypeTXT)
	if err != nil {
		return nil, failure(name, err)
	}
	var texts []string
	for _, record := range answers[0].Data() {
		if d, ok := record.Data.(*dnsmessage.TXTResource); ok {
			texts = append(texts, strings.Join(d.TXT, ""))
		}
	}
	return texts, nil
}

// LookupNS is that of *net.Resolver: the name servers of a domain.
func (r *Resolver) LookupNS(ctx context.Context, name string) ([]*net.NS, error) {
	answers, err := r.search(ctx, name, dnsmessage.TypeNS)
	if err != nil {
		return nil, failure(name, err)
	}
	hosts, err := names(answers[0], name, func(d *dnsmessage.NSResource) string { return d.NS.String() })
	list := make([]*net.NS, len(hosts))
	for i, h := range hosts {
		list[i] = &net.NS{Host: h}
	}
	return list, err
}

// failureOf is an error of Query with the name that the user gave.
func failureOf(err error, name string) error {
	if e, ok := err.(*net.DNSError); ok {
		e.Name = name
	}
	return err
}

// names are the host names in an answer's records; those that no host can have are left out.
func names[T any](a *Answer, asked string, of func(T) string) ([]string, error) {
	var list []string
	for _, record := range a.Data() {
		if d, ok := record.Data.(T); ok && ValidHost(of(d)) {
			list = append(list, of(d))
		}
	}
	if len(list) == 0 {
		return nil, failure(asked, ErrNoData)
	}
	return list, nil
}
