// Package dhcp4 is the client of DHCP for IPv4 (RFC 2131) as a pure state machine: it has no clock, no sockets and no goroutines. Package
// dhcp runs it on a stack. The messages are those of github.com/insomniacslk/dhcp/dhcpv4.
package dhcp4

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Forever is a time that never comes.
const Forever = time.Duration(1<<63 - 1)

// Constants of RFC 2131.
const (
	firstRetry     = 4 * time.Second  // section 4.1
	lastRetry      = 64 * time.Second // section 4.1
	retryFuzz      = time.Second      // section 4.1
	leastRenewal   = time.Minute      // between repeated requests in RENEWING and REBINDING (section 4.4.5)
	requests       = 4                // in REQUESTING, before the client starts over (section 3.1, 5)
	reboots        = 2                // in REBOOTING, before the client does without an answer (section 3.2)
	afterDecline   = 10 * time.Second // section 3.1, 5
	leastDelay     = time.Second      // of the first DISCOVER (section 4.4.1)
	mostDelay      = 10 * time.Second // of the first DISCOVER (section 4.4.1)
	mostRestartGap = 64 * time.Second
	steady         = time.Minute // a lease of this length ends the slowing down of restarts
)

// State is a state of figure 5 of RFC 2131, or one of ours.
type State uint8

// The states. In Probing the link looks for another host with the address (section 4.4.1).
const (
	Init State = iota
	Selecting
	Requesting
	Rebooting
	Probing
	Bound
	Renewing
	Rebinding
	Stopped
)

// String is the name in RFC 2131.
func (s State) String() string {
	return [...]string{"INIT", "SELECTING", "REQUESTING", "REBOOTING", "PROBING", "BOUND", "RENEWING", "REBINDING", "STOPPED"}[s]
}

// holds reports whether the client has an address in the state.
func (s State) holds() bool { return s == Bound || s == Renewing || s == Rebinding }

// Config of a Client.
type Config struct {
	MAC      net.HardwareAddr
	ID       []byte        // the client identifier (RFC 4361 section 6.1), the same in all messages
	Hostname string        // told to the server; "": none
	MaxSize  uint16        // of a message that the client receives, in bytes of the IP datagram; at least 576
	Delay    time.Duration // before the first message; 0: random between 1 s and 10 s; below 0: none
	Patience time.Duration // without an offer, until Host.Silent is called
	Rand     *rand.Rand

	// Remembered is the lease of an earlier run, which the client asks for again; nil: none. One that has ended, or was given back, is asked
	// for as any other address.
	Remembered *Lease
}

// Host does what a Client decides. The methods must not call the Client.
type Host interface {
	// Send sends m from port 68 to port 67 of an address. From is the held address, or the zero Addr for 0.0.0.0.
	Send(m *dhcpv4.DHCPv4, from, to netip.Addr)
	// Claim takes an address into use, unless another host on the link has it: the answer is Client.Claimed.
	Claim(addr netip.Prefix)
	// Bound configures what a lease says. It is called after Claimed, and when the lease is extended.
	Bound(l *Lease)
	// Lost stops the use of the lease and of its address, which may be removed already.
	Lost(l *Lease, why Reason)
	// Silent is told once per search that no server has answered for Config.Patience.
	Silent()
}

// Reason says why a lease has ended.
type Reason string

// The reasons.
const (
	Expired  Reason = "expired"
	Refused  Reason = "refused by the server"
	Changed  Reason = "moved to another network by the server"
	Conflict Reason = "in use by another host"
	Released Reason = "given back"
)

// Client is the client on one interface. The caller serializes the calls, and calls Expire at the time that Next returns.
type Client struct {
	cfg   Config
	host  Host
	stats counters

	state    State
	xid      dhcpv4.TransactionID
	search   time.Duration // when the search for a lease began
	due      time.Duration // the next step of the state
	silent   time.Duration // when Silent is due
	tries    int           // of the message of the state
	sent     time.Duration // the first transmission of the REQUEST whose ACK is awaited
	restarts int           // without a steady lease
	lease    *Lease        // offered, remembered, probed or held
}

// New returns a Client, which starts with the first call of Expire.
func New(cfg Config, host Host) *Client {
	cfg.MaxSize = max(cfg.MaxSize, minSize)
	return &Client{cfg: cfg, host: host, silent: Forever, lease: cfg.Remembered}
}

// minSize is the datagram that every client receives (RFC 2131 section 2), in bytes.
const minSize = 576

// State is the state now.
func (c *Client) State() State { return c.state }

// Lease is the lease that the client holds; nil: none. It must not be changed.
func (c *Client) Lease() *Lease {
	if c.state.holds() {
		return c.lease
	}
	return nil
}

// Stats returns a pointer to the counters, for stats.Read.
func (c *Client) Stats() any { return &c.stats }

