package socketapi

import (
	"math"
	"syscall"
	"time"
)

// socketOptions are the options of level SOL_SOCKET that every socket has. SO_KEEPALIVE and others have an effect on one protocol
// only, whose own table comes first; other sockets store them.
var socketOptions = map[optname]option{
	{SOL_SOCKET, SO_TYPE}:       fixed(func(so *socket) int { return int(so.typ) }),
	{SOL_SOCKET, SO_PROTOCOL}:   fixed(func(so *socket) int { return int(so.proto) }),
	{SOL_SOCKET, SO_DOMAIN}:     fixed(func(so *socket) int { return int(so.domain) }),
	{SOL_SOCKET, SO_ACCEPTCONN}: fixed(func(*socket) int { return 0 }),
	{SOL_SOCKET, SO_ERROR}:      fixed(takeError),
	{SOL_SOCKET, SO_RCVTIMEO}:   timeout(func(so *socket) *direction { return &so.rd }),
	{SOL_SOCKET, SO_SNDTIMEO}:   timeout(func(so *socket) *direction { return &so.wr }),
	{SOL_SOCKET, SO_SNDLOWAT}:   fixed(func(*socket) int { return 1 }),
	{SOL_SOCKET, SO_COOKIE}:     {get: func(so *socket) (any, error) { return so.cookie, nil }},
	{SOL_SOCKET, SO_DEBUG}:      kept(SOL_SOCKET, SO_DEBUG),
	{SOL_SOCKET, SO_REUSEADDR}:  kept(SOL_SOCKET, SO_REUSEADDR),
	{SOL_SOCKET, SO_REUSEPORT}:  kept(SOL_SOCKET, SO_REUSEPORT),
	{SOL_SOCKET, SO_BROADCAST}:  kept(SOL_SOCKET, SO_BROADCAST),
	{SOL_SOCKET, SO_KEEPALIVE}:  kept(SOL_SOCKET, SO_KEEPALIVE),
	{SOL_SOCKET, SO_OOBINLINE}:  kept(SOL_SOCKET, SO_OOBINLINE),
	{SOL_SOCKET, SO_NO_CHECK}:   kept(SOL_SOCKET, SO_NO_CHECK),
	{SOL_SOCKET, SO_LINGER}:     keptLinger,

	{SOL_SOCKET, SO_PRIORITY}:         keptNumber(SOL_SOCKET, SO_PRIORITY, math.MinInt32, math.MaxInt32),
	{SOL_SOCKET, SO_MARK}:             keptNumber(SOL_SOCKET, SO_MARK, math.MinInt32, math.MaxInt32),
	{SOL_SOCKET, SO_INCOMING_CPU}:     keptNumber(SOL_SOCKET, SO_INCOMING_CPU, math.MinInt32, math.MaxInt32),
	{SOL_SOCKET, SO_BUSY_POLL}:        keptNumber(SOL_SOCKET, SO_BUSY_POLL, 0, math.MaxInt32),
	{SOL_SOCKET, SO_PREFER_BUSY_POLL}: kept(SOL_SOCKET, SO_PREFER_BUSY_POLL),
	{SOL_SOCKET, SO_MAX_PACING_RATE}:  keptRate,
	{SOL_SOCKET, SO_RCVLOWAT}:         keptLowat,
	{SOL_SOCKET, SO_RCVBUFFORCE}:      forced(SO_RCVBUF),
	{SOL_SOCKET, SO_SNDBUFFORCE}:      forced(SO_SNDBUF),
}

// forced is SO_RCVBUFFORCE or SO_SNDBUFFORCE, which equals name because the stack has no rmem_max and wmem_max.
func forced(name int) option {
	return option{set: func(so *socket, v optvalue) error {
		if o, ok := so.options()[optname{SOL_SOCKET, name}]; ok {
			return o.set(so, v)
		}
		return syscall.ENOPROTOOPT
	}}
}

// keptLinger is SO_LINGER of a datagram socket, which only stores it. Turned off, it keeps its time.
var keptLinger = option{
	get: func(so *socket) (any, error) {
		n := so.value(SOL_SOCKET, SO_LINGER)
		return Linger{int32(n & 1), int32(n >> 1)}, nil
	},
	set: func(so *socket, v optvalue) error {
		var l Linger
		if err := v.decode(&l); err != nil {
			return err
		}
		n := so.value(SOL_SOCKET, SO_LINGER) &^ 1
		if l.Onoff != 0 {
			n = int(l.Linger)<<1 | 1
		}
		so.keep(SOL_SOCKET, SO_LINGER, n)
		return nil
	},
}

// takeError is SO_ERROR: the pending error's number, once.
func takeError(so *socket) int {
	if errno, ok := so.TakeError().(syscall.Errno); ok {
		return int(errno)
	}
	return 0
}

// noWait is the timeout of a direction whose calls do not wait.
const noWait = -1

// timeout is SO_RCVTIMEO or SO_SNDTIMEO. A call that is blocked already keeps the old timeout. As on Linux zero waits for ever, and so does a time
// that overflows the clock; a negative time does not wait, and reads back as zero.
func timeout(half func(so *socket) *direction) option {
	return option{
		get: func(so *socket) (any, error) { return NewTimeval(time.Duration(max(half(so).timeout.Load(), 0))), nil },
		set: func(so *socket, v optvalue) error {
			var t Timeval
			if err := v.decode(&t); err != nil {
				return err
			}
			switch d := &half(so).timeout; {
			case t.Usec < 0 || t.Usec >= 1e6:
				return syscall.EDOM
			case t.Sec < 0:
				d.Store(noWait)
			case t.Sec >= math.MaxInt64/int64(time.Second):
				d.Store(0)
			default:
				d.Store(int64(t.Duration()))
			}
			return nil
		},
	}
}
