package socketapi

import (
	"net/netip"
	"syscall"

	"tunstack/raw"
)

// pingSocket is the endpoint of SOCK_DGRAM with IPPROTO_ICMP.
type pingSocket struct {
	*rawSocket
	ping raw.Ping
}

func newPingSocket(ping raw.Ping) pingSocket { return pingSocket{newRawSocket(ping.Socket), ping} }

// Bind implements endpoint.
func (g pingSocket) Bind(local netip.AddrPort) error { return g.ping.Bind(local) }

// Connect implements endpoint.
func (g pingSocket) Connect(remote netip.AddrPort) error { return g.ping.Connect(remote) }

func (g pingSocket) send(b []byte, e envelope, flags int) (int, error) {
	if flags&MSG_OOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	return g.ping.SendMsg(b, e.to, e.Control)
}

func (g pingSocket) options() map[optname]option { return pingOptions }
