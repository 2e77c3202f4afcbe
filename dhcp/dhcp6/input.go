package dhcp6

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"tunstack/internal/stats"
)

// pause is the time before a new search after a server has refused.
const pause = 10 * time.Second

// maxDUID is the largest DUID in bytes, with its type (RFC 8415 section 11.1).
const maxDUID = 130

// atOnce is the preference of a server that need not be compared with others (RFC 8415 section 18.2.1).
const atOnce = 255

// Input takes a datagram that arrived at port 546.
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

// receive handles a message, or returns the reason for dropping it (RFC 8415 section 16).
func (c *Client) receive(now time.Duration, m *dhcpv6.Message) (drop *stats.Counter) {
	advertise := m.MessageType == dhcpv6.MessageTypeAdvertise
	switch id := m.Options.ClientID(); {
	case !advertise && m.MessageType != dhcpv6.MessageTypeReply:
		return &c.stats.DropType
	case id == nil || !bytes.Equal(id.ToBytes(), c.cfg.DUID.ToBytes()):
		return &c.stats.DropClientID
	case m.Options.ServerID() == nil || len(m.Options.ServerID().ToBytes()) > maxDUID:
		return &c.stats.DropServerID
	case m.TransactionID != c.exchange.xid || c.exchange.tries == 0:
		return &c.stats.DropTransaction
	}
	c.setMaxRT(m, dhcpv6.OptionSolMaxRT, &c.solMaxRT)
	c.setMaxRT(m, dhcpv6.OptionInfMaxRT, &c.infMaxRT)
	if advertise {
		return c.advertised(now, m)
	}
	return c.replied(now, m)
}

// setMaxRT takes the largest retransmission time over (RFC 8415 sections 21.24 and 21.25), also for the exchange that goes on.
func (c *Client) setMaxRT(m *dhcpv6.Message, code dhcpv6.OptionCode, max *time.Duration) {
	o, ok := m.Options.GetOne(code).(*dhcpv6.OptionGeneric)
	if !ok {
		return
	}
	if b := o.OptionData; len(b) != 4 || binary.BigEndian.Uint32(b) < 60 || binary.BigEndian.Uint32(b) > 86400 {
		c.stats.IgnoredMaxRT.Inc()
		return
	}
	*max = time.Duration(binary.BigEndian.Uint32(o.OptionData)) * time.Second
	switch c.state {
	case Soliciting:
		c.exchange.mrt = c.solMaxRT
	case Asking:
		c.exchange.mrt = c.infMaxRT
	}
}

// advertised takes an Advertise. Those that arrive before the first retransmission are collected (RFC 8415 section 18.2.9).
func (c *Client) advertised(now time.Duration, m *dhcpv6.Message) (drop *stats.Counter) {
	if c.state != Soliciting {
		return &c.stats.DropState
	}
	if list, _, _ := c.offered(now, m); status(m.Options.Status()) != iana.StatusSuccess || len(list) == 0 {
		return &c.stats.DropNoAddress
	}
	c.stats.InAdvertises.Inc()
	if c.best == nil || m.Options.Preference() > c.best.Options.Preference() {
		c.best = m
	}
	if c.exchange.tries > 1 || m.Options.Preference() == atOnce {
		c.request(now, c.best)
	}
	return nil
}

// request asks the server of an Advertise for the addresses (RFC 8415 section 18.2.2).
func (c *Client) request(now time.Duration, m *dhcpv6.Message) {
	c.best = nil
	c.lease.clear()
	c.lease.server = m.Options.ServerID()
	c.lease.addrs, _, _ = c.offered(now, m)
	c.askForAddresses(now)
}

func (c *Client) askForAddresses(now time.Duration) {
	c.enter(Requesting, now, timing{irt: time.Second, mrt: 30 * time.Second, mrc: 10})
}

