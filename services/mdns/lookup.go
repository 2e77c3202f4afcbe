package mdns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"tunstack/ip"
	"tunstack/socketapi"
)

// Times of a lookup: for any answer, and for the answers of the other version of IP behind the first.
const (
	lookupTime = time.Second
	moreTime   = 100 * time.Millisecond
)

// ErrNotFound says that no host on the links has answered for a name.
var ErrNotFound = errors.New("no host on the link has this name")

// Lookup asks the hosts on all links for the addresses of a name in local, by one-shot queries (RFC 6762 section 5.1). network is "ip",
// "ip4" or "ip6". A link-local address has its link as zone. The error is ErrNotFound or that of ctx.
func (r *Responder) Lookup(ctx context.Context, network, name string) (addrs []netip.Addr, err error) {
	name = dns.Fqdn(name)
	questions, own := r.questions(network, name)
	if len(own) > 0 {
		return own, nil
	}
	limited, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	answers := make(chan []netip.Addr)
	for _, q := range questions {
		go func() {
			found := q.ask(limited, r.stack)
			select {
			case answers <- found:
			case <-limited.Done():
			}
		}()
	}
	for range questions {
		select {
		case found := <-answers:
			addrs = append(addrs, slices.DeleteFunc(found, func(a netip.Addr) bool { return slices.Contains(addrs, a) })...)
		case <-limited.Done():
		}
		if len(addrs) > 0 {
			time.AfterFunc(moreTime, cancel)
		}
	}
	switch {
	case len(addrs) > 0:
		return addrs, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, ErrNotFound
}

// oneShot is a question to a group on a link.
type oneShot struct {
	dns.Question
	group netip.AddrPort
	zone  string
}

// questions are those to all groups. own are the addresses of the stack itself if it has the name.
func (r *Responder) questions(network, name string) (list []oneShot, own []netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.links {
		for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if network == "ip4" && t == dns.TypeAAAA || network == "ip6" && t == dns.TypeA {
				continue
			}
			q := dns.Question{Name: name, Qtype: t, Qclass: dns.ClassINET}
			if l.Owned() {
				own = append(own, addrsIn(l.answers(q), name, t, l.name)...)
			}
			for _, p := range r.ports {
				if group, ok := p.destination(l, netip.AddrPort{}); ok {
					list = append(list, oneShot{q, group, l.name})
				}
			}
		}
	}
	return list, own
}

// ask returns the addresses in the first answer; nil without one.
func (q oneShot) ask(ctx context.Context, stack *socketapi.Stack) []netip.Addr {
	c, err := Dial(ctx, stack, "udp", q.group)
	if err != nil {
		return nil
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	m := &dns.Msg{Question: []dns.Question{q.Question}}
	m.Id = dns.Id()
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	if _, err := c.Write(b); err != nil {
		return nil
	}
	b = make([]byte, maxMessage)
	for {
		n, err := c.Read(b)
		if err != nil {
			return nil
		}
		if got := new(dns.Msg); got.Unpack(b[:n]) == nil && got.Response && got.Id == m.Id {
			return addrsIn(got.Answer, q.Name, q.Qtype, q.zone)
		}
	}
}

// addrsIn are the addresses of a name and a type in records.
func addrsIn(records []dns.RR, name string, qtype uint16, zone string) (list []netip.Addr) {
	for _, rr := range records {
		if !strings.EqualFold(rr.Header().Name, name) || rr.Header().Rrtype != qtype {
			continue
		}
		var bytes net.IP
		switch r := rr.(type) {
		case *dns.A:
			bytes = r.A.To4()
		case *dns.AAAA:
			bytes = r.AAAA
		}
		a, ok := netip.AddrFromSlice(bytes)
		if ip.IsLinkLocal6(a) {
			a = a.WithZone(zone)
		}
		if ok {
			list = append(list, a)
		}
	}
	return list
}