// Next is the time at which Expire is due; Forever: never.
func (c *Client) Next() time.Duration {
	next := min(c.due, c.silent)
	if c.state.holds() {
		next = min(next, c.lease.End)
	}
	return next
}

// Start starts the search for a lease: in INIT-REBOOT with a remembered lease that has not ended, else in INIT.
func (c *Client) Start(now time.Duration) {
	c.search = now
	delay := max(c.cfg.Delay, 0)
	if c.cfg.Delay == 0 {
		delay = c.between(leastDelay, mostDelay)
	}
	c.due = now + delay
	if c.lease != nil && c.lease.End > now {
		c.enter(Rebooting, c.due)
	}
}

// enter changes the state; due is its next step.
func (c *Client) enter(s State, due time.Duration) {
	c.state, c.due, c.tries = s, due, 0
	if s == Selecting || s == Rebooting {
		c.newTransaction()
	}
}

func (c *Client) newTransaction() {
	v := c.cfg.Rand.Uint32()
	c.xid = dhcpv4.TransactionID{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// Expire does what is due.
func (c *Client) Expire(now time.Duration) {
	if now >= c.silent {
		c.silent = Forever
		c.host.Silent()
	}
	switch {
	case c.state.holds() && now >= c.lease.End:
		c.lose(now, Expired)
	case now >= c.due:
		c.step(now)
	}
}

func (c *Client) step(now time.Duration) {
	switch c.state {
	case Init:
		c.search, c.silent = now, now+c.cfg.Patience
		c.enter(Selecting, now)
		c.discover(now)
	case Selecting:
		c.discover(now)
	case Requesting:
		if c.tries == requests {
			c.restart(now, 0)
			return
		}
		c.request(now)
	case Rebooting:
		if c.tries == reboots {
			c.withoutAnswer(now)
			return
		}
		c.request(now)
	case Bound, Renewing, Rebinding:
		c.extend(now)
	}
}

// withoutAnswer uses the remembered lease, which no server has confirmed (RFC 2131 section 3.2, 3).
func (c *Client) withoutAnswer(now time.Duration) {
	if now >= c.lease.End {
		c.restart(now, 0)
		return
	}
	c.probe()
}

// probe lets the link look for another host with the address.
func (c *Client) probe() {
	c.enter(Probing, Forever)
	c.silent = Forever
	c.host.Claim(c.lease.Addr)
}

// Claimed takes the answer to Host.Claim: nil, or the reason why the address cannot be used.
func (c *Client) Claimed(now time.Duration, err error) {
	switch {
	case c.state != Probing:
	case err != nil:
		c.decline()
		c.restart(now, afterDecline)
	case now >= c.lease.End:
		c.lose(now, Expired)
	default:
		c.bind(now)
	}
}

// bind enters BOUND.
func (c *Client) bind(now time.Duration) {
	l := c.lease
	if l.End-now >= steady {
		c.restarts = 0
	}
	c.enter(Bound, l.Renew)
	c.silent = Forever
	c.host.Bound(l)
}

// Taken takes the news that the stack has given up the held address, because another host uses it.
func (c *Client) Taken(now time.Duration) {
	lost := c.Lease()
	if lost == nil {
		return
	}
	c.decline()
	c.restart(now, afterDecline)
	c.host.Lost(lost, Conflict)
}

// decline tells the server that another host has the address.
func (c *Client) decline() {
	c.newTransaction()
	m := c.farewell(dhcpv4.MessageTypeDecline)
	m.UpdateOption(dhcpv4.OptRequestedIPAddress(c.lease.Addr.Addr().AsSlice()))
	c.host.Send(m, netip.Addr{}, limitedBroadcast)
	c.lease = nil
}

// Stop ends the client: it gives a held lease back if release is set, and stops using it (RFC 2131 section 4.4.6).
func (c *Client) Stop(now time.Duration, release bool) {
	held := c.Lease()
	if held != nil && release {
		c.newTransaction()
		m := c.farewell(dhcpv4.MessageTypeRelease)
		m.ClientIPAddr = held.Addr.Addr().AsSlice()
		c.host.Send(m, held.Addr.Addr(), held.Server)
	}
	c.enter(Stopped, Forever)
	c.silent = Forever
	if held != nil {
		c.host.Lost(held, Released)
	}
}

// lose stops the use of the lease and starts over.
func (c *Client) lose(now time.Duration, why Reason) {
	c.restart(now, 0)
	c.host.Lost(c.lease, why)
}

// restart starts over, at the earliest after least. Without a steady lease in between restarts become ever slower: a server that grants and
// refuses in turn causes few messages.
func (c *Client) restart(now, least time.Duration) {
	wait := min(time.Second<<min(c.restarts, 6), mostRestartGap)
	c.restarts++
	c.enter(Init, now+max(least, c.between(0, wait)+wait/2))
}
