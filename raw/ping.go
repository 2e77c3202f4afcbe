package raw

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"syscall"

	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ip/dgram"
)

// ICMP numbers of echo (RFC 792).
const (
	protocolICMP = 1
	echoReply    = 0
	echoRequest  = 8
	icmpHeader   = 8 // bytes
)

// Ping is a datagram socket of ICMP, which Linux has for programs without privileges (icmp(7)): it sends echo requests, in which
// the stack puts the socket's identifier and the checksum, and receives the replies to them without IP header. The identifier is
// the port of its local address. If several sockets have the same identifier, each receives the replies.
type Ping struct{ *Socket }

// NewPing returns a ping socket without an identifier.
func (s *Stack) NewPing() Ping { return Ping{s.newSocket(protocolICMP, true)} }

// Bind gives the socket its address and, as the port, its identifier; 0 picks one. Errors: EADDRNOTAVAIL for an address that the
// stack does not have, EINVAL when it has an identifier already.
func (g Ping) Bind(local netip.AddrPort) error {
	addr, err := g.Bindable(local.Addr())
	if err != nil {
		return err
	}
	if !addr.IsUnspecified() && !g.stack.ip.IsLocal(addr) {
		return syscall.EADDRNOTAVAIL
	}
	return g.Change(func(st *dgram.State) error {
		if st.Local.Port() != 0 {
			return syscall.EINVAL
		}
		st.Bound = addr
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
	binary.BigEndian.PutUint16(message[4:], g.State().Local.Port())
	clear(message[2:4])
	checksum.Put(message[2:], ^checksum.Sum(message, 0))
	return g.Socket.Send(message, to, src)
}

// repliesTo reports whether message is the reply to an echo request with the identifier.
func repliesTo(id uint16, message []byte) bool {
	return id != 0 && len(message) >= icmpHeader && message[0] == echoReply && binary.BigEndian.Uint16(message[4:]) == id &&
		checksum.Sum(message, 0) == 0xffff
}

// sent reports whether quoted is the start of an echo request with the identifier.
func sent(id uint16, quoted []byte) bool {
	return id != 0 && quoted[0] == echoRequest && binary.BigEndian.Uint16(quoted[4:]) == id
}
