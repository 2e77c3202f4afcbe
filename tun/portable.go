package tun

import (
	"os"
	"sync/atomic"
	"syscall"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"
)

// portableQueue reads and writes an interface of the water library with the means of package os, which every system has.
type portableQueue struct {
	*params
	ifce   *water.Interface
	raw    syscall.RawConn // nil if the library's file cannot be read without waiting: then only Wait reads
	closed atomic.Bool

	// Only the reader uses these. stash is what Wait has read and TryRead has not returned yet; both read into spare.
	spare, stash *Packet
	tryRead      func(fd uintptr) bool // the method value readOnce, allocated once
	n            int                   // result of readOnce
	err          error
}

func newPortableQueue(t *params, ifce *water.Interface) (closingQueue, error) {
	q := &portableQueue{params: t, ifce: ifce}
	q.tryRead = q.readOnce
	file, ok := ifce.ReadWriteCloser.(syscall.Conn)
	if !ok {
		return q, nil
	}
	raw, err := file.SyscallConn()
	flags := 0
	if err == nil {
		err = raw.Control(func(fd uintptr) { flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0) })
	}
	if err != nil {
		ifce.Close()
		return nil, err
	}
	if flags&unix.O_NONBLOCK != 0 { // some files of macOS do not have it
		q.raw = raw
	}
	return q, nil
}

func (q *portableQueue) close() error {
	q.closed.Store(true)
	return q.ifce.Close()
}

// TryRead implements Queue.
func (q *portableQueue) TryRead() (*Packet, error) {
	if q.closed.Load() {
		return nil, os.ErrClosed
	}
	p := q.stash
	q.stash = nil
	if p != nil || q.raw == nil {
		return p, nil
	}
	q.prepare()
	switch err := q.raw.Read(q.tryRead); {
	case q.closed.Load():
		return nil, os.ErrClosed
	case err != nil:
		return nil, err
	case q.err == syscall.EAGAIN || q.err == syscall.EINTR:
		return nil, nil
	case q.err != nil:
		return nil, os.NewSyscallError("read", q.err)
	}
	return q.take(q.n), nil
}

// readOnce reads without waiting: it returns true whether there was a packet or not, so that the poller does not wait.
func (q *portableQueue) readOnce(fd uintptr) bool {
	q.n, q.err = syscall.Read(int(fd), q.spare.Bytes())
	return true
}

// Wait implements Queue.
func (q *portableQueue) Wait() error {
	if q.stash != nil {
		return nil
	}
	q.prepare()
	n, err := q.ifce.Read(q.spare.Bytes())
	switch {
	case q.closed.Load():
		return os.ErrClosed
	case err != nil:
		return err
	}
	q.stash = q.take(n)
	return nil
}

// prepare allocates spare if there is none.
func (q *portableQueue) prepare() {
	if q.spare == nil {
		q.spare = q.newBuffer()
	}
}

// take returns spare, into which n bytes were read.
func (q *portableQueue) take(n int) *Packet {
	p := q.spare
	q.spare = nil
	p.Truncate(n)
	return p
}

// Write implements Queue.
func (q *portableQueue) Write(p *Packet) error {
	return deliver(q, q.kind, q.features, p)
}

func (q *portableQueue) send(p *Packet) error {
	p = p.Own()
	defer p.Free()
	_, err := q.ifce.Write(p.Bytes())
	if q.closed.Load() {
		return os.ErrClosed
	}
	return err
}
