// Package dhcp6 is the client of DHCP for IPv6 (RFC 8415) as a pure state machine: it has no clock, no sockets and no goroutines. Package
// dhcp runs it on a stack. The messages are those of github.com/insomniacslk/dhcp/dhcpv6.
package dhcp6

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// Forever is a time that never comes.
const Forever = time.Duration(1<<63 - 1)

// Mode is what the client asks for (RFC 4861 section 4.2).
type Mode uint8

// The modes, each with more than the one before.
const (
	Off       Mode = iota
	Stateless      // settings only: the router's O flag
	Stateful       // addresses, too: the router's M flag
)

// State is the exchange that the client is in.
type State uint8

// The states.
const (
	Idle State = iota
	Soliciting
	Requesting
	Bound
	Renewing
	Rebinding
	Confirming
	Declining
	Releasing
	Asking   // for settings
	Informed // has settings, without addresses
	Stopped
)

// String is the name of the state.
func (s State) String() string {
	return [...]string{
		"IDLE", "SOLICITING", "REQUESTING", "BOUND", "RENEWING", "REBINDING", "CONFIRMING", "DECLINING", "RELEASING", "ASKING", "INFORMED", "STOPPED",
	}[s]
}

// Config of a Client.
type Config struct {
	DUID     dhcpv6.DUID // of the client, the same on all interfaces
	IAID     [4]byte     // of the interface
	Patience time.Duration
	Rand     *rand.Rand
}

// Host does what a Client decides. The methods must not call the Client.
type Host interface {
	// Send sends m from port 546 of the link-local address to port 547 of ff02::1:2.
	Send(m *dhcpv6.Message)
	// Claim takes an address into use for the times that are left, unless another host on the link has it: the answer is Client.Claimed. Its
	// network does not become a route.
	Claim(addr netip.Addr, preferred, valid time.Duration)
	// Extend sets the times that are left of an address.
	Extend(addr netip.Addr, preferred, valid time.Duration)
	// Remove stops the use of an address, which may be removed already.
	Remove(addr netip.Addr)
	// Configure configures the settings, in place of earlier ones.
	Configure(s Settings)
	// Silent is told once per search that no server has answered for Config.Patience.
	Silent()
}

// Client is the client on one interface. The caller serializes the calls, and calls Expire at the time that Next returns.
type Client struct {
	cfg   Config
	host  Host
	stats counters
	mode  Mode

	state    State
	exchange exchange
	silent   time.Duration // when Silent is due
	sent     []time.Duration

	solMaxRT, infMaxRT time.Duration
	best               *dhcpv6.Message // the best Advertise so far
	lease              lease
	settings           Settings
}

// New returns a Client, which does nothing before SetMode.
func New(cfg Config, host Host) *Client {
	c := &Client{cfg: cfg, host: host, silent: Forever, solMaxRT: maxRT, infMaxRT: maxRT}
	c.exchange.due = Forever
	c.lease.clear()
	return c
}

// State is the state now.
func (c *Client) State() State { return c.state }

// Stats returns a pointer to the counters, for stats.Read.
func (c *Client) Stats() any { return &c.stats }

// Next is the time at which Expire is due; Forever: never.
func (c *Client) Next() time.Duration {
	return min(c.exchange.due, c.silent, c.lease.next(c.state))
}

// SetMode sets what the client asks for. A mode with less than the one before has no effect: the addresses stay until their lifetimes end
// (RFC 4862 section 5.5.3 has the same rule for prefixes).
func (c *Client) SetMode(now time.Duration, m Mode) {
	if m <= c.mode || c.state == Stopped || c.state == Releasing {
		return
	}
	c.mode = m
	if m == Stateful {
		c.solicit(now, 0)
	} else {
		c.ask(now)
	}
}

// solicit looks for a server that has addresses, at the earliest after least (RFC 8415 section 18.2.1).
func (c *Client) solicit(now, least time.Duration) {
	c.best = nil
	if c.silent == Forever {
		c.silent = now + c.cfg.Patience
	}
	c.enter(Soliciting, now, timing{delay: time.Second, irt: time.Second, mrt: c.solMaxRT})
	c.exchange.due = max(c.exchange.due, now+least)
}

