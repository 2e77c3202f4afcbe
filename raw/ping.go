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

// echo has the numbers of ICMP's echo in one version of IP (RFC 792, RFC 4443 section 4).
type echo struct{ protocol, request, reply uint8 }

var (
	echo4 = echo{protocol: ip.ProtocolICMP, request: 8, reply: 0}
	echo6 = echo{protocol: ip.ProtocolICMPv6, request: 128, reply: 129}
)

// echoOf is the echo of a version.
func echoOf(v ip.Versions) *echo {
	if v == ip.V4 {
		return &echo4
	}
	return &echo6
}

const icmpHeader = 8 // bytes

// Ping is a datagram socket of ICMP, which Linux has for programs without privileges (icmp(7)): it sends echo requests, in which
// the stack puts the socket's identifier and the checksum, and receives the replies to them without IP header. The identifier is
// the port of its local address. If several sockets have the same identifier, each receives the replies.
type Ping struct{ *Socket }

// NewPing returns a ping socket of one version of IP, without an identifier.
func (s *Stack) NewPing(v ip.Versions) Ping { return Ping{s.newSocket(v, echoOf(v).protocol, true)} }

// Bind gives the socket its address and, as the port, its identifier; 0 picks one. Errors: EADDRNOTAVAIL for an address that the
// stack does not have, EINVAL when it has an identifier already.
func (g Ping) Bind(local netip.AddrPort) error {
	return g.Change(func(st *dgram.State) error {
		bound := st.Local.Port() != 0
		if err := st.Bind(g.stack.ip, local.Addr()); err != nil {
			return err
		}
		switch {
		case !st.Bound.IsUnspecified() && !g.stack.ip.IsLocal(st.Bound):
			return syscall.EADDRNOTAVAIL
		case bound:
			return syscall.EINVAL
		}
		identify(st, local.Port())
		return nil
	})
}

// identify binds the socket to an identifier; 0: a random one.
func identify(st *dgram.State, id uint16) {
	for id == 0 {
		id = uint16(rand.Uint32())
	}
	st.Local = netip.AddrPortFrom(st.Bound, id)
}

// Connect sets the default peer. As on Linux, the socket still receives replies from other hosts. Errors: those of Socket.Connect.
func (g Ping) Connect(remote netip.AddrPort) error {
	if err := g.ensureIdentified(); err != nil {
		return err
	}
	return g.Change(func(st *dgram.State) error { return st.Connect(g.stack.ip, remote) })
}

func (g Ping) ensureIdentified() error {
	if g.State().Local.Port() != 0 {
		return nil
	}
	return g.Change(func(st *dgram.State) error {
		if st.Local.Port() == 0 {
			identify(st, 0)
		}
		return nil
	})
}

// Send sends an echo request, ICMP header included, to the address given or with a zero AddrPort to the connected one. src, when valid,
// chooses the source address. Errors: EINVAL for anything but an echo request, and those of Socket.Send.
func (g Ping) Send(b []byte, to netip.AddrPort, src netip.Addr) (int, error) {
	return g.SendMsg(b, to, dgram.Control{Src: src})
}

// SendMsg is Send with the choices in c.
func (g Ping) SendMsg(b []byte, to netip.AddrPort, c dgram.Control) (int, error) {
	if len(b) > ip.MaxDatagram {
		return 0, syscall.EMSGSIZE
	}
	v := g.State().Options.Versions
	if len(b) < icmpHeader || b[0] != echoOf(v).request || b[1] != 0 {
		return 0, syscall.EINVAL
	}
	if err := g.ensureIdentified(); err != nil {
		return 0, err
	}
	message := append([]byte(nil), b...)
	binary.BigEndian.PutUint16(message[4:], g.State().Local.Port())
	if v == ip.V4 { // an IPv6 socket computes the checksum, which includes the addresses
		clear(message[icmpChecksum:][:2])
		checksum.Put(message[icmpChecksum:], ^checksum.Sum(message, 0))
	}
	return g.Socket.SendMsg(message, to, c, false)
}

// repliesTo reports whether the message in p, behind its IP header, is the reply to an echo request with the identifier.
func (e *Socket) repliesTo(id uint16, d *ip.Datagram, p *packet.Buffer) bool {
	b := p.Bytes()[d.HeaderLen:]
	if id == 0 || len(b) < icmpHeader || b[0] != echoOf(ip.VersionOf(d.Dst)).reply || binary.BigEndian.Uint16(b[4:]) != id {
		return false
	}
	if d.Dst.Is4() {
		return checksum.Sum(b, 0) == 0xffff
	}
	return verified(d, p)
}

// sent reports whether quoted is the start of an echo request of the socket with the identifier.
func (e *Socket) sent(id uint16, quoted []byte) bool {
	request := echoOf(e.State().Options.Versions).request
	return id != 0 && quoted[0] == request && binary.BigEndian.Uint16(quoted[4:]) == id
}
