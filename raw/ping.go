package raw

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"syscall"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/dgram"
)

// The ICMP numbers that a ping socket knows (RFC 792).
const (
	protocolICMP = 1
	echoReply    = 0
	echoRequest  = 8
	icmpHeader   = 8 // bytes
)

// Ping is a datagram socket of ICMP, as Linux has it for programs without privileges (icmp(7)): it sends echo requests, in which
// the stack puts the socket's identifier and the checksum, and receives the replies to them without IP header. The identifier is
// the port of its own address. Several sockets may have one identifier, and then each receives.
type Ping struct{ *Endpoint }

// NewPing returns a ping socket without an identifier.
func (s *Stack) NewPing() Ping { return Ping{s.newEndpoint(protocolICMP, true)} }

// Local is the own address with the identifier as its port, 0 before Bind, Connect and Send.
func (g Ping) Local() netip.AddrPort {
	st := g.state.Load()
	return netip.AddrPortFrom(st.local, st.id)
}

// Remote is the connected peer with the port that Connect was given; false without one.
func (g Ping) Remote() (netip.AddrPort, bool) {
	st := g.state.Load()
	return netip.AddrPortFrom(st.remote, st.remotePort), st.remote.IsValid()
}

// Bind gives the socket its address and, as the port, its identifier; 0 picks one. Errors: EADDRNOTAVAIL for an address that is not
// an own one, EINVAL when it has an identifier already.
func (g Ping) Bind(local netip.AddrPort) error {
	addr := local.Addr()
	if !addr.IsValid() {
		addr = wildcard
	}
	if err := dgram.Bindable(g.stack.ip, addr); err != nil {
		return err
	}
	if !addr.IsUnspecified() && !g.stack.ip.IsLocal(addr) {
		return syscall.EADDRNOTAVAIL
	}
	return g.change(func(st *state) error {
		if st.id != 0 {
			return syscall.EINVAL
		}
		st.bound, st.local = addr, addr
		st.identify(local.Port())
		return nil
	})
}

// identify gives the socket an identifier; 0: a random one.
func (st *state) identify(id uint16) {
	for st.id = id; st.id == 0; {
		st.id = uint16(rand.Uint32())
	}
}

// Connect sets the default peer. Like Linux's, the socket still receives replies of others. Errors: those of Endpoint.Connect.
func (g Ping) Connect(remote netip.AddrPort) error {
	if err := g.ensureIdentified(); err != nil {
		return err
	}
	if err := g.Endpoint.Connect(remote.Addr()); err != nil {
		return err
	}
	return g.change(func(st *state) error { st.remotePort = remote.Port(); return nil })
}

func (g Ping) ensureIdentified() error {
	if g.state.Load().id != 0 {
		return nil
	}
	return g.change(func(st *state) error {
		if st.id == 0 {
			st.identify(0)
		}
		return nil
	})
}

// Send sends an echo request, ICMP header included, to the address given or with a zero Addr to the connected one. src, when valid,
// chooses the source address. Errors: EINVAL for anything but an echo request, and those of Endpoint.Send.
func (g Ping) Send(b []byte, to, src netip.Addr) (int, error) {
	if len(b) > ip.MaxDatagram {
		return 0, syscall.EMSGSIZE
	}
	if len(b) < icmpHeader || b[0] != echoRequest || b[1] != 0 {
		return 0, syscall.EINVAL
	}
	if err := g.ensureIdentified(); err != nil {
		return 0, err
	}
	message := append([]byte(nil), b...)
	binary.BigEndian.PutUint16(message[4:], g.state.Load().id)
	clear(message[2:4])
	checksum.Put(message[2:], ^checksum.Sum(message, 0))
	return g.Endpoint.Send(message, to, src)
}

// repliesTo says whether the datagram in p is the reply to an echo request of the ping socket.
func (st *state) repliesTo(d *ip.Datagram, p *packet.Buffer) bool {
	if st.options.Device != nil && st.options.Device != d.In || st.local != d.Dst && !(st.local == wildcard && d.Dst.Is4()) {
		return false
	}
	b := p.Bytes()[d.HeaderLen:]
	return len(b) >= icmpHeader && b[0] == echoReply && st.id != 0 && binary.BigEndian.Uint16(b[4:]) == st.id &&
		checksum.Sum(b, 0) == 0xffff
}

// sent says whether quoted is the start of an echo request of the ping socket.
func (st *state) sent(quoted []byte) bool {
	return quoted[0] == echoRequest && st.id != 0 && binary.BigEndian.Uint16(quoted[4:]) == st.id
}
