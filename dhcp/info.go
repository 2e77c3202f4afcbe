package dhcp

import (
	"net/netip"
	"slices"
	"time"

	"tunstack/dhcp/dhcp4"
)

// Info is what a client has got. Times are those that are left; socketapi.Forever: without an end.
type Info struct {
	Interface string         `json:"interface"`
	Protocol  string         `json:"protocol"`   // DHCPv4 or DHCPv6
	State     string         `json:"state"`      // in the words of the RFC: BOUND, RENEWING ...
	Addresses []netip.Prefix `json:"addresses"`  // leased
	LinkLocal netip.Prefix   `json:"link_local"` // of 169.254/16, while no server answers
	Server    string         `json:"server"`     // its identifier; "": there is no lease
	Renew     time.Duration  `json:"renew"`      // until T1
	Rebind    time.Duration  `json:"rebind"`     // until T2
	Expires   time.Duration  `json:"expires"`    // until the lease ends
	dhcp4.Settings
}

// Info returns what the client has got by now.
func (l *loop) Info() Info {
	l.mu.Lock()
	info := l.info
	l.mu.Unlock()
	if info.Server != "" {
		now := l.stack.Now()
		info.Renew, info.Rebind, info.Expires = left(now, info.Renew), left(now, info.Rebind), left(now, info.Expires)
	}
	return info
}

// set publishes an Info, whose times are those of the stack's clock, and reports whether it has another state or other addresses.
func (l *loop) set(info Info) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.info
	l.info = info
	return old.State != info.State || old.LinkLocal != info.LinkLocal || !slices.Equal(old.Addresses, info.Addresses)
}

// publish publishes the state of the machine.
func (c *Client) publish() {
	info := Info{Interface: c.device, Protocol: "DHCPv4", State: c.machine.State().String(), Addresses: []netip.Prefix{}}
	info.Settings = dhcp4.NoSettings()
	if l := c.machine.Lease(); l != nil {
		info.Addresses = append(info.Addresses, l.Addr)
		info.Server, info.Renew, info.Rebind, info.Expires, info.Settings = l.Server.String(), l.Renew, l.Rebind, l.End, l.Settings
	}
	if c.fallback.owned {
		info.LinkLocal = c.fallback.addr
	}
	if c.set(info) {
		c.cfg.Changed(c.Info())
	}
}

// Stats returns a pointer to the counters, for stats.Read.
func (c *Client) Stats() any { return c.machine.Stats() }
