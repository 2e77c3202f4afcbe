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
	Cork      bool // UDP_CORK: gather what is sent into one datagram
}

// Datagram describes a received datagram.
type Datagram = dgram.Datagram

// connected says whether the socket is connected to a port; without one it receives from every port of its peer, and is listed with
// the unconnected.
func (st *state) connected() bool { return st.remote.IsValid() && st.remote.Port() != 0 }

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
	switch {
	case st.local.Addr() == local.Addr():
		score++
	case st.local.Addr() != wildcard, !local.Addr().Is4():
		return 0
	}
	if st.remote.IsValid() {
		if st.remote.Addr() != remote.Addr() || st.remote.Port() != 0 && st.remote.Port() != remote.Port() {
			return 0
		}
		score += 2
	}
	return score
}
