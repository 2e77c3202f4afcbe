package dns

import (
	"cmp"
	"context"
	"net"
	"slices"

	"golang.org/x/net/dns/dnsmessage"
)

// LookupMX is that of *net.Resolver: the mail servers of a domain, those with the lowest preference first, else in random order
// (RFC 5321 section 5.1).
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	answers, err := r.search(ctx, name, dnsmessage.TypeMX)
	if err != nil {
		return nil, failure(name, err)
	}
	var list []*net.MX
	for _, record := range answers[0].Data() {
		if d, ok := record.Data.(*dnsmessage.MXResource); ok && ValidHost(d.MX.String()) {
			list = append(list, &net.MX{Host: d.MX.String(), Pref: d.Pref})
		}
	}
	if len(list) == 0 {
		return nil, failure(name, ErrNoData)
	}
	r.shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b *net.MX) int { return cmp.Compare(a.Pref, b.Pref) })
	return list, nil
}

// LookupSRV is that of *net.Resolver: the servers of a service, in the order in which a client uses them (RFC 2782). It asks for
// _service._proto.name, or for name itself if service and proto are "".
func (r *Resolver) LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error) {
	target := name
	if service != "" || proto != "" {
		target = "_" + service + "._" + proto + "." + name
	}
	answers, err := r.search(ctx, target, dnsmessage.TypeSRV)
	if err != nil {
		return "", nil, failure(target, err)
	}
	for _, record := range answers[0].Data() {
		if d, ok := record.Data.(*dnsmessage.SRVResource); ok && ValidHost(d.Target.String()) {
			addrs = append(addrs, &net.SRV{Target: d.Target.String(), Port: d.Port, Priority: d.Priority, Weight: d.Weight})
		}
	}
	if len(addrs) == 0 {
		return "", nil, failure(target, ErrNoData)
	}
	r.orderSRV(addrs)
	return answers[0].Name, addrs, nil
}

// orderSRV sorts by priority; servers of the same priority are drawn, with chances in proportion to their weights.
func (r *Resolver) orderSRV(list []*net.SRV) {
	slices.SortFunc(list, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Weight, b.Weight))
	})
	for len(list) > 0 {
		same, sum := 0, uint64(0)
		for same < len(list) && list[same].Priority == list[0].Priority {
			sum += uint64(list[same].Weight)
			same++
		}
		drawn, rest := 0, r.below(sum+1)
		for rest > uint64(list[drawn].Weight) {
			rest -= uint64(list[drawn].Weight)
			drawn++
		}
		first := list[drawn]
		copy(list[1:drawn+1], list[:drawn])
		list[0], list = first, list[1:]
	}
}

// below is a random number from 0 to n-1.
func (r *Resolver) below(n uint64) uint64 { return r.uint64() % n }

func (r *Resolver) shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, int(r.below(uint64(i+1))))
	}
}
