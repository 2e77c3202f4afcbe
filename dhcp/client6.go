package dhcp

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"tunstack/dhcp/dhcp4"
	"tunstack/dhcp/dhcp6"
	"tunstack/socketapi"
)

// Client6 gets IPv6 addresses and settings for an interface when a router on its link says that a server has them.
type Client6 struct {
	*loop
	cfg      Config
	machine  *dhcp6.Client
	conn     *socketapi.PacketConn
	released chan struct{} // closed when the machine has stopped
}

// Start6 starts a client on an interface that listens to routers (socketapi.Autoconf): it does nothing until one of them sets the flag M or O
// (RFC 4861 section 4.2). Of the Config it uses Secret, Patience, Changed and Logger. Errors: ENODEV without such an interface, and
// EADDRINUSE while another program of the stack has port 546.
func Start6(stack *socketapi.Stack, device string, cfg Config) (*Client6, error) {
	cfg.complete()
	id := newIdentity(cfg.Secret, device)
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // which never fails
	c := &Client6{cfg: cfg, loop: newLoop(stack, device), released: make(chan struct{})}
	c.machine = dhcp6.New(dhcp6.Config{
		DUID: &id.duid, IAID: id.iaid, Patience: cfg.Patience, Rand: rand.New(rand.NewChaCha8(seed)),
	}, (*host6)(c))
	var err error
	if c.conn, err = c.listen("udp6", "[::]:546"); err != nil {
		c.loop.stop()
		return nil, fmt.Errorf("dhcp: %w", err)
	}
	c.publish()
	c.running.Go(func() { c.run(c.machine) })
	c.running.Go(func() { c.receive(c.conn, c.machine.Input) })
	c.onStop(stack.WatchAutoconf(func(i socketapi.AutoconfInfo) { go c.follow(i) }))
	for _, i := range stack.Autoconf() {
		c.follow(i)
	}
	return c, nil
}

// follow does what the flags of the routers ask for.
func (c *Client6) follow(i socketapi.AutoconfInfo) {
	mode := dhcp6.Off
	switch {
	case i.Interface != c.device:
		return
	case i.Managed:
		mode = dhcp6.Stateful
	case i.Other:
		mode = dhcp6.Stateless
	}
	c.post(func(now time.Duration) {
		c.machine.SetMode(now, mode)
		c.publish()
	})
}

// Confirm asks the server whether the addresses are still right. A program calls it after the link may have become another: the machine was
// asleep, or a cable was moved.
func (c *Client6) Confirm() {
	c.post(func(now time.Duration) { c.machine.Confirm(now) })
}

// releaseTime is how long Stop waits for the server to confirm that the addresses are given back.
const releaseTime = 2 * time.Second

// Stop ends the client, which stops using its addresses. With release it gives them back first. Stop may be called more than once, and after
// the stack's Close.
func (c *Client6) Stop(release bool) {
	c.call(func(now time.Duration) {
		c.machine.Stop(now, release)
		c.publish()
	})
	select {
	case <-c.released:
	case <-c.ctx.Done():
	case <-time.After(releaseTime):
	}
	c.loop.stop()
}

// publish publishes the state of the machine.
func (c *Client6) publish() {
	l := c.machine.Lease()
	info := Info{Interface: c.device, Protocol: "DHCPv6", State: c.machine.State().String(), Addresses: []netip.Prefix{}, Settings: dhcp4.NoSettings()}
	for _, a := range l.Addresses {
		info.Addresses = append(info.Addresses, netip.PrefixFrom(a, a.BitLen()))
	}
	if len(info.Addresses) > 0 {
		info.Server, info.Renew, info.Rebind, info.Expires = l.Server, l.Renew, l.Rebind, l.End
	}
	info.DNS, info.Search = append(info.DNS, l.DNS...), append(info.Search, l.Search...)
	if c.machine.State() == dhcp6.Stopped {
		select {
		case <-c.released:
		default:
			close(c.released)
		}
	}
	if c.set(info) {
		c.cfg.Changed(c.Info())
	}
}

// Stats returns a pointer to the counters, for stats.Read.
func (c *Client6) Stats() any { return c.machine.Stats() }

// host6 does what the machine of a Client6 decides (dhcp6.Host).
type host6 Client6

// allServers is All_DHCP_Relay_Agents_and_Servers (RFC 8415 section 7.1).
var allServers = netip.MustParseAddr("ff02::1:2")

// Send implements dhcp6.Host. A message that cannot be sent is lost, for example because the link-local address is tentative, and the machine
// repeats it.
func (h *host6) Send(m *dhcpv6.Message) {
	to := netip.AddrPortFrom(allServers.WithZone(h.device), 547)
	_, _ = h.conn.WriteToAddrPort(m.ToBytes(), to)
	h.changed()
}

// changed publishes the state once the machine has done its step.
func (h *host6) changed() { go h.post(func(time.Duration) { (*Client6)(h).publish() }) }

// Claim implements dhcp6.Host.
func (h *host6) Claim(addr netip.Addr, preferred, valid time.Duration) {
	begun := h.stack.Now()
	h.running.Go(func() {
		err := h.stack.AddAddress(h.ctx, h.device, netip.PrefixFrom(addr, addr.BitLen()))
		h.post(func(now time.Duration) {
			if err != nil {
				h.cfg.Logger.Warn("the address that a DHCP server has given cannot be used", "interface", h.device, "error", err)
			}
			if err == nil {
				h.Extend(addr, rest(preferred, now-begun), rest(valid, now-begun))
			}
			h.machine.Claimed(now, addr, err)
			(*Client6)(h).publish()
		})
	})
}

// rest is what is left of a lifetime.
func rest(d, passed time.Duration) time.Duration {
	if d == socketapi.Forever {
		return d
	}
	return max(d-passed, 0)
}

// Extend implements dhcp6.Host.
func (h *host6) Extend(addr netip.Addr, preferred, valid time.Duration) {
	_ = h.stack.SetLifetimes(h.device, addr, preferred, valid) // it may be tentative, or removed by the program
	h.changed()
}

// Remove implements dhcp6.Host.
func (h *host6) Remove(addr netip.Addr) {
	_ = h.stack.RemoveAddress(h.device, addr) // it may be refused, or removed by the stack at its end
	h.changed()
}

// Configure implements dhcp6.Host.
func (h *host6) Configure(s dhcp6.Settings) {
	h.setNames(socketapi.NamesDHCPv6, s.DNS, s.Search)
	h.changed()
}

// Silent implements dhcp6.Host.
func (h *host6) Silent() {
	h.cfg.Logger.Warn("no DHCPv6 server answers yet", "interface", h.device)
	h.changed()
}
