package socketapi

import (
	"encoding/binary"
	"strings"
	"syscall"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// deviceOptions are the options that select the interface of a socket.
var deviceOptions = map[optname]option{
	{SOL_SOCKET, SO_DONTROUTE}: flag(
		func(so *socket) bool { return so.ip().DontRoute },
		func(so *socket, on bool) { so.setIP(func(o *ip.SocketOptions) { o.DontRoute = on }) }),
	{SOL_SOCKET, SO_BINDTODEVICE}:  {get: getDevice, set: setDevice},
	{SOL_SOCKET, SO_BINDTOIFINDEX}: number(0, 1<<31-1, func(so *socket) int { return so.stack.ip.NumberOf(so.ip().Device) }, setDeviceIndex),
	{IPPROTO_IP, IP_UNICAST_IF}:    unicastIf(IPPROTO_IP, IP_UNICAST_IF, func(o *dgram.Options) **ip.Interface { return &o.Multicast4.UnicastIf }),
}

// getDevice is the interface's name with a zero byte behind it, or nothing.
func getDevice(so *socket) (any, error) {
	if i := so.ip().Device; i != nil {
		return i.Name() + "\x00", nil
	}
	return "", nil
}

// setDevice takes a name, perhaps with zero bytes behind it; an empty name allows every interface.
func setDevice(so *socket, v optvalue) error {
	name, _, _ := strings.Cut(string(v), "\x00")
	if name == "" {
		return so.bindToDevice(nil)
	}
	i := so.stack.ip.InterfaceNamed(name)
	if i == nil {
		return syscall.ENODEV
	}
	return so.bindToDevice(i)
}

func setDeviceIndex(so *socket, n int) error {
	i := so.stack.ip.InterfaceAt(n)
	if n != 0 && i == nil {
		return syscall.ENODEV
	}
	return so.bindToDevice(i)
}

func (so *socket) bindToDevice(i *ip.Interface) error {
	so.setIP(func(o *ip.SocketOptions) { o.Device = i })
	return nil
}

// unicastIf is IP_UNICAST_IF or IPV6_UNICAST_IF, the number of the interface for unicast datagrams in network byte order; 0 allows every
// interface. As on Linux, a stream only stores it.
func unicastIf(level, name int, field func(*dgram.Options) **ip.Interface) option {
	return option{
		get: func(so *socket) (any, error) {
			n := so.value(level, name)
			if d := so.datagrams(); d != nil {
				o := d.Options()
				n = so.stack.ip.NumberOf(*field(&o))
			}
			return binary.BigEndian.AppendUint32(nil, uint32(n)), nil
		},
		set: func(so *socket, v optvalue) error {
			if len(v) < 4 {
				return syscall.EINVAL
			}
			n := int(binary.BigEndian.Uint32(v))
			i := so.stack.ip.InterfaceAt(n)
			if n != 0 && i == nil {
				return syscall.EADDRNOTAVAIL
			}
			if d := so.datagrams(); d != nil {
				d.SetOptions(func(o *dgram.Options) { *field(o) = i })
			} else {
				so.keep(level, name, n)
			}
			return nil
		},
	}
}
