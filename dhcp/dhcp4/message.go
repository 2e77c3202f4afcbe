package dhcp4

import (
	"errors"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// MaxMessage is the largest message in bytes that is parsed.
const MaxMessage = 4096

// Places of the fields that option 52 fills with options (RFC 2131 section 2).
const (
	snameAt = 44
	fileAt  = 108
	fileEnd = 236
)

// Parse parses a message, with the options in its fields file and sname (RFC 2131 section 4.1, RFC 3396 section 5).
func Parse(b []byte) (*dhcpv4.DHCPv4, error) {
	if len(b) > MaxMessage {
		return nil, errors.New("the message is too long")
	}
	m, err := dhcpv4.FromBytes(b)
	if err != nil {
		return nil, err
	}
	overload := m.Options.Get(dhcpv4.OptionOptionOverload)
	if len(overload) != 1 {
		return m, nil
	}
	if overload[0]&1 != 0 {
		err = m.Options.FromBytes(b[fileAt:fileEnd])
	}
	if overload[0]&2 != 0 && err == nil {
		err = m.Options.FromBytes(b[snameAt:fileAt])
	}
	return m, err
}

// message makes a message for the server, with what the client wants to know.
func (c *Client) message(typ dhcpv4.MessageType, now time.Duration) *dhcpv4.DHCPv4 {
	m := c.farewell(typ)
	m.NumSeconds = uint16(min((now-c.search)/time.Second, 1<<16-1))
	m.UpdateOption(dhcpv4.OptMaxMessageSize(c.cfg.MaxSize))
	m.UpdateOption(dhcpv4.OptParameterRequestList(wanted...))
	if c.cfg.Hostname != "" {
		m.UpdateOption(dhcpv4.OptHostName(c.cfg.Hostname))
	}
	return m
}

// wanted is the parameter request list; classless routes stand before the routers (RFC 3442).
var wanted = []dhcpv4.OptionCode{
	dhcpv4.OptionClasslessStaticRoute, dhcpv4.OptionRouter, dhcpv4.OptionSubnetMask, dhcpv4.OptionDomainNameServer, dhcpv4.OptionHostName,
	dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionBroadcastAddress, dhcpv4.OptionNTPServers,
	dhcpv4.OptionDNSDomainSearchList,
}

// farewell makes a message with the options that every message has: a DECLINE or RELEASE has no others, and names the server if there is
// one (RFC 2131 table 5).
func (c *Client) farewell(typ dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet, TransactionID: c.xid, ClientHWAddr: c.cfg.MAC,
	}
	m.UpdateOption(dhcpv4.OptMessageType(typ))
	m.UpdateOption(dhcpv4.OptClientIdentifier(c.cfg.ID))
	if typ == dhcpv4.MessageTypeDecline || typ == dhcpv4.MessageTypeRelease {
		m.UpdateOption(dhcpv4.OptServerIdentifier(c.lease.Server.AsSlice()))
	}
	return m
}

// address is the one address of an option; the zero Addr if the option has another length.
func address(b []byte) netip.Addr {
	if len(b) != 4 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
}
