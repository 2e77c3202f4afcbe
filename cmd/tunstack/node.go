package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"tunstack/capture"
	"tunstack/cmd/internal/control"
	"tunstack/internal/clock"
	"tunstack/link"
	"tunstack/services"
	"tunstack/socketapi"
	"tunstack/tun"
)

// node is a running stack, with its services and its control socket.
type node struct {
	dev      string
	addr     netip.Prefix // of the stack
	stack    *socketapi.Stack
	clock    *clock.Steady
	capture  *capture.Capture // of the device's packets; nil: no device
	services []services.Service
	leases   []lessee
	failed   chan error     // the device's failure
	closers  []func() error // in the order of starting
}

// start starts a node, and returns when it answers. On error it stops everything it has started.
func start(ctx context.Context, cfg upConfig, controlPath string, log *slog.Logger) (_ *node, err error) {
	n := &node{failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	l, err := control.Listen(controlPath) // first, because it finds a running stack
	if err != nil {
		return nil, err
	}
	n.onClose(l.Close)
	if err := n.startStack(ctx, cfg, log); err != nil {
		return nil, err
	}
	if err := n.startServices(cfg); err != nil {
		return nil, err
	}
	if err := n.startMDNS(cfg, log); err != nil {
		return nil, err
	}
	return n, n.startControl(l, cfg, log)
}

func (n *node) onClose(f func() error) { n.closers = append(n.closers, f) }

// close closes everything, the last first.
func (n *node) close() error {
	var errs []error
	for _, f := range slices.Backward(n.closers) {
		if err := f(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// quickACD is address conflict detection for a new link, on which only the host can answer, at once. RFC 5227's waits of
// seconds are for switches that are not ready yet.
var quickACD = link.ACD{
	ProbeWait: 10 * time.Millisecond, ProbeMin: 50 * time.Millisecond, ProbeMax: 100 * time.Millisecond, AnnounceWait: 100 * time.Millisecond,
}

// startStack opens the device and puts a stack on it, with the host as its gateway.
func (n *node) startStack(ctx context.Context, cfg upConfig, log *slog.Logger) error {
	n.startClock(cfg, log)
	dev, err := n.openDevice(cfg, log)
	if err != nil {
		return err
	}
	n.dev = dev.Name()
	config := socketapi.Config{
		Interfaces:   []socketapi.Interface{{Device: dev, MTU: dev.MTU(), Gateway: cfg.host, ACD: quickACD}},
		Clock:        n.clock,
		Logger:       log,
		DeviceFailed: n.deviceFailed,
	}
	addressed(&config.Interfaces[0], cfg, log)
	config.TCP.Congestion = cfg.congestion
	config.DNS.Settings = cfg.machineNames
	config.DNS.Servers, config.DNS.Search, config.DNS.Secure = onLink(cfg.dnsServers, n.dev), nil, overTLS(cfg.dnsTLS)
	n.stack, err = socketapi.New(config)
	if err != nil {
		dev.Close()
		return err
	}
	n.onClose(n.stack.Close)
	n.capture.Attach(n.stack)
	n.stack.SetNameServers(socketapi.NameServers{
		Source: socketapi.NamesMachine, Servers: cfg.machineNames.Servers, Search: cfg.machineNames.Search,
	})
	if err := n.stack.Ready(ctx); err != nil {
		return err
	}
	n.addr = cfg.addr
	switch {
	case cfg.dhcp:
		n.addr, err = n.startDHCP(ctx, cfg, log)
	case !n.addr.IsValid():
		n.addr, err = n.learn(ctx, log)
	}
	return err
}

// deviceFailed is called when the device cannot be read any more.
func (n *node) deviceFailed(_ string, err error) {
	if failure := n.failure(); failure != nil {
		err = failure
	} else {
		err = fmt.Errorf("interface %s failed: %w", n.dev, err)
	}
	select {
	case n.failed <- err:
	default: // each queue reports it
	}
}

// failure is the error of an interface that does not exist any more, or nil.
func (n *node) failure() error {
	if _, err := net.InterfaceByName(n.dev); err != nil {
		return fmt.Errorf("interface %s was deleted", n.dev)
	}
	return nil
}

// openDevice creates the interface, impaired and recorded if the flags ask for that.
func (n *node) openDevice(cfg upConfig, log *slog.Logger) (tun.Device, error) {
	dev, err := openInterface(cfg, log)
	if err != nil {
		return nil, err
	}
	if cfg.impair != (tun.Impairment{}) {
		cfg.impair.Clock = n.clock
		dev = tun.Impair(dev, cfg.impair)
	}
	n.capture, dev = capture.Of(dev, time.Now(), n.clock)
	if cfg.pcap == "" {
		return dev, nil
	}
	failed := func(err error) { log.Error("recording failed", "file", cfg.pcap, "error", err) }
	end, err := n.capture.ToFile(cfg.pcap, failed)
	if err != nil {
		dev.Close()
		return nil, err
	}
	n.onClose(end)
	return dev, nil
}

// openInterface creates the interface, or the fallback if /dev/net/tun does not exist or must not be opened.
func openInterface(cfg upConfig, log *slog.Logger) (tun.Device, error) {
	dev, err := tun.Open(cfg.dev)
	if err == nil || cfg.fallback == nil || !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
		return dev, err
	}
	log.Info("a veth pair instead", "reason", err)
	dev, second := tun.Open(*cfg.fallback)
	if second != nil {
		return nil, fmt.Errorf("%w; the fallback failed, too: %w", err, second)
	}
	return dev, nil
}

func (n *node) startServices(cfg upConfig) error {
	chosen, err := services.Pick(offered(n.counted(cfg.leases), cfg), cfg.services)
	if err != nil {
		return err
	}
	running, err := services.Start(n.stack, chosen)
	if err != nil {
		return err
	}
	n.services = chosen
	if slices.Contains(services.Names(chosen), "dns") {
		n.knowNames(cfg)
	}
	n.onClose(func() error { running.Close(); return nil })
	return nil
}

func (n *node) startControl(l net.Listener, cfg upConfig, log *slog.Logger) error {
	server := control.NewServer(host{n.counted(cfg.leases), n.clock, n.capture, n.leases}, log)
	if err := n.lendSockets(server, log); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	n.onClose(func() error { return errors.Join(server.Close(), <-done) })
	return nil
}
