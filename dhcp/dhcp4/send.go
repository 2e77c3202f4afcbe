package dhcp4

import (
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// discover sends a DISCOVER and sets the time of the next.
func (c *Client) discover(now time.Duration) {
	m := c.message(dhcpv4.MessageTypeDiscover, now)
	if c.lease != nil {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(c.lease.Addr.Addr().AsSlice()))
	}
	c.broadcast(m)
	c.retry(now)
}

// request sends the REQUEST of SELECTING, with the server, or of INIT-REBOOT (RFC 2131 table 5).
func (c *Client) request(now time.Duration) {
	if c.tries == 0 {
		c.sent = now
	}
	m := c.message(dhcpv4.MessageTypeRequest, now)
	m.UpdateOption(dhcpv4.OptRequestedIPAddress(c.lease.Addr.Addr().AsSlice()))
	if c.state == Requesting {
		m.UpdateOption(dhcpv4.OptServerIdentifier(c.lease.Server.AsSlice()))
	}
	c.broadcast(m)
	c.retry(now)
}

// broadcast sends a message before the client has an address. The stack receives no unicast datagram to an address that it does not have yet.
func (c *Client) broadcast(m *dhcpv4.DHCPv4) {
	m.SetBroadcast()
	c.host.Send(m, netip.Addr{}, limitedBroadcast)
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// retry sets the time of the next transmission: 4, 8, 16, 32 and 64 seconds later, each plus or minus up to one (RFC 2131 section 4.1).
func (c *Client) retry(now time.Duration) {
	wait := min(firstRetry<<min(c.tries, 4), lastRetry)
	c.tries++
	c.due = now + c.between(wait-retryFuzz, wait+retryFuzz)
}

// between returns a random time from low to high.
func (c *Client) between(low, high time.Duration) time.Duration {
	return low + time.Duration(c.cfg.Rand.Int64N(int64(high-low)+1))
}

// extend sends the REQUEST of RENEWING, to the server, or of REBINDING, to all (RFC 2131 section 4.4.5). Each has another transaction, so
// that the lease counts from the request that was answered.
func (c *Client) extend(now time.Duration) {
	l := c.lease
	c.newTransaction()
	c.sent = now
	m := c.message(dhcpv4.MessageTypeRequest, now)
	m.ClientIPAddr = l.Addr.Addr().AsSlice()
	if now < l.Rebind {
		if c.state == Bound {
			c.search = now
		}
		c.state, c.due = Renewing, min(now+max((l.Rebind-now)/2, leastRenewal), l.Rebind)
		c.host.Send(m, l.Addr.Addr(), l.Server)
		return
	}
	c.state, c.due = Rebinding, now+max((l.End-now)/2, leastRenewal)
	c.host.Send(m, l.Addr.Addr(), limitedBroadcast)
}
