package sockdiff

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"tunstack/socketapi"
)

// ancillary are the control messages of a send.
type ancillary struct {
	hops, class *int
	src         string // a key of addresses
	ifindex     int
}

// ancillaries are the control messages that scripts use.
var ancillaries = map[string]ancillary{
	"": {}, "hops=9": {hops: new(9)}, "hops=0": {hops: new(0)}, "hops=-1": {hops: new(-1)}, "hops=256": {hops: new(256)},
	"class=16": {class: new(16)}, "class=-1": {class: new(-1)}, "class=256": {class: new(256)},
	"src=lo": {src: "lo"}, "src=lo2": {src: "lo2"}, "src=alien": {src: "alien"}, "src=lo6": {src: "lo6"}, "src=alien6": {src: "alien6"},
	"if=1": {ifindex: 1}, "if=9": {ifindex: 9}, "src=lo,if=1": {src: "lo", ifindex: 1}, "src=lo6,if=1": {src: "lo6", ifindex: 1},
}

// message is the ancillary in the form of the stack.
func (a ancillary) message() socketapi.Message {
	if a == (ancillary{}) {
		return socketapi.Message{}
	}
	m := socketapi.Message{Local: addresses[a.src]}
	m.Ancillary = &socketapi.Ancillary{Ifindex: a.ifindex, HopLimit: a.hops, TClass: a.class}
	return m
}

// messages is the ancillary in the form of the kernel, for a socket. One of AF_INET6 uses those of the version that its datagram leaves by; IPv4
// has no value for the default.
func (a ancillary) messages(fd int) (b []byte) {
	domain, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	add := func(level, name int, n *int, least int) {
		if n != nil && (domain == unix.AF_INET || level == ip6 || *n >= least) {
			b = appendMessage(b, level, name, binary.NativeEndian.AppendUint32(nil, uint32(*n)))
		}
	}
	add(ip, unix.IP_TTL, a.hops, 1)
	add(ip, unix.IP_TOS, a.class, 0)
	src := addresses[a.src]
	info := src.IsValid() || a.ifindex != 0
	if domain == unix.AF_INET {
		if info {
			b = appendMessage(b, ip, unix.IP_PKTINFO, pktinfo(domain, src, a.ifindex))
		}
		return b
	}
	add(ip6, unix.IPV6_HOPLIMIT, a.hops, 0)
	add(ip6, unix.IPV6_TCLASS, a.class, 0)
	if info {
		b = appendMessage(b, ip6, unix.IPV6_PKTINFO, pktinfo(domain, src, a.ifindex))
	}
	return b
}

// pktinfo is a struct in_pktinfo or in6_pktinfo to send.
func pktinfo(domain int, src netip.Addr, ifindex int) []byte {
	index := binary.NativeEndian.AppendUint32(nil, uint32(ifindex))
	if domain == unix.AF_INET6 {
		addr := [16]byte{}
		if src.IsValid() {
			addr = src.As16()
		}
		return append(addr[:], index...)
	}
	addr := [4]byte{}
	if src.Is4() {
		addr = src.As4()
	}
	return slices.Concat(index, addr[:], make([]byte, 4))
}

// appendMessage appends a control message.
func appendMessage(b []byte, level, typ int, data []byte) []byte {
	head := binary.NativeEndian.AppendUint64(nil, uint64(unix.CmsgLen(len(data))))
	head = binary.NativeEndian.AppendUint32(head, uint32(level))
	head = binary.NativeEndian.AppendUint32(head, uint32(typ))
	at := len(b)
	b = append(append(b, head...), data...)
	return append(b, make([]byte, at+unix.CmsgSpace(len(data))-len(b))...)
}

// controlText prints the control messages that the kernel has returned.
func controlText(b []byte) string {
	messages, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return " " + err.Error()
	}
	var text []string
	for _, m := range messages {
		d := m.Data
		switch [2]int{int(m.Header.Level), int(m.Header.Type)} {
		case [2]int{unix.IPPROTO_IP, unix.IP_TTL}:
			text = append(text, fmt.Sprint("ttl=", binary.NativeEndian.Uint32(d)))
		case [2]int{unix.IPPROTO_IP, unix.IP_TOS}:
			text = append(text, fmt.Sprint("tos=", d[0]))
		case [2]int{unix.IPPROTO_IP, unix.IP_PKTINFO}:
			text = append(text, fmt.Sprint("to=", netip.AddrFrom4([4]byte(d[8:])), " if=", binary.NativeEndian.Uint32(d)))
		case [2]int{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}:
			text = append(text, fmt.Sprint("hoplimit=", int32(binary.NativeEndian.Uint32(d))))
		case [2]int{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}:
			text = append(text, fmt.Sprint("tclass=", binary.NativeEndian.Uint32(d)))
		case [2]int{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}:
			text = append(text, fmt.Sprint("to6=", netip.AddrFrom16([16]byte(d)), " if=", binary.NativeEndian.Uint32(d[16:])))
		}
	}
	return joined(text)
}

func joined(text []string) string {
	if len(text) == 0 {
		return ""
	}
	slices.Sort(text)
	return " [" + strings.Join(text, ", ") + "]"
}

// controlText prints what of a message's control information the options of the socket ask for: a Message always has all of it.
func (s stack) controlText(fd int, m *socketapi.Message) string {
	var text []string
	if !m.Local.IsValid() {
		return ""
	}
	asked := func(level, name int) bool {
		var on int
		_, err := s.Berkeley.GetSockOpt(fd, level, name, &on)
		return err == nil && on != 0
	}
	add := func(level, name int, words ...any) {
		if asked(level, name) {
			text = append(text, fmt.Sprint(words...))
		}
	}
	to, number := m.Local, s.IfNameToIndex(m.Interface)
	if to.Is4() || to.Is4In6() {
		add(ip, socketapi.IP_RECVTTL, "ttl=", m.TTL)
		add(ip, socketapi.IP_RECVTOS, "tos=", m.TOS)
		add(ip, socketapi.IP_PKTINFO, "to=", to.Unmap(), " if=", number)
	}
	if to.Is6() {
		add(ip6, socketapi.IPV6_RECVPKTINFO, "to6=", to.WithZone(""), " if=", number)
	}
	if to.Is6() && !to.Is4In6() {
		add(ip6, socketapi.IPV6_RECVHOPLIMIT, "hoplimit=", m.TTL)
		add(ip6, socketapi.IPV6_RECVTCLASS, "tclass=", m.TOS)
	}
	return joined(text)
}
