// Package socketapi is a TCP/IP stack in a program: New makes one from a Config. Its sockets have two interfaces on the same
// descriptors: that of Go's package net, by the methods Dial, DialContext, Listen and ListenPacket of Stack, and the Berkeley calls,
// the methods of Berkeley.
package socketapi

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/dns"
	"tunstack/icmp"
	"tunstack/internal/clock"
	"tunstack/internal/ports"
	"tunstack/internal/timer"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
	"tunstack/link"
	"tunstack/raw"
	tcpsocket "tunstack/tcp/socket"
	"tunstack/trace"
	"tunstack/udp"
)

// Stack is one TCP/IP stack. Its methods are safe for concurrent use.
type Stack struct {
	clock  clock.Clock
	log    *slog.Logger
	failed func(device string, err error) // Config.DeviceFailed
	timers timer.Queue
	ip     *ip.Stack
	ipv4   *ipv4.Stack
	ipv6   *ipv6.Stack
	icmp   *icmp.Stack
	icmp6  *icmp.Stack6
	udp    *udp.Stack
	raw    *raw.Stack
	tcp    *tcpsocket.Stack
	traces *trace.Hub
	links  []attachment // the loopback first
	ttl    uint8        // of packets of sockets without IP_TTL

	addresses   addresses
	autoconfs   watchers[AutoconfInfo]
	lost        watchers[*link.Conflict] // of addresses
	resolver    *dns.Resolver
	nameServers nameServers
	services    servicesFile
	sockets     table
	cookies     atomic.Uint64 // the last SO_COOKIE
	sleepers    sync.Pool
	ready       ready

	running sync.WaitGroup     // the goroutines
	cancel  context.CancelFunc // ends the timers' goroutine
}

// New starts a stack. On error it stops what it has started and leaves the devices to the caller.
func New(cfg Config) (*Stack, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Stack{clock: cfg.Clock, log: cfg.Logger, failed: cfg.DeviceFailed, ttl: cfg.IP.TTL}
	s.ready.token = make(chan struct{}, 1)
	if err := s.assemble(&cfg); err != nil {
		return nil, fmt.Errorf("socketapi: %w", err)
	}
	s.start()
	return s, nil
}

// assemble connects the layers: each transport registers itself with ip, and each link delivers the received packets to its interface
// of ip.
func (s *Stack) assemble(cfg *Config) error {
	cfg.IP.Timers, cfg.TCP.Timers = &s.timers, &s.timers
	s.ip = ip.New(cfg.IP)
	s.ipv4 = ipv4.New(s.ip, cfg.IPv4)
	s.ipv6 = ipv6.New(s.ip, cfg.IPv6)
	s.icmp = icmp.New(s.ip, s.ipv4, cfg.ICMP)
	s.icmp6 = icmp.New6(s.ip, s.ipv6, s.icmp)
	s.udp = udp.New(s.ip, cfg.UDP)
	s.raw = raw.New(s.ip, s.clock)
	s.tcp = tcpsocket.New(s.ip, cfg.TCP)
	s.traces = trace.NewHub(s.tcp.SetTracer)
	s.startResolver(cfg.DNS)

	loopback := link.NewLoopback(&s.timers)
	lo, err := s.ip.AddLoopback("lo", loopback)
	if err != nil {
		return err
	}
	loopback.SetHandler(lo)
	s.links = []attachment{{name: "lo", link: loopback}}

	for i := range cfg.Interfaces {
		if err := s.attach(&cfg.Interfaces[i], cfg.Rand); err != nil {
			return fmt.Errorf("interface %s: %w", cfg.Interfaces[i].Name, err)
		}
	}
	return s.addresses.claim(s, cfg)
}

