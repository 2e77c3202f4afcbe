package socketapi

import (
	"math"
	"syscall"
	"time"
)

// socketOptions are those of level SOL_SOCKET that every socket has. SO_KEEPALIVE and the like can be set on any socket,
// and mean something on one protocol's, whose own table comes first.
var socketOptions = map[optname]option{
	{SOL_SOCKET, SO_TYPE}:       fixed(func(so *socket) int { return so.typ }),
	{SOL_SOCKET, SO_PROTOCOL}:   fixed(func(so *socket) int { return so.proto }),
	{SOL_SOCKET, SO_DOMAIN}:     fixed(func(*socket) int { return AF_INET }),
	{SOL_SOCKET, SO_ACCEPTCONN}: fixed(func(*socket) int { return 0 }),
	{SOL_SOCKET, SO_ERROR}:      fixed(takeError),
	{SOL_SOCKET, SO_RCVTIMEO}:   timeout(func(so *socket) *direction { return &so.rd }),
	{SOL_SOCKET, SO_SNDTIMEO}:   timeout(func(so *socket) *direction { return &so.wr }),
	{SOL_SOCKET, SO_REUSEADDR}:  kept(SOL_SOCKET, SO_REUSEADDR),
	{SOL_SOCKET, SO_REUSEPORT}:  kept(SOL_SOCKET, SO_REUSEPORT),
	{SOL_SOCKET, SO_BROADCAST}:  kept(SOL_SOCKET, SO_BROADCAST),
	{SOL_SOCKET, SO_KEEPALIVE}:  kept(SOL_SOCKET, SO_KEEPALIVE),
	{SOL_SOCKET, SO_OOBINLINE}:  kept(SOL_SOCKET, SO_OOBINLINE),
	{SOL_SOCKET, SO_NO_CHECK}:   kept(SOL_SOCKET, SO_NO_CHECK),
	{IPPROTO_IP, IP_PKTINFO}:    kept(IPPROTO_IP, IP_PKTINFO),
	{IPPROTO_IP, IP_RECVTTL}:    kept(IPPROTO_IP, IP_RECVTTL),
	{IPPROTO_IP, IP_RECVTOS}:    kept(IPPROTO_IP, IP_RECVTOS),
	{IPPROTO_IP, IP_RECVOPTS}:   kept(IPPROTO_IP, IP_RECVOPTS),
}

// takeError is SO_ERROR: the pending error's number, once.
func takeError(so *socket) int {
	if errno, ok := so.TakeError().(syscall.Errno); ok {
		return int(errno)
	}
	return 0
}

// timeout is SO_RCVTIMEO or SO_SNDTIMEO. A call that blocks already keeps the old one.
func timeout(half func(so *socket) *direction) option {
	return option{
		get: func(so *socket) (any, error) { return NewTimeval(time.Duration(half(so).timeout.Load())), nil },
		set: func(so *socket, v optvalue) error {
			var t Timeval
			if err := v.decode(&t); err != nil {
				return err
			}
			if t.Usec < 0 || t.Usec >= 1e6 || t.Sec > math.MaxInt32 {
				return syscall.EDOM
			}
			half(so).timeout.Store(int64(max(t.Duration(), 0)))
			return nil
		},
	}
}
