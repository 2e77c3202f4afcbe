package ip

import (
	"net/netip"
	"syscall"

	"tunstack/link/nd"
)

// Kind is what an ICMP error means, in the words that both families share.
type Kind uint8

const (
	OtherError          Kind = iota // an error that no protocol acts on
	NetUnreachable                  // no route to the destination
	HostUnreachable                 // the last router or this stack's link found no neighbour
	ProtocolUnreachable             // no transport for the protocol number
	PortUnreachable                 // no socket
	TooBig                          // larger than the next hop's MTU, and must not be fragmented
	SourceRouteFailed
	Prohibited // by a filter
	TTLExceeded
	ReassemblyTimeout
	BadParameter // Error.Pointer is the offending byte, in IPv6 also of ProtocolUnreachable
	Redirect     // Error.Gateway is the better next hop
	BeyondScope  // the source is of one link, and the destination behind another
)

// Error is an ICMP error message, received or to be sent.
type Error struct {
	Kind           Kind
	Type, Code     uint8         // of a received one: the family's ICMP numbers; Code also of an IPv6 BadParameter to be sent
	Errno          syscall.Errno // of a received one: the error that a socket reports; 0: none
	Hard           bool          // of a received one: a retry does not help
	MTU            int           // TooBig: the next hop's MTU in bytes, 0 from old routers
	Pointer        int           // BadParameter: the index of the offending byte
	Gateway        netip.Addr    // Redirect
	GatewayAddress nd.LinkLayer  // of a received IPv6 Redirect: the link-layer address of Gateway; zero: it does not tell
	In             *Interface    // of a received one: the interface that received it
	From           netip.Addr    // the sender of a received one
	Quoted         Datagram      // of a received one: the header of the quoted datagram
	Datagram       []byte        // of a received one: the quoted bytes of that datagram, from the IP header on
	Local          bool          // raised by this stack itself, about a next hop that does not answer
}
