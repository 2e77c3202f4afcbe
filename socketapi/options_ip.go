package socketapi

import (
	"syscall"

	"tunstack/ip/dgram"
)

// ipFields reads the TOS and TTL of a socket's packets; TTL 0 is the stack's default.
func (so *socket) ipFields() (tos, ttl uint8) {
	if st, ok := so.endpoint.(stream); ok {
		return st.IP()
	}
	o := so.datagram().dgram()
	return o.TOS, o.TTL
}

// setIPFields is the other way.
func (so *socket) setIPFields(tos, ttl uint8) {
	if st, ok := so.endpoint.(stream); ok {
		st.SetIP(tos, ttl)
		return
	}
	so.datagram().setDgram(func(o *dgram.Options) { o.TOS, o.TTL = tos, ttl })
}

// ipTOS is IP_TOS.
var ipTOS = number(0, 255,
	func(so *socket) int {
		tos, _ := so.ipFields()
		return int(tos)
	},
	func(so *socket, n int) error {
		_, ttl := so.ipFields()
		so.setIPFields(uint8(n), ttl)
		return nil
	})

// ipTTL is IP_TTL, where -1 is the stack's default and 0 is refused.
var ipTTL = number(-1, 255,
	func(so *socket) int {
		if _, ttl := so.ipFields(); ttl != 0 {
			return int(ttl)
		}
		return int(so.stack.ttl)
	},
	func(so *socket, n int) error {
		if n == 0 {
			return syscall.EINVAL
		}
		tos, _ := so.ipFields()
		so.setIPFields(tos, uint8(max(n, 0)))
		return nil
	})

// ipOptions is IP_OPTIONS.
var ipOptions = option{
	func(so *socket) (any, error) {
		if st, ok := so.endpoint.(stream); ok {
			return st.IPOptions(), nil
		}
		return so.datagram().dgram().IPOptions, nil
	},
	func(so *socket, v optvalue) error {
		if len(v) > 40 {
			return syscall.EINVAL
		}
		if st, ok := so.endpoint.(stream); ok {
			st.SetIPOptions(v)
			return nil
		}
		so.datagram().setDgram(func(o *dgram.Options) { o.IPOptions = append([]byte(nil), v...) })
		return nil
	},
}
