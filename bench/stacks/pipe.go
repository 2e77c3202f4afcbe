package stacks

import (
	"os"

	"golang.org/x/sys/unix"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// packetPipe returns a file that behaves like that of a plain TUN device, for stacks that need a file: reads and writes
// transfer the packets of q.
func packetPipe(q tun.Queue) (fd int, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socketpair", err)
	}
	for _, end := range ends {
		if err := unix.SetsockoptInt(end, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20); err != nil {
			unix.SetsockoptInt(end, unix.SOL_SOCKET, unix.SO_SNDBUF, 8<<20)
		}
	}
	go fromQueue(q, ends[0])
	go toQueue(q, ends[0])
	return ends[1], nil
}

func fromQueue(q tun.Queue, fd int) {
	for {
		p, err := q.TryRead()
		if p == nil && err == nil {
			err = q.Wait()
		}
		if err != nil {
			return
		}
		if p != nil {
			unix.Write(fd, p.Bytes())
			p.Free()
		}
	}
}

func toQueue(q tun.Queue, fd int) {
	b := make([]byte, packet.MaxSize)
	for {
		n, err := unix.Read(fd, b)
		if err != nil || n == 0 {
			return
		}
		q.Write(packet.From(b[:n]))
	}
}
