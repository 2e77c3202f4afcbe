package run

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/sockets"
)

// receiveOptions are the options of a datagram socket that ask for control messages.
type receiveOptions struct {
	mu     sync.Mutex
	values map[option]bool
}

func (o *receiveOptions) set(level, name int, value []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.values == nil {
		o.values = map[option]bool{}
	}
	o.values[option{level, name}] = slices.ContainsFunc(value, func(b byte) bool { return b != 0 })
}

func (o *receiveOptions) on(level, name int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.values[option{level, name}]
}

// control lays out the control messages that the options ask for.
func (d *datagramPair) control(h *sockets.Header) (b []byte) {
	o := &d.options
	if o.on(unix.SOL_SOCKET, unix.SO_TIMESTAMP) && !h.Time.IsZero() {
		b = appendControl(b, unix.SOL_SOCKET, unix.SO_TIMESTAMP, seconds(h.Time, time.Microsecond))
	}
	if o.on(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS) && !h.Time.IsZero() {
		b = appendControl(b, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, seconds(h.Time, time.Nanosecond))
	}
	local := h.Local.Unmap()
	if o.on(unix.IPPROTO_IP, unix.IP_PKTINFO) && local.Is4() {
		info := binary.NativeEndian.AppendUint32(nil, h.Interface)
		info = append(info, local.AsSlice()...)
		b = appendControl(b, unix.IPPROTO_IP, unix.IP_PKTINFO, append(info, local.AsSlice()...))
	}
	if o.on(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO) && h.Local.IsValid() {
		as16 := h.Local.As16()
		b = appendControl(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, binary.NativeEndian.AppendUint32(as16[:], h.Interface))
	}
	for _, field := range headerFields(h) {
		if o.on(field.level, field.option) {
			b = appendControl(b, field.level, field.kind, field.value)
		}
	}
	return b
}

// headerField is a field of the IP header with the option that asks for it and its control message.
type headerField struct {
	level, option, kind int
	value               []byte
}

func headerFields(h *sockets.Header) []headerField {
	ttl, tos := layoutInt(int(h.TTL)), layoutInt(int(h.TOS))
	if peer := h.Peer.Addr().Unmap(); peer.Is4() {
		return []headerField{{unix.IPPROTO_IP, unix.IP_RECVTTL, unix.IP_TTL, ttl}, {unix.IPPROTO_IP, unix.IP_RECVTOS, unix.IP_TOS, tos[:1]}}
	}
	return []headerField{{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, unix.IPV6_HOPLIMIT, ttl}, {unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, unix.IPV6_TCLASS, tos}}
}

// seconds is struct timeval or timespec.
func seconds(t time.Time, unit time.Duration) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(t.Unix()))
	return binary.NativeEndian.AppendUint64(b, uint64(t.Nanosecond())/uint64(unit))
}

// outgoing reads the destination and the control messages of a datagram. segment is UDP_SEGMENT's; 0: none.
func (s *Supervisor) outgoing(m *message, domain int) (h sockets.Header, segment int, err error) {
	h = connected
	if m.name != 0 && m.nameLen > 0 {
		if h.Peer, err = readSockaddr(m.thread, m.name, m.nameLen, domain, s.tables); err != nil {
			return h, 0, err
		}
	}
	controls, err := m.ancillary()
	for _, c := range controls {
		if n := apply(&h, int(c.Header.Level), int(c.Header.Type), c.Data); n > 0 {
			segment = n
		}
	}
	return h, segment, err
}

// option names an option, or the kind of a control message.
type option struct{ level, name int }

// apply puts a control message into the header, or returns the value of UDP_SEGMENT.
func apply(h *sockets.Header, level, kind int, data []byte) (segment int) {
	number := 0
	if len(data) >= 4 {
		number = int(int32(binary.NativeEndian.Uint32(data)))
	}
	switch (option{level, kind}) {
	case option{unix.IPPROTO_IP, unix.IP_PKTINFO}:
		if len(data) >= 12 {
			h.Interface, h.Local = uint32(number), specific(netip.AddrFrom4([4]byte(data[4:8])))
		}
	case option{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}:
		if len(data) >= 20 {
			h.Local, h.Interface = specific(netip.AddrFrom16([16]byte(data))), binary.NativeEndian.Uint32(data[16:])
		}
	case option{unix.IPPROTO_IP, unix.IP_TTL}, option{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}:
		h.TTL = int16(number)
	case option{unix.IPPROTO_IP, unix.IP_TOS}, option{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}:
		if h.TOS = int16(number); len(data) == 1 { // IP_TOS may be a byte
			h.TOS = int16(data[0])
		}
	case option{unix.SOL_UDP, unix.UDP_SEGMENT}:
		if len(data) >= 2 {
			return int(binary.NativeEndian.Uint16(data))
		}
	}
	return 0
}

// specific is a, or the zero Addr for the unspecified address.
func specific(a netip.Addr) netip.Addr {
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// errorControl is the control message of an entry of the error queue: struct sock_extended_err and the address that reported the error.
func (s *Supervisor) errorControl(domain int, r *sockets.Response) []byte {
	e := r.Error
	b := binary.NativeEndian.AppendUint32(nil, e.Errno)
	b = append(b, e.Origin, e.Type, e.Code, e.Pad)
	b = binary.NativeEndian.AppendUint32(b, e.Info)
	b = binary.NativeEndian.AppendUint32(b, e.Data)
	offender := make([]byte, sockaddrIn) // AF_UNSPEC: the stack itself
	if r.Addr.Addr().IsValid() {
		offender = layoutSockaddr(domain, r.Addr, s.tables)
	}
	level, kind := unix.IPPROTO_IP, unix.IP_RECVERR
	if domain == unix.AF_INET6 {
		level, kind = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	return appendControl(nil, level, kind, append(b, offender...))
}
