package dhcp6

import (
	"errors"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// MaxMessage is the largest message in bytes that is parsed.
const MaxMessage = 4096

// Parse parses a message to a client. An option that is malformed is left out, and the others count.
func Parse(b []byte) (*dhcpv6.Message, error) {
	const header = 4
	if len(b) < header || len(b) > MaxMessage {
		return nil, errors.New("not a message")
	}
	m := &dhcpv6.Message{MessageType: dhcpv6.MessageType(b[0]), TransactionID: dhcpv6.TransactionID(b[1:4])}
	err := m.Options.FromBytesWithParser(b[header:], func(code dhcpv6.OptionCode, data []byte) (dhcpv6.Option, error) {
		o, err := dhcpv6.ParseOption(code, data)
		if err != nil {
			return &dhcpv6.OptionGeneric{}, nil // of the code 0, which is none
		}
		return o, nil
	})
	return m, err
}

// types are the messages of the states.
var types = map[State]dhcpv6.MessageType{
	Soliciting: dhcpv6.MessageTypeSolicit, Requesting: dhcpv6.MessageTypeRequest, Renewing: dhcpv6.MessageTypeRenew,
	Rebinding: dhcpv6.MessageTypeRebind, Confirming: dhcpv6.MessageTypeConfirm, Declining: dhcpv6.MessageTypeDecline,
	Releasing: dhcpv6.MessageTypeRelease, Asking: dhcpv6.MessageTypeInformationRequest,
}

// message makes the message of the state (RFC 8415 section 18.2).
func (c *Client) message(now time.Duration) *dhcpv6.Message {
	m := &dhcpv6.Message{MessageType: types[c.state], TransactionID: c.exchange.xid}
	m.AddOption(dhcpv6.OptClientID(c.cfg.DUID))
	m.AddOption(dhcpv6.OptElapsedTime(c.exchange.elapsed(now)))
	switch c.state {
	case Requesting, Renewing, Declining, Releasing:
		m.AddOption(dhcpv6.OptServerID(c.lease.server))
	}
	if c.state != Asking {
		m.AddOption(c.identity())
	}
	switch c.state {
	case Soliciting:
		m.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionRapidCommit})
		m.AddOption(dhcpv6.OptRequestedOption(dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList, dhcpv6.OptionSolMaxRT))
	case Requesting, Renewing, Rebinding:
		m.AddOption(dhcpv6.OptRequestedOption(dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList, dhcpv6.OptionSolMaxRT))
	case Asking:
		m.AddOption(dhcpv6.OptRequestedOption(dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList,
			dhcpv6.OptionInformationRefreshTime, dhcpv6.OptionInfMaxRT))
	}
	return m
}

// identity is the IA_NA option with the addresses that the message is about.
func (c *Client) identity() *dhcpv6.OptIANA {
	ia := &dhcpv6.OptIANA{IaId: c.cfg.IAID}
	for _, a := range c.lease.addrs {
		if c.state != Declining || a.refused {
			ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: a.addr.AsSlice()})
		}
	}
	return ia
}
