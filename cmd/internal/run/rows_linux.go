package run

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// row is a message of an answer.
type row struct {
	kind uint16
	body []byte
}

func attribute(kind int, data []byte) []byte { return nl.NewRtAttr(kind, data).Serialize() }

// links are the interfaces.
func (t *tables) links() (rows []row) {
	for _, i := range t.interfaces {
		info := nl.NewIfInfomsg(unix.AF_UNSPEC)
		info.Index, info.Type = int32(i.Index), i.hardware()
		info.Flags = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
		if i.Loopback {
			info.Flags |= unix.IFF_LOOPBACK
		} else {
			info.Flags |= unix.IFF_POINTOPOINT | unix.IFF_NOARP | unix.IFF_MULTICAST
		}
		b := append(info.Serialize(), attribute(unix.IFLA_IFNAME, append([]byte(i.Name), 0))...)
		b = append(b, attribute(unix.IFLA_MTU, layoutInt(i.MTU))...)
		b = append(b, attribute(unix.IFLA_OPERSTATE, []byte{6})...) // IF_OPER_UP
		rows = append(rows, row{unix.RTM_NEWLINK, b})
	}
	return rows
}

// addresses are those of a family, or with AF_UNSPEC of both.
func (t *tables) addresses(family byte) (rows []row) {
	for _, i := range t.interfaces {
		for _, p := range i.Addresses {
			of := familyOf(p.Addr())
			if family != unix.AF_UNSPEC && family != of {
				continue
			}
			b := []byte{of, byte(p.Bits()), unix.IFA_F_PERMANENT, scopeOf(p.Addr())}
			b = binary.NativeEndian.AppendUint32(b, uint32(i.Index))
			b = append(b, attribute(unix.IFA_ADDRESS, p.Addr().AsSlice())...)
			if of == unix.AF_INET {
				b = append(b, attribute(unix.IFA_LOCAL, p.Addr().AsSlice())...)
				b = append(b, attribute(unix.IFA_LABEL, append([]byte(i.Name), 0))...)
			}
			rows = append(rows, row{unix.RTM_NEWADDR, b})
		}
	}
	return rows
}

// routeRows are the routes of a family, or with AF_UNSPEC of both.
func (t *tables) routeRows(family byte) (rows []row) {
	for _, r := range t.routes {
		of := familyOf(r.Prefix.Addr())
		if family != unix.AF_UNSPEC && family != of {
			continue
		}
		scope := byte(unix.RT_SCOPE_LINK)
		if r.Gateway.IsValid() {
			scope = unix.RT_SCOPE_UNIVERSE
		}
		b := []byte{of, byte(r.Prefix.Bits()), 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, scope, unix.RTN_UNICAST}
		b = append(b, layoutInt(0)...)
		b = append(b, attribute(unix.RTA_TABLE, layoutInt(unix.RT_TABLE_MAIN))...)
		if r.Prefix.Bits() > 0 {
			b = append(b, attribute(unix.RTA_DST, r.Prefix.Addr().AsSlice())...)
		}
		if r.Gateway.IsValid() {
			b = append(b, attribute(unix.RTA_GATEWAY, r.Gateway.WithZone("").AsSlice())...)
		}
		if r.Source.IsValid() {
			b = append(b, attribute(unix.RTA_PREFSRC, r.Source.AsSlice())...)
		}
		if r.Metric > 0 {
			b = append(b, attribute(unix.RTA_PRIORITY, layoutInt(r.Metric))...)
		}
		rows = append(rows, row{unix.RTM_NEWROUTE, append(b, attribute(unix.RTA_OIF, layoutInt(r.Interface))...)})
	}
	return rows
}

// one selects the row that a request without NLM_F_DUMP asks for: the interface with the request's index or name.
func (t *tables) one(r *syscall.NetlinkMessage, rows []row) []row {
	if r.Header.Type != unix.RTM_GETLINK || len(r.Data) < unix.SizeofIfInfomsg {
		return nil
	}
	index := binary.NativeEndian.Uint32(r.Data[4:])
	if attributes, err := nl.ParseRouteAttr(r.Data[unix.SizeofIfInfomsg:]); err == nil && index == 0 {
		for _, a := range attributes {
			if a.Attr.Type == unix.IFLA_IFNAME {
				index = t.index(unix.ByteSliceToString(a.Value))
			}
		}
	}
	for i, row := range rows {
		if binary.NativeEndian.Uint32(row.body[4:]) == index {
			return rows[i : i+1]
		}
	}
	return nil
}

func familyOf(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func scopeOf(a netip.Addr) byte {
	switch {
	case a.IsLoopback():
		return unix.RT_SCOPE_HOST
	case a.IsLinkLocalUnicast():
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}
