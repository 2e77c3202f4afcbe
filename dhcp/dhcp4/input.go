package dhcp4

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"tunstack/internal/stats"
)

// Input takes a datagram that arrived at port 68.
func (c *Client) Input(now time.Duration, b []byte) {
	m, err := Parse(b)
	if err != nil {
		c.stats.DropMalformed.Inc()
		return
	}
	if drop := c.receive(now, m); drop != nil {
		drop.Inc()
	}
}

// receive handles a message, or returns the reason for dropping it.
func (c *Client) receive(now time.Duration, m *dhcpv4.DHCPv4) (drop *stats.Counter) {
	if drop := c.check(m); drop != nil {
		return drop
	}
	switch m.MessageType() {
	case dhcpv4.MessageTypeOffer:
		return c.offered(now, m)
	case dhcpv4.MessageTypeAck:
		return c.acknowledged(now, m)
	case dhcpv4.MessageTypeNak:
		return c.refused(now, m)
	}
	return &c.stats.DropState
}

// check looks whether a message answers the client's (RFC 2131 section 4.4.1, RFC 6842 section 3).
func (c *Client) check(m *dhcpv4.DHCPv4) (drop *stats.Counter) {
	id := m.Options.Get(dhcpv4.OptionClientIdentifier)
	switch {
	case m.OpCode != dhcpv4.OpcodeBootReply || !bytes.Equal(m.ClientHWAddr, c.cfg.MAC):
		return &c.stats.DropOther
	case id != nil && !bytes.Equal(id, c.cfg.ID):
		return &c.stats.DropClientID
	case m.TransactionID != c.xid:
		return &c.stats.DropTransaction
	case !isHost(serverID(m)):
		return &c.stats.DropServer
	}
	return nil
}

// offered takes the first OFFER that can be used.
func (c *Client) offered(now time.Duration, m *dhcpv4.DHCPv4) (drop *stats.Counter) {
	if c.state != Selecting {
		return &c.stats.DropState
	}
	l, drop := c.leaseOf(now, m)
	if drop != nil {
		return drop
	}
	c.stats.InOffers.Inc()
	c.lease = l
	c.enter(Requesting, now)
	c.request(now)
	return nil
}

// acknowledged takes the ACK of a REQUEST.
func (c *Client) acknowledged(now time.Duration, m *dhcpv4.DHCPv4) (drop *stats.Counter) {
	switch c.state {
	case Requesting:
		if serverID(m) != c.lease.Server {
			return &c.stats.DropServer
		}
	case Rebooting, Renewing, Rebinding:
	default:
		return &c.stats.DropState
	}
	l, drop := c.leaseOf(c.sent, m)
	switch {
	case drop != nil:
		return drop
	case l.Addr.Addr() != c.lease.Addr.Addr():
		return &c.stats.DropAddress
	}
	c.stats.InAcks.Inc()
	held := c.Lease()
	switch {
	case held == nil:
		c.lease = l
		c.probe()
	case held.Addr == l.Addr:
		c.lease = l
		c.bind(now)
	default: // with another network the address is configured anew
		c.host.Lost(held, Changed)
		c.lease = l
		c.probe()
	}
	return nil
}

// refused takes the NAK of a REQUEST.
func (c *Client) refused(now time.Duration, m *dhcpv4.DHCPv4) (drop *stats.Counter) {
	switch {
	case c.state == Requesting && serverID(m) != c.lease.Server:
		return &c.stats.DropServer
	case c.state != Requesting && c.state != Rebooting && !c.state.holds() || c.state == Bound:
		return &c.stats.DropState
	}
	c.stats.InNaks.Inc()
	if held := c.Lease(); held != nil {
		c.lose(now, Refused)
	} else {
		c.restart(now, 0)
	}
	c.lease = nil
	return nil
}

// serverID is the server identifier of a message; the zero Addr if it has none.
func serverID(m *dhcpv4.DHCPv4) netip.Addr {
	return address(m.Options.Get(dhcpv4.OptionServerIdentifier))
}
