package udp

import (
	"net/netip"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// connected reports whether the socket is connected to a port. A socket connected to port 0 receives from every port of its peer and
// is listed with the unconnected ones.
func connected(st *dgram.State) bool { return st.Remote.IsValid() && st.Remote.Port() != 0 }

// match is the rank of the socket for a datagram between local and remote that arrived by in, which is nil for an ICMP error: 0 is
// not at all, and the rank grows with the number of addresses and ports that the socket specifies.
func match(st *dgram.State, local, remote netip.AddrPort, in *ip.Interface) int {
	score := 1
	if st.Options.Versions == ip.V4 {
		score++ // as on Linux preferred to a dual-stack socket
	}
	if st.Options.Device != nil && in != nil {
		if st.Options.Device != in {
			return 0
		}
		score += 2
	}
	switch {
	case st.Local.Addr() == local.Addr():
		score += 2
	case !st.Has(local.Addr()):
		return 0
	}
	if st.Remote.IsValid() {
		if st.Remote.Addr() != remote.Addr() || st.Remote.Port() != 0 && st.Remote.Port() != remote.Port() {
			return 0
		}
		score += 4
	}
	return score
}
