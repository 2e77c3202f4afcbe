package ip

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/addrkey"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
)

// MaxDatagram is the largest datagram in bytes that any family carries.
const MaxDatagram = 65535

// Interface is one attachment of a Stack to a link.
type Interface struct {
	stack      *Stack
	name       string
	link       Link
	mtu        int
	features   packet.Features
	loopback   bool
	families   families // those for which the MTU is large enough
	advertised advertised
	groups     groups
	routers    RouterListener // nil: router advertisements are ignored

	inPackets, inBytes, outPackets, outBytes stats.Counter
}

// AddInterface attaches a link, whose MTU and Features are read now and must not change. A family for which the MTU is too small
// (68 bytes for IPv4, RFC 791 section 3.2; 1280 for IPv6, RFC 8200 section 5) does not use the interface. Errors: EEXIST for a
// name in use, EINVAL for an MTU that is too small for every family.
func (s *Stack) AddInterface(name string, l Link) (*Interface, error) {
	return s.attach(&Interface{name: name, link: l})
}

// AddLoopback attaches the link back to this stack: it gets each family's loopback address, and everything sent to one of the stack's own
// address goes through it. The link calls Input on a goroutine of its own. Errors as of AddInterface.
func (s *Stack) AddLoopback(name string, l Link) (*Interface, error) {
	i, err := s.attach(&Interface{name: name, link: l, loopback: true})
	if err != nil {
		return nil, err
	}
	for _, f := range i.families {
		if f == nil {
			continue
		}
		if err := i.AddAddress(f.Loopback()); err != nil {
			return nil, err
		}
	}
	return i, nil
}

func (s *Stack) attach(i *Interface) (*Interface, error) {
	i.stack, i.mtu, i.features = s, min(i.link.MTU(), MaxDatagram), i.link.Features()
	for n, f := range s.families {
		if f != nil && i.mtu >= f.MinMTU() {
			i.families[n] = f
		}
	}
	if i.families == (families{}) || !addrkey.AddZone(i.name) {
		return nil, syscall.EINVAL
	}
	i.groups.init(i)
	err := s.changeTable(func(t *table) error {
		if t.byName(i.name) != nil {
			return syscall.EEXIST
		}
		t.interfaces = append(t.interfaces, i)
		if i.loopback && t.loopback == nil {
			t.loopback = i
		}
		return nil
	})
	if err == nil {
		i.joinAllHosts()
	}
	return i, err
}

// Stack is the stack that the interface belongs to.
func (i *Interface) Stack() *Stack { return i.stack }

// Name is the name given to AddInterface.
func (i *Interface) Name() string { return i.name }

// MTU is the largest datagram in bytes that the link carries.
func (i *Interface) MTU() int { return i.mtu }

// Features is the work that the link takes over from senders.
func (i *Interface) Features() packet.Features { return i.features }

// Loopback reports whether the link leads back to this stack.
func (i *Interface) Loopback() bool { return i.loopback }

// Input takes a received datagram from the link and owns p, whose Cast is the address of the frame. It is safe for concurrent
// use: every device queue has its own goroutine.
func (i *Interface) Input(now time.Duration, p *packet.Buffer) {
	i.inPackets.Inc()
	i.inBytes.Add(uint64(p.Len()))
	p = p.Own()
	f := i.families.byVersion(p.Bytes())
	if f == nil {
		i.stack.stats.DropVersion.Inc()
		p.Free()
		return
	}
	f.Input(now, i, p)
}

// Transmit passes one datagram to the link and owns p.
func (i *Interface) Transmit(now time.Duration, p *packet.Buffer, nextHop netip.Addr) error {
	if !i.features.Checksum {
		p.CompleteChecksum()
	}
	i.outPackets.Inc()
	i.outBytes.Add(uint64(p.Len()))
	err := i.link.Output(now, p, nextHop)
	if err == syscall.EHOSTUNREACH {
		i.stack.gateways.fail(now, i.Scoped(nextHop))
	}
	return err
}

// Unreachable is called by the link for a datagram whose next hop did not answer; p starts at its IP header and Unreachable
// owns it. It must not be called from within Output, whose caller may hold the lock that the report needs.
func (i *Interface) Unreachable(now time.Duration, p *packet.Buffer) {
	s := i.stack
	defer p.Free()
	f := i.families.byVersion(p.Bytes())
	if f == nil {
		return
	}
	d, ok := f.Parse(p.Bytes())
	if !ok {
		return
	}
	d.In = i
	d.scope()
	s.ReportUnreachable(now, &d, p) // also to the stack's own address, so that raw sockets see it, as on Linux
}

// Source returns the source address of a datagram to be sent (link.Handler); the zero Addr if its header cannot be read.
func (i *Interface) Source(p *packet.Buffer) netip.Addr {
	f := i.families.byVersion(p.Bytes())
	if f == nil {
		return netip.Addr{}
	}
	d, _ := f.Parse(p.Bytes())
	return d.Src
}

// ReportUnreachable counts and reports a datagram whose next hop did not answer; p starts at its IP header and stays the caller's.
func (s *Stack) ReportUnreachable(now time.Duration, d *Datagram, p *packet.Buffer) {
	s.stats.DropUnreachable.Inc()
	s.FamilyOf(d.Src).Report(now, Error{Kind: HostUnreachable}, d, p)
}

// IsHost reports whether a can be the address of a host on the interface's link (link.Handler): its form allows a host, and it
// is not a broadcast address of a connected network.
func (i *Interface) IsHost(a netip.Addr) bool {
	c := i.stack.Class(a)
	return c.Form == FormHost && c.Cast == packet.Unicast
}