// ask asks for settings (RFC 8415 section 18.2.6).
func (c *Client) ask(now time.Duration) {
	c.silent = now + c.cfg.Patience
	c.enter(Asking, now, timing{delay: time.Second, irt: time.Second, mrt: c.infMaxRT})
}

// enter begins the exchange of a state.
func (c *Client) enter(s State, now time.Duration, t timing) {
	c.state = s
	c.exchange.begin(c.cfg.Rand, now, t)
}

// Expire does what is due.
func (c *Client) Expire(now time.Duration) {
	if now >= c.silent {
		c.silent = Forever
		c.host.Silent()
	}
	c.expireAddresses(now)
	switch {
	case c.state == Bound && now >= c.lease.t2:
		c.rebind(now)
	case c.state == Bound && now >= c.lease.t1:
		c.enter(Renewing, now, timing{irt: renewRT, mrt: maxRenewRT, end: c.lease.t2})
	case c.state == Renewing && now >= c.lease.t2:
		c.rebind(now)
	}
	if now >= c.exchange.due {
		c.step(now)
	}
}

func (c *Client) rebind(now time.Duration) {
	c.enter(Rebinding, now, timing{irt: renewRT, mrt: maxRenewRT})
}

// step sends the next message of the exchange, or ends it.
func (c *Client) step(now time.Duration) {
	e := &c.exchange
	switch {
	case c.state == Informed:
		c.ask(now)
		return
	case c.state == Soliciting && e.tries > 0 && c.best != nil:
		c.request(now, c.best)
		return
	case e.over(now):
		c.ended(now)
		return
	}
	if wait := c.limit(now); wait > 0 {
		e.due = now + wait
		return
	}
	c.host.Send(c.message(now))
	e.sent(c.cfg.Rand, now, c.state == Soliciting)
}

// ended is called when an exchange ends without an answer.
func (c *Client) ended(now time.Duration) {
	switch c.state {
	case Requesting, Declining:
		c.drop()
		c.solicit(now, 0)
	case Confirming: // the addresses stay in use (RFC 8415 section 18.2.3)
		c.bound()
	case Releasing:
		c.stop()
	default:
		c.exchange.due = Forever
	}
}

// Limit of the messages of an interface (RFC 8415 section 14.1).
const (
	limitCount = 20
	limitTime  = 20 * time.Second
)

// limit is the time to wait before a message may be sent.
func (c *Client) limit(now time.Duration) time.Duration {
	if len(c.sent) == limitCount {
		if wait := c.sent[0] + limitTime - now; wait > 0 {
			return wait
		}
		c.sent = c.sent[1:]
	}
	c.sent = append(c.sent, now)
	return 0
}

// Confirm asks whether the addresses are still right, because the link may be another (RFC 8415 section 18.2.3).
func (c *Client) Confirm(now time.Duration) {
	if (c.state == Bound || c.state == Renewing || c.state == Rebinding) && len(c.lease.addrs) > 0 {
		c.enter(Confirming, now, timing{delay: time.Second, irt: time.Second, mrt: 4 * time.Second, end: now + confirmTime})
	}
}

// confirmTime is CNF_MAX_RD.
const confirmTime = 10 * time.Second

// Stop ends the client: it removes the addresses, and then gives them back if release is set (RFC 8415 section 18.2.7). It has ended when the
// state is Stopped.
func (c *Client) Stop(now time.Duration, release bool) {
	if c.state == Releasing || c.state == Stopped {
		return
	}
	c.remove()
	c.silent = Forever
	if !release || len(c.lease.addrs) == 0 {
		c.stop()
		return
	}
	c.enter(Releasing, now, timing{irt: time.Second, mrc: 4})
}

func (c *Client) stop() {
	c.lease.clear()
	c.setSettings(Settings{})
	c.state, c.exchange.due = Stopped, Forever
}
