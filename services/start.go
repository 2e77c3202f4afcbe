package services

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// Network is the part of a stack that the services use. *socketapi.Stack implements it.
type Network interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

// Running is a set of running services.
type Running struct {
	ports []io.Closer
	wg    sync.WaitGroup
}

// Start opens the ports of services on n, at all its addresses, and serves them until Close. If a port cannot be opened, Start
// closes the others and returns the error.
func Start(n Network, services []Service) (*Running, error) {
	r := &Running{}
	for _, s := range services {
		if err := r.start(n, s); err != nil {
			r.Close()
			return nil, fmt.Errorf("service %s: %w", s.Name, err)
		}
	}
	return r, nil
}

func (r *Running) start(n Network, s Service) error {
	address := fmt.Sprintf(":%d", s.Port)
	if s.TCP != nil {
		l, err := n.Listen("tcp", address)
		if err != nil {
			return err
		}
		r.ports = append(r.ports, l)
		r.wg.Go(func() { s.TCP(l) })
	}
	if s.UDP != nil {
		p, err := n.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		r.ports = append(r.ports, p)
		r.wg.Go(func() { s.UDP(p) })
	}
	return nil
}

// Close closes the ports and all connections, and returns when every service has ended.
func (r *Running) Close() {
	for _, p := range r.ports {
		p.Close()
	}
	r.wg.Wait()
}
