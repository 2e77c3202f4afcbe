package server

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"
)

// bind gives an address to a client, instead of whoever had it.
func (s *Server) bind(client string, addr netip.Addr) *binding {
	if old := s.owners[addr]; old != nil {
		s.free(old)
	}
	b := &binding{client: client, addr: addr}
	s.bindings[client], s.owners[addr] = b, b
	return b
}

func (s *Server) free(b *binding) {
	delete(s.bindings, b.client)
	delete(s.owners, b.addr)
}

// available reports whether an address can be given to a client that has none.
func (s *Server) available(now time.Duration, a netip.Addr) bool {
	if !a.IsValid() || a.Less(s.cfg.First) || s.cfg.Last.Less(a) || a == s.cfg.Addr.Addr() || slices.Contains(s.cfg.Exclude, a) {
		return false
	}
	b := s.owners[a]
	return b == nil || b.ends <= now
}

// search finds a free address. It goes around the pool, so that an address is given to another client as late as possible.
func (s *Server) search(now time.Duration) netip.Addr {
	for range number(s.cfg.Last) - number(s.cfg.First) + 1 {
		a := s.next
		if s.next = a.Next(); s.cfg.Last.Less(s.next) {
			s.next = s.cfg.First
		}
		if s.available(now, a) {
			return a
		}
	}
	return netip.Addr{}
}

// lastOf is the default pool of a network.
func lastOf(network netip.Prefix) (first, last netip.Addr) {
	size := uint32(1) << (32 - network.Bits())
	base := number(network.Masked().Addr())
	n := min(defaultPool, size/2-1)
	return address(base + size - 1 - n), address(base + size - 2)
}

func number(a netip.Addr) uint32 { return binary.BigEndian.Uint32(a.AsSlice()) }

func address(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// field is an address in the header of a message.
func field(b net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(b.To4())
	return a
}
