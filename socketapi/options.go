package socketapi

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"syscall"
	"time"

	"tunstack/ip/errqueue"
)

// optname names an option: the level and name given to GetSockOpt and SetSockOpt.
type optname struct{ level, name int }

// option reads and writes one socket option. get or query is nil if it cannot be read, set if it cannot be written.
type option struct {
	get   func(so *socket) (any, error)                  // an int, string, []byte or a struct in Linux's layout
	set   func(so *socket, v optvalue) error             // v is in Linux's layout
	query func(so *socket, v optvalue) (optvalue, error) // instead of get: v, the caller's buffer, says what to read
}

// optvalue is the value of an option as Linux lays it out in memory.
type optvalue []byte

// GetSockOpt reads an option into value: *int, *string, []byte, or a pointer to a struct in Linux's layout such as
// *Linger, *Timeval or *TCPInfo. A []byte gets as much of the raw layout as fits. The result is the number of bytes in that layout.
// Errors: EBADF, ENOPROTOOPT, EOPNOTSUPP for another protocol's level of a socket of AF_INET, EINVAL when value is of the wrong kind, and the option's own.
func (s Berkeley) GetSockOpt(fd, level, name int, value any) (int, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return -1, err
	}
	o, ok := so.lookup(level, name)
	switch {
	case ok:
	case so.domain == AF_INET && level != SOL_SOCKET && level != IPPROTO_IP && level != int(so.proto):
		return -1, syscall.EOPNOTSUPP
	default:
		return -1, syscall.ENOPROTOOPT
	}
	v, err := o.read(so, value)
	if err != nil {
		return -1, err
	}
	return v.store(value)
}

// read returns the option in Linux's layout; value is the caller's buffer.
func (o *option) read(so *socket, value any) (optvalue, error) {
	switch {
	case o.query != nil:
		return o.query(so, layout(value))
	case o.get == nil:
		return nil, syscall.ENOPROTOOPT
	}
	v, err := o.get(so)
	return layout(v), err
}

// SetSockOpt writes an option from value: int, string, []byte (the raw layout), or a struct in Linux's layout such as
// Linger, Timeval or IPMreqn. Errors: EBADF, ENOPROTOOPT, EINVAL for a value of the wrong kind or out of range, and the option's own.
func (s Berkeley) SetSockOpt(fd, level, name int, value any) error {
	so, err := s.sockets.get(fd)
	if err != nil {
		return err
	}
	return so.setOption(level, name, value)
}

func (so *socket) setOption(level, name int, value any) error {
	o, ok := so.lookup(level, name)
	if !ok || o.set == nil {
		return syscall.ENOPROTOOPT
	}
	v := layout(value)
	if v == nil {
		return syscall.EINVAL
	}
	return o.set(so, v)
}

// tables are the options of the socket: its protocol's own, then those of all sockets.
func (so *socket) tables() []map[optname]option {
	list := []map[optname]option{so.options(), ipOptions, deviceOptions, socketOptions}
	switch {
	case so.domain != AF_INET6:
		return list
	case so.typ == SOCK_STREAM:
		return append(list, ipv6Options, ipv6StreamOptions)
	case so.typ == SOCK_RAW:
		list = append(list, ipv6RawOptions)
	}
	return append(list, ipv6Options, ipv6DatagramOptions)
}

// lookup finds an option in the tables.
func (so *socket) lookup(level, name int) (option, bool) {
	if level == IPPROTO_IP && so.domain == AF_INET6 && so.typ == SOCK_RAW { // which never uses IPv4
		return option{}, false
	}
	for _, table := range so.tables() {
		if o, ok := table[optname{level, name}]; ok {
			return o, true
		}
	}
	return option{}, false
}

// layout is v in Linux's layout; nil for a value of another type.
func layout(v any) optvalue {
	switch v := v.(type) {
	case int:
		return binary.NativeEndian.AppendUint32(nil, uint32(v))
	case string:
		return optvalue(v)
	case []byte:
		return v
	}
	b, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil {
		return nil
	}
	return b
}

// store is the inverse of layout.
func (v optvalue) store(value any) (n int, err error) {
	switch value := value.(type) {
	case *int:
		*value, err = v.int()
		return len(v), err
	case *string:
		*value = v.text()
		return len(v), nil
	case []byte:
		return copy(value, v), nil
	}
	return len(v), v.decode(value)
}

// text is a C string: the bytes up to the first zero byte.
func (v optvalue) text() string {
	text, _, _ := strings.Cut(string(v), "\x00")
	return text
}

// decode fills the struct that p points to.
func (v optvalue) decode(p any) error {
	if _, err := binary.Decode(v, binary.NativeEndian, p); err != nil {
		return syscall.EINVAL
	}
	return nil
}

