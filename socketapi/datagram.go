package socketapi

import (
	"net/netip"
	"syscall"

	"tunstack/ip"
	"tunstack/udp"
)

// datagram is the endpoint of SOCK_DGRAM.
type datagram struct {
	*udp.Socket
	connectionless
}

func newDatagram(s *udp.Socket) *datagram { return &datagram{s, connectionless{&s.Socket}} }

func (d *datagram) send(b []byte, e envelope, flags int) (int, error) {
	if flags&MSG_OOB != 0 && d.overIPv4(e.to) {
		if err := d.Autobind(); err != nil {
			return 0, err
		}
		return 0, syscall.EOPNOTSUPP
	}
	return d.SendMsg(b, e.to, e.Control, flags&MSG_MORE != 0)
}

// overIPv4 reports whether a datagram to an address leaves over IPv4, where MSG_OOB is refused; over IPv6 Linux ignores it.
func (d *datagram) overIPv4(to netip.AddrPort) bool {
	st := d.State()
	if v := st.Options.Versions; v != ip.Dual {
		return v == ip.V4
	}
	if !to.IsValid() {
		to = st.Remote
	}
	return to.IsValid() && st.Options.Versions.ThisHost(to.Addr(), st.Local.Addr()).Is4()
}

func (d *datagram) options() map[optname]option { return udpOptions }
