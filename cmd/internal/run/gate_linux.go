package run

import (
	"crypto/rand"
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// gate connects unconnected sockets of AF_UNIX to this process.
type gate struct {
	mu       sync.Mutex // a join at a time, so that each accepts its own
	listener int
	address  *unix.SockaddrUnix
}

// open makes the gate: a listener with a random name in the abstract namespace.
func (g *gate) open() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	a := &unix.SockaddrUnix{Name: "@tunstack-" + rand.Text()}
	if err = unix.Bind(fd, a); err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	g.listener, g.address = fd, a
	return nil
}

// join connects a socket and returns its other end, which the caller owns. Connections that another process makes are not the socket's: join
// closes them.
func (g *gate) join(file int) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	connected := unix.Connect(file, g.address)
	for {
		other, _, err := unix.Accept4(g.listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		switch {
		case err != nil && connected == unix.EAGAIN: // the queue was full
			if connected = unix.Connect(file, g.address); connected == unix.EAGAIN {
				return -1, connected
			}
			continue
		case err != nil:
			return -1, errors.Join(connected, err)
		}
		peer, err := unix.GetsockoptUcred(other, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil && int(peer.Pid) == unix.Getpid() {
			return other, nil
		}
		unix.Close(other)
	}
}

func (g *gate) close() { unix.Close(g.listener) }
