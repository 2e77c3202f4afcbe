package ports

import (
	"cmp"
	"net/netip"
	"syscall"
)

// Range bounds the choice of ephemeral ports, both bounds inclusive; 0: the bound of the Table's range.
type Range struct{ Low, High uint16 }

// Scope is a Table whose ephemeral ports lie in a range.
type Scope struct {
	*Table
	low, size uint32
}

// Within returns the Scope of r. A range that would be empty is the Table's own.
func (t *Table) Within(r Range) Scope {
	low := cmp.Or(uint32(r.Low), t.ephemeral.low)
	high := cmp.Or(uint32(r.High), t.ephemeral.low+t.ephemeral.size-1)
	if low > high {
		return Scope{t, t.ephemeral.low, t.ephemeral.size}
	}
	return Scope{t, low, high - low + 1}
}

// port maps any number to the range.
func (s Scope) port(n uint32) uint16 { return uint16(s.low + n%s.size) }

// Bind reserves a port at an address as bind(2) does; the wildcard address overlaps with every other. Port 0 picks an
// ephemeral port that is free at all overlapping addresses. The error is EADDRINUSE.
func (s Scope) Bind(local netip.AddrPort, f Flags) (Reservation, error) {
	r := Reservation{at: addrsOf(local.Addr()), port: local.Port(), flags: f & (ReuseAddr | ReusePort | V6Only)}
	if r.port != 0 {
		if !s.reserve(r, bindConflict, nil) {
			return Reservation{}, syscall.EADDRINUSE
		}
		return r, nil
	}
	first := s.ephemeral.random() % s.size
	for i := range s.size {
		r.port = s.port(first + i)
		if s.reserve(r, overlap, nil) {
			return r, nil
		}
	}
	return Reservation{}, syscall.EADDRINUSE
}

// Connect reserves an ephemeral port for a connection from local to remote. Connections share a port as long as their
// four-tuples differ: Connect calls claim to take the four-tuple with the port, and claim returns false if it is taken. claim
// is called with the port locked and must not call the Table. The error is EADDRNOTAVAIL.
func (s Scope) Connect(local netip.Addr, remote netip.AddrPort, f Flags, claim func(port uint16) bool) (Reservation, error) {
	r := Reservation{at: addrsOf(local), flags: f&(ReuseAddr|ReusePort) | connected}
	if s.low != s.ephemeral.low || s.size != s.ephemeral.size { // crowded records only searches of all ports
		if s.search(&r, remote, claim) {
			return r, nil
		}
		return Reservation{}, syscall.EADDRNOTAVAIL
	}
	d := destination{local, remote}
	for port, known := s.crowded.next(d); known; port, known = s.crowded.next(d) {
		if port == 0 {
			return Reservation{}, syscall.EADDRNOTAVAIL
		}
		if r.port = port; s.reserve(r, connectConflict, claim) {
			return r, nil
		}
	}
	if s.search(&r, remote, claim) {
		return r, nil
	}
	s.crowded.enter(d)
	if s.search(&r, remote, claim) { // a port was released during the first search
		s.crowded.leave(d)
		return r, nil
	}
	return Reservation{}, syscall.EADDRNOTAVAIL
}

// search tries all ports of the scope, in the order of the destination.
func (s Scope) search(r *Reservation, remote netip.AddrPort, claim func(port uint16) bool) bool {
	first, step := s.ephemeral.sequence(r.at, remote, s.size)
	for i := range s.size {
		r.port = s.port(first + i)
		if s.reserve(*r, connectConflict, claim) {
			step(i)
			return true
		}
	}
	return false
}
