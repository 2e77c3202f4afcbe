package socketapi

import (
	"net/netip"
	"syscall"

	"tunstack/raw"
)

// pingSocket is the endpoint of SOCK_DGRAM with IPPROTO_ICMP.
type pingSocket struct {
	rawSocket
	ping raw.Ping
}

func newPingSocket(ping raw.Ping) pingSocket { return pingSocket{rawSocket{ping.Endpoint}, ping} }

// Bind implements endpoint.
func (g pingSocket) Bind(local netip.AddrPort) error { return g.ping.Bind(local) }

// Connect implements endpoint.
func (g pingSocket) Connect(remote netip.AddrPort) error { return g.ping.Connect(remote) }

// Local implements endpoint.
func (g pingSocket) Local() netip.AddrPort { return g.ping.Local() }

// Remote implements endpoint.
func (g pingSocket) Remote() (netip.AddrPort, bool) { return g.ping.Remote() }

func (g pingSocket) send(b []byte, m Message, flags int) (int, error) {
	if flags&MSG_OOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	return g.ping.Send(b, m.Addr.Addr(), m.Local)
}

func (g pingSocket) options() map[optname]option { return pingOptions }
