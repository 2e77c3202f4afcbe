// Package server is a small DHCPv4 server (RFC 2131) for the network of one interface: that of a sandbox's TAP device, and of the virtual
// machines on it. It needs only a net.PacketConn, and its memory is bounded by the pool of addresses.
package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Config of a Server.
type Config struct {
	Addr    netip.Prefix  // the server's own address and the network
	First   netip.Addr    // of the pool; zero: the last addresses of the network, at most 100 and at most half of them
	Last    netip.Addr    // of the pool
	Exclude []netip.Addr  // addresses of the pool that other hosts have
	Lease   time.Duration // default 1 h
	Routers []netip.Addr
	DNS     []netip.Addr
	Domain  string
	MTU     int // 0: none is set
}

const (
	defaultLease = time.Hour
	defaultPool  = 100
	maxPool      = 1 << 16          // addresses
	offerTime    = 30 * time.Second // for which an offered address is kept
	maxMessage   = 4096
)

// Server gives out the addresses of a pool. Its methods are not safe for concurrent use.
type Server struct {
	cfg      Config
	stats    counters
	bindings map[string]*binding // by client
	owners   map[netip.Addr]*binding
	next     netip.Addr // where the search for a free address begins
}

// binding is an address that a client has, was offered, or has declined.
type binding struct {
	client string // "": declined by the client that had it
	addr   netip.Addr
	ends   time.Duration
	leased bool // else only offered
}

// New returns a Server. Its errors are those of the Config.
func New(cfg Config) (*Server, error) {
	if !cfg.Addr.IsValid() || !cfg.Addr.Addr().Is4() || cfg.Addr.Bits() > 30 {
		return nil, fmt.Errorf("dhcp server: %s: it needs an IPv4 address in a network of at least four", cfg.Addr)
	}
	if cfg.Lease == 0 {
		cfg.Lease = defaultLease
	}
	if !cfg.First.IsValid() {
		cfg.First, cfg.Last = lastOf(cfg.Addr)
	}
	switch {
	case !cfg.Addr.Contains(cfg.First) || !cfg.Addr.Contains(cfg.Last) || cfg.Last.Less(cfg.First):
		return nil, fmt.Errorf("dhcp server: the pool from %s to %s is not in %s", cfg.First, cfg.Last, cfg.Addr.Masked())
	case number(cfg.Last)-number(cfg.First) >= maxPool:
		return nil, errors.New("dhcp server: the pool has more than 65536 addresses")
	case cfg.Lease < 2*offerTime:
		return nil, fmt.Errorf("dhcp server: leases of %s are too short", cfg.Lease)
	}
	return &Server{cfg: cfg, bindings: map[string]*binding{}, owners: map[netip.Addr]*binding{}, next: cfg.First}, nil
}

// Serve answers the requests that arrive at p, a socket bound to port 67, until p is closed.
func (s *Server) Serve(p net.PacketConn) {
	start := time.Now()
	b := make([]byte, maxMessage)
	for {
		n, _, err := p.ReadFrom(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(50 * time.Millisecond) // memory is short
			continue
		}
		if reply, to := s.Handle(time.Since(start), b[:n]); reply != nil {
			_, _ = p.WriteTo(reply.ToBytes(), net.UDPAddrFromAddrPort(to)) // a client repeats a request without an answer
		}
	}
}

// Handle handles one datagram at a time of the caller's clock. It returns the answer and where to send it, or nil.
func (s *Server) Handle(now time.Duration, b []byte) (*dhcpv4.DHCPv4, netip.AddrPort) {
	m, err := dhcpv4.FromBytes(b)
	if err != nil || m.OpCode != dhcpv4.OpcodeBootRequest || len(m.ClientHWAddr) == 0 {
		s.stats.DropMalformed.Inc()
		return nil, netip.AddrPort{}
	}
	reply := s.answer(now, m)
	if reply == nil {
		return nil, netip.AddrPort{}
	}
	s.stats.Out.Inc()
	return reply, destination(m, reply)
}

// destination is where a reply goes (RFC 2131 section 4.1). A client without an address gets a broadcast, whatever its flag says, because
// the server cannot know the client's MAC address by ARP.
func destination(m, reply *dhcpv4.DHCPv4) netip.AddrPort {
	relay, client := field(m.GatewayIPAddr), field(m.ClientIPAddr)
	switch {
	case !relay.IsUnspecified():
		return netip.AddrPortFrom(relay, 67)
	case !client.IsUnspecified() && reply.MessageType() != dhcpv4.MessageTypeNak:
		return netip.AddrPortFrom(client, 68)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 68)
}

// answer is the answer to a request; nil: none.
func (s *Server) answer(now time.Duration, m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	client := clientOf(m)
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		return s.offer(now, m, client)
	case dhcpv4.MessageTypeRequest:
		return s.request(now, m, client)
	case dhcpv4.MessageTypeDecline:
		s.decline(now, client, requested(m))
	case dhcpv4.MessageTypeRelease:
		if b := s.bindings[client]; b != nil && b.addr == field(m.ClientIPAddr) {
			s.stats.Released.Inc()
			s.free(b)
		}
	case dhcpv4.MessageTypeInform:
		return s.reply(m, dhcpv4.MessageTypeAck)
	default:
		s.stats.DropType.Inc()
	}
	return nil
}

// offer offers the client's address, the one it asks for, or any that is free (RFC 2131 section 4.3.1).
func (s *Server) offer(now time.Duration, m *dhcpv4.DHCPv4, client string) *dhcpv4.DHCPv4 {
	b := s.bindings[client]
	if b == nil {
		addr := requested(m)
		if !s.available(now, addr) {
			addr = s.search(now)
		}
		if !addr.IsValid() {
			s.stats.DropPoolEmpty.Inc()
			return nil
		}
		b = s.bind(client, addr)
	}
	if !b.leased || b.ends <= now {
		b.leased, b.ends = false, now+offerTime
	}
	return s.grant(m, dhcpv4.MessageTypeOffer, b.addr)
}

// request grants or refuses (RFC 2131 section 4.3.2).
func (s *Server) request(now time.Duration, m *dhcpv4.DHCPv4, client string) *dhcpv4.DHCPv4 {
	b, want := s.bindings[client], requested(m)
	if !want.IsValid() {
		want = field(m.ClientIPAddr)
	}
	if chosen := m.ServerIdentifier(); chosen != nil && !chosen.Equal(s.cfg.Addr.Addr().AsSlice()) {
		if b != nil && !b.leased {
			s.free(b) // the client has taken another server's offer
		}
		return nil
	}
	switch {
	case b != nil && b.addr == want: // also after its end, as long as no other client has got the address
		b.leased, b.ends = true, now+s.cfg.Lease
		s.stats.Granted.Inc()
		return s.grant(m, dhcpv4.MessageTypeAck, want)
	case b == nil && m.ServerIdentifier() == nil && s.cfg.Addr.Contains(want):
		s.stats.DropUnknown.Inc()
		return nil
	}
	s.stats.Refused.Inc()
	return s.base(m, dhcpv4.MessageTypeNak)
}

// decline keeps an address back that another host uses.
func (s *Server) decline(now time.Duration, client string, addr netip.Addr) {
	b := s.bindings[client]
	if b == nil || b.addr != addr {
		s.stats.DropUnknown.Inc()
		return
	}
	s.stats.Declined.Inc()
	delete(s.bindings, client)
	b.client, b.ends = "", now+s.cfg.Lease
}