// replied takes a Reply (RFC 8415 section 18.2.10).
func (c *Client) replied(now time.Duration, m *dhcpv6.Message) (drop *stats.Counter) {
	s := status(m.Options.Status())
	rapid := m.Options.GetOne(dhcpv6.OptionRapidCommit) != nil
	switch c.state {
	case Requesting, Renewing, Rebinding:
		return c.granted(now, m, s)
	case Soliciting:
		if rapid {
			return c.granted(now, m, s)
		}
	case Confirming:
		if s == iana.StatusNotOnLink {
			c.drop()
			c.solicit(now, 0)
			return nil
		}
		c.bound()
		return nil
	case Declining:
		c.drop()
		c.solicit(now, pause)
		return nil
	case Releasing:
		c.stop()
		return nil
	case Asking:
		return c.informed(now, m, s)
	}
	return &c.stats.DropState
}

// granted takes the addresses of a Reply.
func (c *Client) granted(now time.Duration, m *dhcpv6.Message, s iana.StatusCode) (drop *stats.Counter) {
	ia := c.iaOf(m)
	if s == iana.StatusSuccess && ia != nil {
		s = status(ia.Options.Status())
	}
	switch {
	case s == iana.StatusNoBinding && (c.state == Renewing || c.state == Rebinding):
		c.lease.server = m.Options.ServerID()
		c.askForAddresses(now)
		return nil
	case s == iana.StatusNotOnLink, s == iana.StatusNoAddrsAvail && c.state == Requesting:
		c.stats.Failed.Inc()
		c.drop()
		c.solicit(now, pause)
		return nil
	case s != iana.StatusSuccess || ia == nil: // the exchange goes on, ever slower
		c.stats.Failed.Inc()
		return nil
	}
	list, t1, t2 := c.offered(now, m)
	if len(list) == 0 {
		return &c.stats.DropNoAddress
	}
	c.stats.InReplies.Inc()
	c.lease.server, c.lease.t1, c.lease.t2 = m.Options.ServerID(), t1, t2
	c.lease.addrs = slices.DeleteFunc(c.lease.addrs, func(a address) bool { return !a.held }) // those that were only offered
	c.bound()
	for _, a := range list {
		c.take(now, a)
	}
	c.setSettings(settingsOf(m))
	c.expireAddresses(now) // those that the server takes back with a lifetime of 0
	return nil
}

// take takes an address into use, or extends its lifetimes.
func (c *Client) take(now time.Duration, a address) {
	a.held = true
	at := slices.IndexFunc(c.lease.addrs, func(old address) bool { return old.addr == a.addr })
	switch {
	case at >= 0:
		c.lease.addrs[at] = a
		c.host.Extend(a.addr, left(now, a.preferred), left(now, a.valid))
	case a.valid > now && len(c.lease.addrs) < maxAddresses:
		c.lease.addrs = append(c.lease.addrs, a)
		c.host.Claim(a.addr, left(now, a.preferred), left(now, a.valid))
	}
}

// left is the time from now to an end.
func left(now, end time.Duration) time.Duration {
	if end == Forever {
		return Forever
	}
	return max(end-now, 0)
}

// Refresh times of settings (RFC 8415 section 21.23).
const (
	defaultRefresh = 86400 * time.Second // IRT_DEFAULT
	minRefresh     = 600 * time.Second   // IRT_MINIMUM
)

// informed takes the settings of a Reply.
func (c *Client) informed(now time.Duration, m *dhcpv6.Message, s iana.StatusCode) (drop *stats.Counter) {
	if s != iana.StatusSuccess {
		c.stats.Failed.Inc()
		return nil
	}
	c.stats.InReplies.Inc()
	c.state, c.silent = Informed, Forever
	refresh := max(m.Options.InformationRefreshTime(defaultRefresh), minRefresh)
	c.exchange.due = after(now, refresh)
	c.setSettings(settingsOf(m))
	return nil
}

func (c *Client) setSettings(s Settings) {
	if !reflect.DeepEqual(s, c.settings) {
		c.settings = s
		c.host.Configure(s)
	}
}

// status is the code of a status option; without one it is Success (RFC 8415 section 21.13).
func status(o *dhcpv6.OptStatusCode) iana.StatusCode {
	if o == nil {
		return iana.StatusSuccess
	}
	return o.StatusCode
}