// complete fills in the defaults.
func (cfg *Config) complete() error {
	if cfg.Clock == nil {
		cfg.Clock = clock.NewReal()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.DeviceFailed == nil {
		cfg.DeviceFailed = func(device string, err error) {
			cfg.Logger.Error("reading from the device failed", "device", device, "error", err)
		}
	}
	if cfg.IP.TTL == 0 {
		cfg.IP.TTL = 64
	}
	cfg.UDP.Clock, cfg.TCP.Clock = cfg.Clock, cfg.Clock
	if err := cfg.seed(); err != nil {
		return err
	}
	if badPorts(cfg.UDP.PortLow, cfg.UDP.PortHigh) || badPorts(cfg.TCP.PortLow, cfg.TCP.PortHigh) {
		return errors.New("socketapi: the range of ephemeral ports is empty")
	}
	if v4, v6 := cfg.IPv4.IGMPVersion, cfg.IPv6.MLDVersion; v4 < 0 || v4 > 3 || v6 < 0 || v6 > 2 {
		return fmt.Errorf("socketapi: IGMPVersion %d, MLDVersion %d: IGMP has versions 1 to 3, MLD 1 and 2", v4, v6)
	}
	cfg.Interfaces = append([]Interface(nil), cfg.Interfaces...)
	for i := range cfg.Interfaces {
		if err := cfg.Interfaces[i].complete(i); err != nil {
			return fmt.Errorf("socketapi: interface %d: %w", i, err)
		}
	}
	return nil
}

// seed reads from Rand the seed of the layers' own generator, which cannot fail later.
func (cfg *Config) seed() error {
	if cfg.Rand == nil {
		cfg.Rand = crand.Reader
	}
	var seed [32]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return fmt.Errorf("socketapi: reading the random source: %w", err)
	}
	random := rand.NewChaCha8(seed)
	cfg.Rand, cfg.UDP.Rand, cfg.TCP.Rand = random, random, random
	_, _ = random.Read(cfg.IPv4.Secret[:])
	_, _ = random.Read(cfg.ICMP.Secret[:])
	_, _ = random.Read(cfg.IPv6.Secret[:])
	_, _ = random.Read(cfg.IP.Secret[:])
	return nil
}

// badPorts reports whether a range of ephemeral ports is empty. A bound of 0 is the default's.
func badPorts(low, high uint16) bool {
	return cmp.Or(low, ports.DefaultLow) > cmp.Or(high, ports.DefaultHigh)
}

func (c *Interface) complete(index int) error {
	switch {
	case (c.Device == nil) == (c.Output == nil):
		return errors.New("needs either a Device or an Output")
	case c.Name == "" && c.Device != nil:
		c.Name = c.Device.Name()
	case c.Name == "":
		c.Name = fmt.Sprintf("link%d", index)
	}
	if c.MTU == 0 {
		c.MTU = 1500
	}
	return nil
}

// start starts the goroutines, unless the clock is virtual.
func (s *Stack) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	if s.virtual() != nil {
		return
	}
	s.running.Go(func() { s.timers.Run(ctx, s.clock) })
	s.running.Go(func() { s.ready.serve(ctx) })
	for _, a := range s.links {
		for _, q := range a.queues {
			s.running.Go(func() { s.receive(q) })
		}
	}
}

// virtual is the stack's clock if it is virtual, else nil.
func (s *Stack) virtual() *clock.Virtual {
	v, _ := s.clock.(*clock.Virtual)
	return v
}

// wallTime is the time of day of a moment of the stack's time; a virtual clock begins at the Unix epoch.
func (s *Stack) wallTime(at time.Duration) time.Time {
	if s.virtual() != nil {
		return time.Unix(0, int64(at))
	}
	return time.Now().Add(at - s.Now())
}

// Now is the time on the stack's clock.
func (s *Stack) Now() time.Duration { return s.clock.Now() }

// Close ends the stack: it resets the connections, makes blocked calls return EBADF or net.ErrClosed, and closes the devices. All
// goroutines of the stack have ended when it returns. It may be called more than once.
func (s *Stack) Close() error {
	s.resolver.Close()
	for _, so := range s.sockets.shut() {
		if s.sockets.remove(so) {
			so.abort()
		}
	}
	s.timers.Advance(s.Now()) // tells routers the groups that the sockets have left
	s.cancel()
	var errs []error
	for _, a := range s.links {
		if a.device != nil {
			errs = append(errs, a.device.Close())
		}
	}
	s.running.Wait()
	return errors.Join(errs...)
}
