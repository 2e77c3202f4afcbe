// Package dhcp configures a stack by DHCP (RFC 2131, RFC 8415): it runs the state machines of its subfolders on the stack's sockets, and
// takes addresses, routes and name servers into use and out of it.
package dhcp

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	crand "crypto/rand"

	"tunstack/dhcp/dhcp4"
	"tunstack/link"
	"tunstack/socketapi"
)

// Config of a Client; zero values mean the documented defaults.
type Config struct {
	// Secret is the key of the client's identifiers (RFC 4361): a program that keeps it, and names the interface alike, is the same client at
	// each start. nil: the lease file has the identifier, or else the client is another at each start.
	Secret []byte
	// LeaseFile is the path of a file that keeps the lease over restarts; "": the lease is not kept.
	LeaseFile string
	// Hostname is told to the server, which may give it to its name service; "": none.
	Hostname string
	// LinkLocal gives the interface an address of 169.254/16 while no server answers (RFC 3927).
	LinkLocal bool
	// Delay is the time before the first message; 0: random between 1 s and 10 s (RFC 2131 section 4.4.1); below 0: none.
	Delay time.Duration
	// Patience is how long the client waits for a server before it logs that none answers, and takes a link-local address; 0: 10 s. It goes on
	// trying.
	Patience time.Duration
	// Changed is called when Info has another address or state; nil: nobody is told. It must not block, and must not call the Client's Stop.
	Changed func(Info)
	// Logger receives a record when a lease is lost or no server answers; nil: slog.Default.
	Logger *slog.Logger
}

// defaultPatience is the default of Config.Patience. Servers that probe an address before they offer it take up to 3 s.
const defaultPatience = 10 * time.Second

func (cfg *Config) complete() {
	if cfg.Patience == 0 {
		cfg.Patience = defaultPatience
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Changed == nil {
		cfg.Changed = func(Info) {}
	}
}

// Client gets an IPv4 address for an interface, and keeps it.
type Client struct {
	*loop
	cfg      Config
	id       identity
	machine  *dhcp4.Client
	conn     *socketapi.PacketConn
	applied  applied
	fallback fallback
	file     *leaseFile
}

// Start starts a client on the interface of a TAP device of the stack. Errors: ENODEV without such an interface, those of the lease file,
// and EADDRINUSE while another program of the stack has port 68.
func Start(stack *socketapi.Stack, device string, cfg Config) (*Client, error) {
	cfg.complete()
	mac, err := stack.MAC(device)
	if err != nil {
		return nil, fmt.Errorf("dhcp: interface %s: %w", device, err)
	}
	c := &Client{cfg: cfg, loop: newLoop(stack, device), applied: applied{stack: stack, device: device}}
	c.fallback.init(c, mac)
	if err := c.prepare(mac); err != nil {
		return nil, fmt.Errorf("dhcp: %w", err)
	}
	c.machine.Start(stack.Now())
	c.running.Go(func() { c.run(c.machine) })
	c.running.Go(func() { c.receive(c.conn, c.machine.Input) })
	return c, nil
}

// prepare opens the lease file and the socket.
func (c *Client) prepare(mac link.MAC) (err error) {
	c.id = newIdentity(c.cfg.Secret, c.device)
	var remembered *dhcp4.Lease
	if c.cfg.LeaseFile != "" {
		if c.file, err = openLeaseFile(c.cfg.LeaseFile, &c.id); err != nil {
			return err
		}
		remembered = c.file.remembered(c.stack.Now())
	}
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // which never fails
	c.machine = dhcp4.New(dhcp4.Config{
		MAC: net.HardwareAddr(mac[:]), ID: c.id.client(), Hostname: c.cfg.Hostname, MaxSize: uint16(min(c.mtu(), 1500)),
		Delay: c.cfg.Delay, Patience: c.cfg.Patience, Rand: rand.New(rand.NewChaCha8(seed)), Remembered: remembered,
	}, (*host)(c))
	c.conn, err = c.listen("udp4", "0.0.0.0:68")
	if err == nil {
		c.onStop(c.stack.WatchLost(c.taken))
	}
	return err
}

// taken tells the machine that another host uses an address.
func (c *Client) taken(conflict *link.Conflict) {
	go c.post(func(now time.Duration) {
		if l := c.machine.Lease(); l != nil && l.Addr.Addr() == conflict.Addr {
			c.machine.Taken(now)
		}
		c.fallback.taken(conflict.Addr)
	})
}

// Stop ends the client, which stops using its address. With release it gives the address back to the server, and else the lease stays in
// the lease file for the next start. Stop may be called more than once, and after the stack's Close.
func (c *Client) Stop(release bool) {
	c.call(func(now time.Duration) {
		if c.file != nil && c.machine.Lease() != nil {
			c.save(release)
		}
		c.machine.Stop(now, release)
		c.fallback.stop()
		c.publish()
	})
	c.loop.stop()
}
