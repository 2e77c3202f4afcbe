package dhcp6

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"tunstack/dhcp/option"
)

// Bounds of what a server may give.
const (
	maxAddresses = 8
	maxServers   = 8
	maxDomains   = 16
)

// Settings are the parameters that a server gives (RFC 3646).
type Settings struct {
	DNS    []netip.Addr
	Search []string
}

// Lease is the addresses of the client with their times on the caller's clock; Forever: never.
type Lease struct {
	Server    string // its DUID
	Addresses []netip.Addr
	Renew     time.Duration // T1
	Rebind    time.Duration // T2
	End       time.Duration // of the last address
	Settings
}

// lease is the binding of the client's IA_NA.
type lease struct {
	server dhcpv6.DUID
	addrs  []address
	t1, t2 time.Duration
}

// address is an address of the lease.
type address struct {
	addr             netip.Addr
	preferred, valid time.Duration
	held             bool // in use or claimed; else only offered
	refused          bool // another host has it
}

func (l *lease) clear() { *l = lease{t1: Forever, t2: Forever} }

// next is when something is due in a state.
func (l *lease) next(s State) time.Duration {
	next := Forever
	if s == Bound {
		next = min(l.t1, l.t2)
	}
	for _, a := range l.addrs {
		next = min(next, a.valid)
	}
	return next
}

// Lease is what the client has got.
func (c *Client) Lease() Lease {
	l := Lease{Renew: c.lease.t1, Rebind: c.lease.t2, Settings: c.settings}
	if c.lease.server != nil {
		l.Server = net.HardwareAddr(c.lease.server.ToBytes()).String() // which prints bytes of any number
	}
	for _, a := range c.lease.addrs {
		if a.held {
			l.Addresses = append(l.Addresses, a.addr)
			l.End = max(l.End, a.valid)
		}
	}
	return l
}

// expireAddresses removes the addresses whose valid lifetime is over. Without one the client looks for a server again.
func (c *Client) expireAddresses(now time.Duration) {
	before := len(c.lease.addrs)
	c.lease.addrs = slices.DeleteFunc(c.lease.addrs, func(a address) bool {
		if a.valid <= now && a.held {
			c.host.Remove(a.addr)
		}
		return a.valid <= now
	})
	if before > 0 && len(c.lease.addrs) == 0 && c.state != Releasing && c.state != Stopped {
		c.drop()
		c.solicit(now, 0)
	}
}

// drop stops the use of the addresses.
func (c *Client) drop() {
	c.remove()
	c.lease.clear()
}

func (c *Client) remove() {
	for i, a := range c.lease.addrs {
		if a.held {
			c.host.Remove(a.addr)
			c.lease.addrs[i].held = false
		}
	}
}

// bound waits for T1 and T2.
func (c *Client) bound() {
	c.state, c.exchange.due, c.silent = Bound, Forever, Forever
}

// Claimed takes the answer to Host.Claim: nil, or the reason why the address cannot be used. Such an address is declined (RFC 8415 section
// 18.2.8), and the client looks for others.
func (c *Client) Claimed(now time.Duration, addr netip.Addr, err error) {
	at := slices.IndexFunc(c.lease.addrs, func(a address) bool { return a.addr == addr })
	if err == nil || at < 0 || c.state == Releasing {
		return
	}
	c.stats.Refused.Inc()
	c.remove()
	c.lease.addrs[at].refused = true
	c.enter(Declining, now, timing{irt: time.Second, mrc: 4})
}

// offered are the addresses in the client's IA_NA of a message that can be used, and T1 and T2 (RFC 8415 sections 21.4 and 21.6).
func (c *Client) offered(now time.Duration, m *dhcpv6.Message) (list []address, t1, t2 time.Duration) {
	ia := c.iaOf(m)
	if ia == nil {
		return nil, 0, 0
	}
	shortest := Forever
	for _, o := range ia.Options.Addresses() {
		addr, ok := netip.AddrFromSlice(o.IPv6Addr)
		switch {
		case !ok || !isHost(addr) || len(list) == maxAddresses || slices.ContainsFunc(list, func(a address) bool { return a.addr == addr }):
			c.stats.IgnoredAddress.Inc()
			continue
		case o.PreferredLifetime > o.ValidLifetime:
			c.stats.IgnoredLifetimes.Inc()
			continue
		}
		a := address{addr: addr, preferred: after(now, o.PreferredLifetime), valid: after(now, o.ValidLifetime)}
		if o.ValidLifetime > 0 {
			shortest = min(shortest, lifetime(o.PreferredLifetime))
		}
		list = append(list, a)
	}
	t1, t2 = times(now, ia, shortest)
	return list, t1, t2
}

// iaOf is the client's IA_NA in a message; nil: there is none that can be used.
func (c *Client) iaOf(m *dhcpv6.Message) *dhcpv6.OptIANA {
	for _, ia := range m.Options.IANA() {
		switch {
		case ia.IaId != c.cfg.IAID:
		case ia.T1 > ia.T2 && ia.T2 > 0: // RFC 8415 section 21.4
			c.stats.IgnoredTimes.Inc()
		default:
			return ia
		}
	}
	return nil
}

// times are T1 and T2: the server's, else a half and four fifths of the shortest preferred lifetime (RFC 8415 section 14.2).
func times(now time.Duration, ia *dhcpv6.OptIANA, shortest time.Duration) (t1, t2 time.Duration) {
	const least = 5 * time.Second // a server cannot make the client ask without a pause
	t1, t2 = lifetime(ia.T1), lifetime(ia.T2)
	if t2 == 0 {
		t2 = max(share(shortest, 4, 5), t1)
	}
	if t1 == 0 {
		t1 = min(share(shortest, 1, 2), t2)
	}
	return within(now, max(t1, least)), within(now, max(t2, least))
}

// share is n of m parts of d.
func share(d, n, m time.Duration) time.Duration {
	if d == Forever {
		return Forever
	}
	return d / m * n
}

// infinity is the lifetime that never ends (RFC 8415 section 7.7).
const infinity = 0xffffffff * time.Second

// lifetime is a time of a message, with Forever for infinity.
func lifetime(d time.Duration) time.Duration {
	if d == infinity {
		return Forever
	}
	return d
}

// after is the time at which a lifetime of a message ends.
func after(now, d time.Duration) time.Duration { return within(now, lifetime(d)) }

func within(now, d time.Duration) time.Duration {
	if d > Forever-now {
		return Forever
	}
	return now + d
}

// isHost reports whether a is a unicast address that a server can give out.
func isHost(a netip.Addr) bool {
	return a.Is6() && !a.Is4In6() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}

// settingsOf reads the parameters of a message, in the order of the server.
func settingsOf(m *dhcpv6.Message) Settings {
	s := Settings{DNS: servers(m.Options.DNS())}
	if list := m.Options.DomainSearchList(); list != nil {
		s.Search = option.Domains(list.Labels, maxDomains)
	}
	return s
}

func servers(ips []net.IP) (list []netip.Addr) {
	for _, ip := range ips {
		a, ok := netip.AddrFromSlice(ip)
		if ok && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && !a.Is4In6() && len(list) < maxServers {
			list = append(list, a)
		}
	}
	return list
}
