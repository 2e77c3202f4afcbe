package udp

import (
	"net/netip"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// connected says whether the socket is connected to a port; without one it receives from every port of its peer, and is listed with
// the unconnected.
func connected(st *dgram.State) bool { return st.Remote.IsValid() && st.Remote.Port() != 0 }

// match says how well the socket suits a datagram between local and remote that came by in, nil for an error about one: 0 not at
// all, and more the more of the four-tuple it names.
func match(st *dgram.State, local, remote netip.AddrPort, in *ip.Interface) int {
	score := 1
	if st.Options.Device != nil && in != nil {
		if st.Options.Device != in {
			return 0
		}
		score++
	}
	switch {
	case st.Local.Addr() == local.Addr():
		score++
	case !st.Has(local.Addr()):
		return 0
	}
	if st.Remote.IsValid() {
		if st.Remote.Addr() != remote.Addr() || st.Remote.Port() != 0 && st.Remote.Port() != remote.Port() {
			return 0
		}
		score += 2
	}
	return score
}
