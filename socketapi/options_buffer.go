package socketapi

import (
	"cmp"

	"tunstack/ip/dgram"
	"tunstack/tcp"
)

// SO_RCVBUF and SO_SNDBUF are set to a number of bytes of payload and read as twice that, because Linux adds as much for its bookkeeping
// (socket(7)). Numbers out of range are clamped; as on Linux one below zero is the largest. The stack has no rmem_max below what
// SO_RCVBUFFORCE allows on Linux.
const (
	minReceiveBuffer = 2304 // SOCK_MIN_RCVBUF, as it is read
	minSendBuffer    = 4608 // SOCK_MIN_SNDBUF
	maxBuffer        = 1<<31 - 2
)

// bufferSize stores a size in bytes, as it is read back; 0: the default.
type bufferSize struct {
	get func(so *socket) int
	set func(so *socket, n int)
}

// buffer is SO_RCVBUF or SO_SNDBUF.
func buffer(least int, size bufferSize) option {
	return option{
		get: func(so *socket) (any, error) { return size.get(so), nil },
		set: func(so *socket, v optvalue) error {
			n, err := v.int()
			if err != nil {
				return err
			}
			if n < 0 || n > maxBuffer/2 {
				n = maxBuffer / 2
			}
			size.set(so, max(2*n, least))
			return nil
		},
	}
}

// streamBuffer is a size in tcp.Params, which counts payload only.
func streamBuffer(field func(*tcp.Params) *int) bufferSize {
	return bufferSize{
		func(so *socket) int { p := so.tcp().Params(); return 2 * *field(&p) },
		func(so *socket, n int) { so.tcp().SetParams(func(p *tcp.Params) { *field(p) = n / 2 }) },
	}
}

// dgramBuffer is a size in dgram.Options, which includes overhead.
func dgramBuffer(field func(*dgram.Options) *int) bufferSize {
	return bufferSize{
		func(so *socket) int { o := so.datagrams().Options(); return cmp.Or(*field(&o), dgram.DefaultLimit) },
		func(so *socket, n int) { so.datagrams().SetOptions(func(o *dgram.Options) { *field(o) = n }) },
	}
}
