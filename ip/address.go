package ip

import (
	"math"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Forever is a lifetime without an end.
const Forever = time.Duration(math.MaxInt64)

// Address is an address for an interface. It passes through the states of RFC 4862 section 2: tentative until the link has found that no
// other host has it, preferred, deprecated, and removed.
type Address struct {
	Prefix    netip.Prefix  // the address, with the length of its network
	Preferred time.Duration // from now until it is deprecated, at most Valid; Forever
	Valid     time.Duration // from now until it is removed; Forever

	Temporary     bool // made to be replaced soon (RFC 8981)
	NoPrefixRoute bool // its network does not become a route: neighbours with the same prefix need not be on the link (RFC 5942 section 4)
}

// address is an Address of an interface.
type address struct {
	prefix        netip.Prefix
	owner         *Interface
	deprecated    bool          // not to be chosen as source while there is another (RFC 4862 section 5.5.4)
	temporary     bool          // see Address.Temporary
	noPrefixRoute bool          // see Address.NoPrefixRoute
	preferred     time.Duration // when it is deprecated; Forever
	valid         time.Duration // when it is removed; Forever

	advertisers []netip.Addr // the routers that advertise its prefix, without zones
}

// equal compares addresses without their states.
func (a address) equal(b address) bool { return a.prefix == b.prefix && a.owner == b.owner }

// addr is the address with its zone.
func (a *address) addr() netip.Addr {
	if IsLinkLocal6(a.prefix.Addr()) {
		return a.prefix.Addr().WithZone(a.owner.name)
	}
	return a.prefix.Addr()
}

// setLifetimes sets the times that end the preferred and the valid state.
func (a *address) setLifetimes(now, preferred, valid time.Duration) {
	a.preferred, a.valid = after(now, min(preferred, valid)), after(now, valid)
	a.deprecated = preferred <= 0
}

// after is a time that is lifetime from now.
func after(now, lifetime time.Duration) time.Duration {
	if lifetime > Forever-now {
		return Forever
	}
	return now + lifetime
}

// Claimer is a Link on which the stack claims an address before it uses it, so that no two hosts have it.
type Claimer interface {
	// Claim finds out whether another host has addr, and from then on answers for it. It calls done once, maybe before it returns, with nil
	// if the address may be used; not after Release.
	Claim(now time.Duration, addr netip.Addr, done func(now time.Duration, err error))
	// Release ends a claim, also one that is not decided yet.
	Release(addr netip.Addr)
}

// AddAddress gives the interface an address at once and without an end; the connected network becomes a route. Errors: EINVAL for an
// address that no interface may have, EEXIST for an address that the stack already has.
func (i *Interface) AddAddress(a netip.Prefix) error {
	own := Address{Prefix: a, Preferred: Forever, Valid: Forever}
	err := i.insert(0, own)
	if err == nil {
		err = i.confirm(a.Addr())
	}
	return err
}

// Assign gives the interface an address: it claims the address on the link, and calls done once, maybe before it returns, when the address
// is in use or refused. Until then the address is tentative, and the stack neither sends from it nor takes datagrams for it. After
// RemoveAddress done is not called. Errors: those of AddAddress and of the claim.
func (i *Interface) Assign(now time.Duration, a Address, done func(now time.Duration, err error)) {
	if err := i.insert(now, a); err != nil {
		done(now, err)
		return
	}
	addr := a.Prefix.Addr()
	claimed := func(now time.Duration, err error) {
		if err == nil {
			err = i.confirm(addr)
		} else {
			_ = i.remove(addr)
		}
		done(now, err)
	}
	if c, ok := i.link.(Claimer); ok {
		c.Claim(now, addr, claimed)
	} else {
		claimed(now, nil)
	}
}

// insert adds a tentative address. Its group is joined before the link probes for it (RFC 4862 section 5.4.2).
func (i *Interface) insert(now time.Duration, a Address) error {
	if !a.Prefix.IsValid() || !i.stack.isUnicast(a.Prefix.Addr()) || i.families[index(a.Prefix.Addr())] == nil {
		return syscall.EINVAL
	}
	own := address{prefix: a.Prefix, owner: i, temporary: a.Temporary, noPrefixRoute: a.NoPrefixRoute}
	own.setLifetimes(now, a.Preferred, a.Valid)
	err := i.stack.changeTable(func(t *table) error {
		same := func(other address) bool { return other.addr() == own.addr() }
		if slices.ContainsFunc(t.addresses, same) || slices.ContainsFunc(t.tentative, same) {
			return syscall.EEXIST
		}
		t.tentative = append(t.tentative, own)
		return nil
	})
	if err == nil {
		i.stack.lifetimes.watch(&own)
		i.joinAddressGroups(own.prefix)
	}
	return err
}

// confirm makes a tentative address one of the stack's own. The error is EADDRNOTAVAIL if it has been removed meanwhile.
func (i *Interface) confirm(a netip.Addr) error {
	before := i.ReportSource(i.stack.FamilyOf(a))
	err := i.stack.changeTable(func(t *table) error {
		at := i.indexOf(t.tentative, a)
		if at < 0 {
			return syscall.EADDRNOTAVAIL
		}
		own := t.tentative[at]
		t.tentative = slices.Delete(t.tentative, at, at+1)
		t.addresses = append(t.addresses, own)
		connected := own.prefix.Masked()
		if !own.prefix.IsSingleIP() && !own.noPrefixRoute && !t.hasRoute(connected, netip.Addr{}, i) {
			t.addRoute(connected, routeEntry{out: i, src: own.addr(), connected: true})
		}
		return nil
	})
	if err == nil {
		i.restate(before)
	}
	return err
}

// indexOf is the place of the interface's address a in a list; -1: it is not there.
func (i *Interface) indexOf(list []address, a netip.Addr) int {
	a = a.WithZone("")
	return slices.IndexFunc(list, func(own address) bool { return own.owner == i && own.prefix.Addr() == a })
}

// SetLifetimes sets how long, from now on, an address of the interface is preferred and valid. With preferred 0 it is deprecated: not the source of
// new connections while there is another (RFC 4862 section 5.5.4). The error is EADDRNOTAVAIL for an address that the interface does not
// have.
func (i *Interface) SetLifetimes(now time.Duration, a netip.Addr, preferred, valid time.Duration) error {
	changed := false
	err := i.stack.publish(func(t *table) error {
		own := t.find(i, a)
		if own == nil {
			return syscall.EADDRNOTAVAIL
		}
		before := own.deprecated
		own.setLifetimes(now, preferred, valid)
		changed = before != own.deprecated
		i.stack.lifetimes.watch(own)
		return nil
	})
	if changed { // an advertisement that only repeats itself costs the connections no lookup
		i.stack.generation.Add(1)
	}
	return err
}

// find returns an address of i, which may be tentative, or nil if i does not have it.
func (t *table) find(i *Interface, a netip.Addr) *address {
	for _, list := range [][]address{t.addresses, t.tentative} {
		if at := i.indexOf(list, a); at >= 0 {
			return &list[at]
		}
	}
	return nil
}

// SetAdvertisers sets the routers, on the link of the interface, that advertise the prefix of an address: it is the preferred source of
// datagrams by them (RFC 6724 section 5, rule 5.5). The interface keeps the slice. The error is EADDRNOTAVAIL for an address that the
// interface does not have.
func (i *Interface) SetAdvertisers(a netip.Addr, routers []netip.Addr) error {
	return i.stack.changeTable(func(t *table) error {
		own := t.find(i, a)
		if own == nil {
			return syscall.EADDRNOTAVAIL
		}
		own.advertisers = routers
		return nil
	})
}

// RemoveAddress removes an address from the interface and ends its claim on the link, and with the last address of its network the
// connected route and the routes by gateways there. The error is EADDRNOTAVAIL for an address that the interface does not have.
func (i *Interface) RemoveAddress(a netip.Addr) error {
	if c, ok := i.link.(Claimer); ok {
		c.Release(a.WithZone(""))
	}
	err := i.remove(a.WithZone(""))
	if err == nil && i.routers != nil {
		i.routers.AddressRemoved()
	}
	return err
}

func (i *Interface) remove(a netip.Addr) error {
	err := i.stack.changeTable(func(t *table) error {
		if at := i.indexOf(t.tentative, a); at >= 0 {
			t.tentative = slices.Delete(t.tentative, at, at+1)
			return nil
		}
		at := i.indexOf(t.addresses, a)
		if at < 0 {
			return syscall.EADDRNOTAVAIL
		}
		own := t.addresses[at]
		t.addresses = slices.Delete(t.addresses, at, at+1)
		t.disconnect(&own)
		return nil
	})
	if err == nil {
		i.leaveAddressGroups(a)
	}
	return err
}

// disconnect removes the routes that an address, which its interface no longer has, made possible.
func (t *table) disconnect(a *address) {
	i, src, connected := a.owner, a.addr(), a.prefix.Masked()
	rest := slices.IndexFunc(t.addresses, func(own address) bool {
		return own.owner == i && own.prefix.Masked() == connected && !own.noPrefixRoute
	})
	t.changeRoutes(func(p netip.Prefix, r *routeEntry) bool {
		switch {
		case r.src == src && rest >= 0 && p == connected:
			r.src = t.addresses[rest].addr()
		case r.src == src, rest < 0 && r.out == i && r.gateway.IsValid() && connected.Contains(r.gateway.WithZone("")):
			return false
		}
		return true
	})
}
