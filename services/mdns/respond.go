package mdns

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"tunstack/ip"
	"tunstack/socketapi"
)

// Groups of multicast DNS.
var (
	group4 = netip.AddrFrom4([4]byte{224, 0, 0, 251})
	group6 = netip.MustParseAddr("ff02::fb")
)

// maxMessage is the largest message (RFC 6762 section 17).
const maxMessage = 9000

// look is the interval at which a Responder looks for changes of the addresses.
const look = time.Second

// Responder gives a stack its name on all its interfaces but the loopback.
type Responder struct {
	stack *socketapi.Stack
	log   *slog.Logger
	begin time.Time
	ports []*port
	wg    sync.WaitGroup

	mu    sync.Mutex
	links []*link
	timer *time.Timer
}

// link is a Host on an interface.
type link struct {
	*Host
	name  string
	index int
	nets  []netip.Prefix
	told  string // the name that was logged
}

// port is a socket for one version of IP.
type port struct {
	*socketapi.PacketConn
	six bool
}

// Start makes the stack answer to base.local, or to base-2.local and so on if another host has the name. log gets a record when that
// happens.
func Start(stack *socketapi.Stack, base string, log *slog.Logger) (*Responder, error) {
	r := &Responder{stack: stack, log: log, begin: time.Now()}
	for i, info := range stack.Interfaces() {
		if !info.Loopback {
			r.links = append(r.links, &link{Host: NewHost(base, randomTime), name: info.Name, index: i + 1, told: base + ".local."})
		}
	}
	for _, six := range []bool{false, true} {
		p, err := r.open(six)
		if err != nil {
			r.closePorts()
			return nil, err
		}
		r.ports = append(r.ports, p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.ports {
		r.wg.Go(func() { r.receive(p) })
	}
	r.timer = time.AfterFunc(0, r.expire)
	return r, nil
}

func randomTime(d time.Duration) time.Duration { return rand.N(d + 1) }

// open opens a socket that receives the groups of all links. Its packets have TTL 255 (RFC 6762 section 11), and this stack does not
// receive them.
func (r *Responder) open(six bool) (*port, error) {
	network, address, level := "udp4", "0.0.0.0:5353", socketapi.IPPROTO_IP
	options := map[int]int{socketapi.IP_TTL: 255, socketapi.IP_MULTICAST_TTL: 255, socketapi.IP_MULTICAST_LOOP: 0}
	if six {
		network, address, level = "udp6", "[::]:5353", socketapi.IPPROTO_IPV6
		options = map[int]int{socketapi.IPV6_UNICAST_HOPS: 255, socketapi.IPV6_MULTICAST_HOPS: 255, socketapi.IPV6_MULTICAST_LOOP: 0}
	}
	conn, err := r.stack.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	p := &port{conn.(*socketapi.PacketConn), six}
	s := r.stack.Berkeley()
	for name, value := range options {
		err = errors.Join(err, s.SetSockOpt(p.Descriptor(), level, name, value))
	}
	for _, l := range r.links {
		err = errors.Join(err, p.join(s, l.index))
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// join joins the group on an interface.
func (p *port) join(s socketapi.Berkeley, index int) error {
	if p.six {
		return s.SetSockOpt(p.Descriptor(), socketapi.IPPROTO_IPV6, socketapi.IPV6_JOIN_GROUP,
			socketapi.IPv6Mreq{Multiaddr: group6.As16(), Interface: uint32(index)})
	}
	return s.SetSockOpt(p.Descriptor(), socketapi.IPPROTO_IP, socketapi.IP_ADD_MEMBERSHIP,
		socketapi.IPMreqn{Multiaddr: group4.As4(), Ifindex: int32(index)})
}

// receive handles the messages to a socket until it is closed.
func (r *Responder) receive(p *port) {
	b := make([]byte, maxMessage)
	for {
		n, from, err := p.RecvMsg(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			r.log.Debug("mDNS: receiving failed", "error", err)
			time.Sleep(50 * time.Millisecond) // descriptors or memory are short
			continue
		}
		m := new(dns.Msg)
		if err := m.Unpack(b[:n]); err != nil {
			r.log.Debug("mDNS: malformed message", "from", from.Addr, "error", err)
			continue
		}
		r.input(m, from)
	}
}

func (r *Responder) input(m *dns.Msg, from socketapi.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.links {
		if l.name == from.Interface {
			l.Input(time.Since(r.begin), m, Source{Addr: from.Addr, Direct: !from.Local.IsMulticast(), OnLink: l.reaches(from.Addr.Addr())})
			r.flush(l)
		}
	}
	r.arm()
}

// reaches reports whether an address is in a network of the link.
func (l *link) reaches(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, n := range l.nets {
		if n.Contains(a) {
			return true
		}
	}
	return a.IsLinkLocalUnicast()
}

// expire does what is due, and looks for changes of addresses.
func (r *Responder) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, infos := time.Since(r.begin), r.stack.Interfaces()
	for _, l := range r.links {
		l.update(now, infos[l.index-1])
		l.Expire(now)
		r.flush(l)
	}
	r.arm()
}

// arm sets the timer.
func (r *Responder) arm() {
	if r.timer == nil {
		return
	}
	now := time.Since(r.begin)
	next := now + look
	for _, l := range r.links {
		next = min(next, l.Next())
	}
	r.timer.Reset(next - now)
}

// update takes the addresses that other hosts can reach for longer.
func (l *link) update(now time.Duration, info socketapi.InterfaceInfo) {
	var addrs []netip.Addr
	l.nets = l.nets[:0]
	for _, a := range info.Addresses {
		if a.Tentative {
			continue
		}
		l.nets = append(l.nets, a.Prefix.Masked())
		if !a.Temporary && !a.Deprecated {
			addrs = append(addrs, a.Prefix.Addr().WithZone(""))
		}
	}
	l.SetAddrs(now, addrs)
}

// flush sends what a Host wants to send.
func (r *Responder) flush(l *link) {
	for _, p := range l.Packets() {
		b, err := p.Pack()
		if err != nil { // no record of ours is too long
			r.log.Debug("mDNS: encoding failed", "error", err)
			continue
		}
		for _, port := range r.ports {
			if to, ok := port.destination(l, p.To); ok {
				m := socketapi.Message{Addr: to, Ancillary: &socketapi.Ancillary{Ifindex: l.index}}
				if _, err := port.SendMsg(b, m); err != nil {
					r.log.Debug("mDNS: sending failed", "to", to, "error", err)
				}
			}
		}
	}
	if name := l.Name(); name != l.told {
		l.told = name
		r.log.Warn("another host has the name in mDNS", "now", name, "interface", l.name)
	}
}

// destination is the address to which the port sends a packet for to; the group if to is the zero AddrPort, and the link has an address
// to send from.
func (p *port) destination(l *link, to netip.AddrPort) (netip.AddrPort, bool) {
	if to.IsValid() {
		return to, to.Addr().Unmap().Is6() == p.six
	}
	for _, n := range l.nets {
		if n.Addr().Is6() == p.six && p.six {
			return netip.AddrPortFrom(group6.WithZone(l.name), Port), true
		} else if n.Addr().Is6() == p.six {
			return netip.AddrPortFrom(group4, Port), true
		}
	}
	return netip.AddrPort{}, false
}

// Close gives the name up, and returns when all goroutines have ended.
func (r *Responder) Close() error {
	r.mu.Lock()
	for _, l := range r.links {
		l.Close()
		r.flush(l)
	}
	r.timer.Stop()
	r.timer = nil
	r.mu.Unlock()
	return r.closePorts()
}

func (r *Responder) closePorts() (err error) {
	for _, p := range r.ports {
		err = errors.Join(err, p.Close())
	}
	r.wg.Wait()
	return err
}

// Names are the names that the stack has now, without the dot at their ends.
func (r *Responder) Names() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.links {
		if l.Owned() {
			list = append(list, l.Name()[:len(l.Name())-1])
		}
	}
	return list
}

// IsGroup reports whether an address is that of all hosts with multicast DNS on a link.
func IsGroup(a netip.AddrPort) bool {
	return a.Port() == Port && (a.Addr() == group4 || a.Addr().WithZone("") == group6)
}

// Dial returns a connection to the hosts of a link (RFC 6762 section 5.1): what is written goes to the group, and what any host answers
// can be read. network is "udp", "udp4" or "udp6"; a group of IPv6 has its interface as zone.
func Dial(ctx context.Context, stack *socketapi.Stack, network string, group netip.AddrPort) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	wildcard := netip.IPv4Unspecified()
	if ip.VersionOf(group.Addr()) == ip.V6 {
		wildcard = netip.IPv6Unspecified()
	}
	p, err := stack.ListenPacket(network, netip.AddrPortFrom(wildcard, 0).String())
	if err != nil {
		return nil, err
	}
	return &groupConn{p, net.UDPAddrFromAddrPort(group)}, nil
}

// groupConn is a socket that sends to a group and receives from all.
type groupConn struct {
	net.PacketConn
	group *net.UDPAddr
}

// Read implements net.Conn.
func (c *groupConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFrom(b)
	return n, err
}

// Write implements net.Conn.
func (c *groupConn) Write(b []byte) (int, error) { return c.WriteTo(b, c.group) }

// RemoteAddr implements net.Conn; it is the group.
func (c *groupConn) RemoteAddr() net.Addr { return c.group }
