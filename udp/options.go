package udp

import (
	"net/netip"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// Options are the socket's settings; Endpoint.SetOptions changes them.
type Options struct {
	dgram.Options
	ReuseAddr bool // SO_REUSEADDR
	ReusePort bool // SO_REUSEPORT
	NoCheck   bool // SO_NO_CHECK: send without checksum
}

// Datagram describes a received datagram.
type Datagram = dgram.Datagram

// match says how well the socket suits a datagram between local and remote that came by in, nil for an error about one: 0 not at
// all, and more the more of the four-tuple it names.
func (st *state) match(local, remote netip.AddrPort, in *ip.Interface) int {
	score := 1
	if st.options.Device != nil && in != nil {
		if st.options.Device != in {
			return 0
		}
		score++
	}
	if st.local.Addr() != wildcard {
		if st.local.Addr() != local.Addr() {
			return 0
		}
		score++
	}
	if st.remote.IsValid() {
		if st.remote != remote {
			return 0
		}
		score += 2
	}
	return score
}