// int is the value of an option that is a C int, or one byte, which Linux also accepts for small values.
func (v optvalue) int() (int, error) {
	switch {
	case len(v) >= 4:
		return int(int32(binary.NativeEndian.Uint32(v))), nil
	case len(v) == 1:
		return int(v[0]), nil
	}
	return 0, syscall.EINVAL
}

// number is an option that is an int between low and high.
func number(low, high int, get func(so *socket) int, set func(so *socket, n int) error) option {
	return option{
		get: func(so *socket) (any, error) { return get(so), nil },
		set: func(so *socket, v optvalue) error {
			n, err := v.int()
			if err != nil {
				return err
			}
			if n < low || n > high {
				return syscall.EINVAL
			}
			return set(so, n)
		},
	}
}

// flag is an option that is on or off.
func flag(get func(so *socket) bool, set func(so *socket, on bool)) option {
	return number(math.MinInt32, math.MaxInt32,
		func(so *socket) int { return bit(get(so)) },
		func(so *socket, n int) error { set(so, n != 0); return nil })
}

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}

// fixed is an option that can only be read.
func fixed(get func(so *socket) int) option {
	return option{get: func(so *socket) (any, error) { return get(so), nil }}
}

// kept is a flag that has no effect and is only stored: Linux has it on every socket, or it enables a field that Message always has.
func kept(level, name int) option {
	return flag(
		func(so *socket) bool { return so.value(level, name) != 0 },
		func(so *socket, on bool) { so.keep(level, name, bit(on)) })
}

// keptNumber is a number between low and high that is only stored.
func keptNumber(level, name, low, high int) option {
	return number(low, high,
		func(so *socket) int { return so.value(level, name) },
		func(so *socket, n int) error { so.keep(level, name, n); return nil })
}

// initial are the values of stored options that do not begin as 0.
var initial = map[optname]int{
	{SOL_SOCKET, SO_INCOMING_CPU}:       -1,
	{SOL_SOCKET, SO_MAX_PACING_RATE}:    unpaced,
	{SOL_SOCKET, SO_RCVLOWAT}:           1,
	{IPPROTO_IPV6, IPV6_MULTICAST_LOOP}: 1,
	{IPPROTO_IPV6, IPV6_MULTICAST_ALL}:  1,
}

// value is a stored option.
type value struct {
	optname
	n int
}

// value is the value that keep has stored for an option.
func (so *socket) value(level, name int) int {
	so.mu.Lock()
	defer so.mu.Unlock()
	for _, v := range so.values {
		if v.optname == (optname{level, name}) {
			return v.n
		}
	}
	return initial[optname{level, name}]
}

// keep stores the value of an option.
func (so *socket) keep(level, name, n int) {
	so.mu.Lock()
	defer so.mu.Unlock()
	others := slices.DeleteFunc(slices.Clone(so.values), func(v value) bool { return v.optname == optname{level, name} })
	so.values = append(others, value{optname{level, name}, n})
}

// inherit copies from a listener the settings that an accepted socket inherits on Linux.
func (so *socket) inherit(listener *socket) {
	listener.mu.Lock()
	defer listener.mu.Unlock()
	so.values = listener.values
	so.rd.timeout.Store(listener.rd.timeout.Load())
	so.rcvLowat.Store(listener.rcvLowat.Load())
	so.inq.Store(listener.inq.Load())
	so.wr.timeout.Store(listener.wr.timeout.Load())
}

// Linger is Linux's struct linger, for SO_LINGER.
type Linger struct {
	Onoff  int32
	Linger int32 // seconds
}

// Timeval is Linux's struct timeval on 64-bit machines, for SO_RCVTIMEO and SO_SNDTIMEO.
type Timeval struct{ Sec, Usec int64 }

// NewTimeval is d as a Timeval.
func NewTimeval(d time.Duration) Timeval {
	return Timeval{int64(d / time.Second), int64(d % time.Second / time.Microsecond)}
}

// Duration is t as a Duration.
func (t Timeval) Duration() time.Duration {
	return time.Duration(t.Sec)*time.Second + time.Duration(t.Usec)*time.Microsecond
}

// SockExtendedErr is Linux's struct sock_extended_err, an entry of the error queue (IP_RECVERR).
type SockExtendedErr struct {
	Errno  uint32
	Origin uint8 // SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
	Type   uint8 // of the ICMP message
	Code   uint8
	Pad    uint8
	Info   uint32 // the MTU of EMSGSIZE, in bytes
	Data   uint32
}

// Origins of a SockExtendedErr.
const (
	SO_EE_ORIGIN_LOCAL = errqueue.Local // the stack itself
	SO_EE_ORIGIN_ICMP  = errqueue.ICMP
	SO_EE_ORIGIN_ICMP6 = errqueue.ICMP6
)

// IPMreqn is Linux's struct ip_mreqn, for the options about multicast.
type IPMreqn struct {
	Multiaddr [4]byte // the group
	Address   [4]byte // a local address, which selects its interface
	Ifindex   int32   // 1 and up, in the order of Stack.Interfaces; 0: see Address
}
