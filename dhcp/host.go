package dhcp

import (
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"tunstack/dhcp/dhcp4"
	"tunstack/link"
	"tunstack/socketapi"
)

// host does what the machine of a Client decides (dhcp4.Host).
type host Client

// Send implements dhcp4.Host. A message that cannot be sent is lost, and the machine repeats it.
func (h *host) Send(m *dhcpv4.DHCPv4, from, to netip.Addr) {
	h.conn.SetNoAddr(!from.IsValid())
	message := socketapi.Message{Addr: netip.AddrPortFrom(to, 67), Local: from}
	_, _ = h.stack.Berkeley().SendMsg(h.conn.Descriptor(), m.ToBytes(), message, socketapi.MSG_DONTWAIT)
	if m.MessageType() == dhcpv4.MessageTypeRelease {
		h.delivered()
	}
	(*Client)(h).publish()
}

// Times of delivered.
const (
	resolution = time.Second
	glance     = 5 * time.Millisecond
)

// delivered waits until no datagram waits for the address of a neighbour: the last message must leave before its source address is removed.
func (h *host) delivered() {
	for range resolution / glance {
		waiting := false
		for _, n := range h.stack.Neighbors() {
			waiting = waiting || n.Interface == h.device && n.State == link.Incomplete
		}
		if !waiting {
			return
		}
		time.Sleep(glance)
	}
}

// Claim implements dhcp4.Host.
func (h *host) Claim(addr netip.Prefix) {
	h.running.Go(func() {
		err := h.stack.AddAddress(h.ctx, h.device, addr)
		h.post(func(now time.Duration) {
			if err != nil {
				h.cfg.Logger.Warn("the address that a DHCP server has given cannot be used", "interface", h.device, "error", err)
			}
			h.machine.Claimed(now, err)
		})
	})
	(*Client)(h).publish()
}

// Bound implements dhcp4.Host.
func (h *host) Bound(l *dhcp4.Lease) {
	now := h.stack.Now()
	h.fallback.stop()
	h.applied.apply(l, left(now, l.End))
	h.setNames(socketapi.NamesDHCP, l.DNS, l.SearchList())
	h.cfg.Logger.Info("DHCP lease", "interface", h.device, "address", l.Addr, "server", l.Server)
	if h.file != nil {
		(*Client)(h).save(false)
	}
	(*Client)(h).publish()
}

// Lost implements dhcp4.Host.
func (h *host) Lost(l *dhcp4.Lease, why dhcp4.Reason) {
	if why != dhcp4.Released {
		h.cfg.Logger.Warn("the DHCP lease is lost", "interface", h.device, "address", l.Addr, "reason", string(why))
	}
	h.applied.undo()
	h.setNames(socketapi.NamesDHCP, nil, nil)
	(*Client)(h).publish()
}

// Silent implements dhcp4.Host.
func (h *host) Silent() {
	h.cfg.Logger.Warn("no DHCP server answers yet", "interface", h.device)
	if h.cfg.LinkLocal {
		h.fallback.start()
	}
	(*Client)(h).publish()
}

// left is the time from now to an end.
func left(now, end time.Duration) time.Duration {
	if end == socketapi.Forever {
		return socketapi.Forever
	}
	return max(end-now, 0)
}
