// Package ports manages the local ports of one transport: it knows the holders of each port, shares ports as bind(2) does on Linux,
// and chooses ephemeral ports that an outsider cannot guess (RFC 6056).
//
// Each transport of each stack owns a Table. A holder keeps a Reservation, 20 bytes without a pointer.
package ports

import (
	"net/netip"
	"sync"
	"syscall"
)

// Flags are the permissions that a holder of a port gives to others, and the holder's use of the port.
type Flags uint8

const (
	ReuseAddr Flags = 1 << iota // SO_REUSEADDR
	ReusePort                   // SO_REUSEPORT
	V6Only                      // IPV6_V6ONLY: at the wildcard ::, no IPv4 address
	listening                   // accepts connections on the port: SO_REUSEADDR does not share it
	timeWait                    // in TIME-WAIT: SO_REUSEADDR of the new reservation alone is enough
	connected                   // got the port by Connect: other connections may share it for other remotes
)

// Reservation is a held port at an address. The zero value holds nothing. Each Reservation must be released once.
type Reservation struct {
	at    addrs
	flags Flags
	port  uint16
}

// AddressOnly is an address without a port (IP_BIND_ADDRESS_NO_PORT). It holds nothing.
func AddressOnly(a netip.Addr) Reservation { return Reservation{at: addrsOf(a)} }

// Addr is the address at which the port is held, or the wildcard.
func (r Reservation) Addr() netip.Addr { return r.at.addr() }

// Port is the port held; 0: none.
func (r Reservation) Port() uint16 { return r.port }

// Local is Addr and Port.
func (r Reservation) Local() netip.AddrPort { return netip.AddrPortFrom(r.Addr(), r.port) }

// Table holds the ports of one transport. All methods are safe for concurrent use.
type Table struct {
	stripes   [64]stripe
	ephemeral ephemeral
	crowded   crowded
}

type stripe struct {
	mu    sync.Mutex
	ports map[uint16][]group
}

// A group counts holders with the same properties, so that a port with 100,000 connections has only one or two groups.
type group struct {
	at    addrs
	flags Flags
	count int
}

// Bind is Scope.Bind for all ephemeral ports.
func (t *Table) Bind(local netip.AddrPort, f Flags) (Reservation, error) {
	return t.Within(Range{}).Bind(local, f)
}

// Connect is Scope.Connect for all ephemeral ports.
func (t *Table) Connect(local netip.Addr, remote netip.AddrPort, f Flags, claim func(port uint16) bool) (Reservation, error) {
	return t.Within(Range{}).Connect(local, remote, f, claim)
}

// Listen marks the holder as a listener and returns its new Reservation in place of r. The error is EADDRINUSE if another
// listener has the port; then r stays valid.
func (t *Table) Listen(r Reservation) (Reservation, error) {
	s := t.stripe(r.port)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(r)
	if s.conflicts(r, bindConflict) {
		s.add(r)
		return r, syscall.EADDRINUSE
	}
	r.flags |= listening
	s.add(r)
	return r, nil
}

// Unlisten undoes Listen and returns the holder's new Reservation in place of r.
func (t *Table) Unlisten(r Reservation) Reservation {
	s := t.stripe(r.port)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(r)
	r.flags &^= listening
	s.add(r)
	return r
}

// Accept reserves the port of a listener again, for a connection accepted at local.
func (t *Table) Accept(listener Reservation, local netip.Addr) Reservation {
	r := listener
	r.at = addrsOf(local)
	r.flags &^= listening
	s := t.stripe(r.port)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(r)
	return r
}

// TimeWait marks the holder as being in TIME-WAIT and returns its new Reservation in place of r.
func (t *Table) TimeWait(r Reservation) Reservation {
	s := t.stripe(r.port)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(r)
	r.flags |= timeWait
	s.add(r)
	return r
}

// Release gives the port back. The zero Reservation is ignored.
func (t *Table) Release(r Reservation) {
	if r.port == 0 {
		return
	}
	s := t.stripe(r.port)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(r)
	t.crowded.release(r.port)
}

func (t *Table) stripe(port uint16) *stripe { return &t.stripes[port%uint16(len(t.stripes))] }

func (t *Table) reserve(r Reservation, conflict rule, claim func(uint16) bool) bool {
	s := t.stripe(r.port)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conflicts(r, conflict) || claim != nil && !claim(r.port) {
		return false
	}
	s.add(r)
	return true
}

func (s *stripe) conflicts(r Reservation, conflict rule) bool {
	for _, g := range s.ports[r.port] {
		if conflict(r, g) {
			return true
		}
	}
	return false
}

func (s *stripe) add(r Reservation) {
	groups := s.ports[r.port]
	for i := range groups {
		if groups[i].holds(r) {
			groups[i].count++
			return
		}
	}
	if s.ports == nil {
		s.ports = make(map[uint16][]group)
	}
	s.ports[r.port] = append(groups, group{r.at, r.flags, 1})
}

func (s *stripe) remove(r Reservation) {
	groups := s.ports[r.port]
	for i := range groups {
		if !groups[i].holds(r) {
			continue
		}
		groups[i].count--
		if groups[i].count > 0 {
			return
		}
		last := len(groups) - 1
		groups[i] = groups[last]
		if last == 0 {
			delete(s.ports, r.port)
		} else {
			s.ports[r.port] = groups[:last]
		}
		return
	}
	panic("ports: release of a port that is not held")
}

func (g group) holds(r Reservation) bool { return g.at == r.at && g.flags == r.flags }
