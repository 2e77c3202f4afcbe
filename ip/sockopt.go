package ip

import "slices"

// SocketOptions are the settings of a socket at the level of IP, which sockets of every transport have. A copy shares
// IPOptions: whoever sets it replaces the slice and never changes its elements.
type SocketOptions struct {
	TOS, TTL  uint8      // IP_TOS, IP_TTL; TTL 0: the stack's default
	MinTTL    uint8      // IP_MINTTL: a segment with a lower TTL is dropped (RFC 5082)
	Device    *Interface // SO_BINDTODEVICE: the one interface that it receives from and sends by; nil: all
	RecvErr   bool       // IP_RECVERR: ICMP errors go to the error queue
	IPOptions []byte     // IP_OPTIONS
}

// Clone returns a copy that shares no memory with o.
func (o SocketOptions) Clone() SocketOptions {
	o.IPOptions = slices.Clone(o.IPOptions)
	return o
}
