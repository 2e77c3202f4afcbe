package tun

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"tunstack/internal/gso"
)

// fileQueue is one file of a device. Reads and writes are raw, non-blocking system calls without the scheduler's hooks; only Wait uses
// the poller.
type fileQueue struct {
	*params
	index uint16
	file  *os.File
	raw   syscall.RawConn

	// open keeps close from closing fd, whose number the kernel would use again, during a system call.
	open   sync.RWMutex
	fd     int
	closed bool

	// Only the reader uses these. spare is the Packet for the next read.
	spare   *Packet
	ahead   []*Packet // packets read, but not returned yet
	room    [maxAhead]*Packet
	dry     bool  // the last read found no packet, and TryRead has not reported that
	err     error // of the last read, and TryRead has not reported it
	spinner spinner
	found   func() bool        // the method value fill, allocated once
	ready   func(uintptr) bool // fill for the poller
	held    *Packet            // read behind another packet, but not to be joined to it
	readOn  func([]byte) int   // the method value continueInto, allocated once
}

// maxAhead and maxAheadBytes bound the packets that are read ahead. Consecutive system calls find the kernel's code in the processor's first-level
// cache; the packets must not exceed its second-level cache.
const (
	maxAhead      = 16
	maxAheadBytes = 256 << 10
)

// newFileQueue takes file over, which is non-blocking. The os.File must have been made after TUNSETIFF: before, the poller reports an error
// on the descriptor.
func newFileQueue(t *params, index int, file *os.File) (*fileQueue, error) {
	q := &fileQueue{params: t, index: uint16(index), file: file, spinner: newSpinner(t.readers)}
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { q.fd = int(fd) })
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	q.raw, q.found, q.readOn = raw, q.fill, q.continueInto
	q.ready = func(uintptr) bool { return q.fill() }
	return q, nil
}

// TryRead implements Queue.
func (q *fileQueue) TryRead() (*Packet, error) {
	if len(q.ahead) == 0 && !q.dry && q.err == nil {
		q.fetch()
	}
	if len(q.ahead) > 0 {
		p := q.ahead[0]
		q.ahead[0], q.ahead = nil, q.ahead[1:]
		return p, nil
	}
	err := q.err
	q.dry, q.err = false, nil
	return nil, err
}

// Wait implements Queue.
func (q *fileQueue) Wait() error {
	if q.spinner.spin(q.found) {
		if q.err == os.ErrClosed {
			return q.err
		}
		return nil
	}
	err := q.raw.Read(q.ready)
	if err != nil && q.isClosed() {
		return os.ErrClosed
	}
	return err // for example of a deleted interface, which the poller cannot watch
}

func (q *fileQueue) isClosed() bool {
	q.open.RLock()
	defer q.open.RUnlock()
	return q.closed
}

// fill reads ahead if necessary, and reports whether that ends the wait.
func (q *fileQueue) fill() bool {
	if len(q.ahead) == 0 && q.err == nil {
		q.fetch()
	}
	return len(q.ahead) > 0 || q.err != nil
}

// fetch reads ahead.
func (q *fileQueue) fetch() {
	q.ahead, q.dry = q.room[:0], false
	for size := 0; len(q.ahead) < maxAhead && size < maxAheadBytes; {
		p, err := q.read()
		if p == nil {
			q.dry, q.err = err == nil, err
			return
		}
		q.ahead = append(q.ahead, p)
		size += p.Len()
	}
}

// read returns the next packet, with the segments joined to it that follow; nil: there is none.
func (q *fileQueue) read() (p *Packet, err error) {
	p, q.held = q.held, nil
	if p == nil {
		p, err = q.readPacket()
	}
	if p != nil && q.software {
		q.held = gso.Join(p, q.kind.headerLen(), q.frameLen(), q.readOn)
	}
	if p != nil {
		p.Queue = q.index
	}
	return p, err
}

// continueInto reads one packet into b, and returns 0 when there is none, or an error, which the next read will meet again.
func (q *fileQueue) continueInto(b []byte) int {
	n, errno := q.readInto(b)
	if errno != 0 {
		return 0
	}
	return n
}

// readPacket reads one packet; nil: there is none.
func (q *fileQueue) readPacket() (*Packet, error) {
	if q.spare == nil {
		q.spare = q.newBuffer()
	}
	n, errno := q.readInto(q.spare.Bytes())
	switch {
	case errno == unix.EAGAIN:
		return nil, nil
	case errno == unix.EBADF:
		return nil, os.ErrClosed
	case errno != 0:
		return nil, os.NewSyscallError("read", errno)
	}
	p := q.spare
	q.spare = nil
	p.Truncate(n)
	if v := q.vnet; v != 0 {
		b := p.Bytes()
		p.Offload = decodeVnet(b[:v], b[v:], q.kind.headerLen())
		p.TrimFront(v)
	}
	return p, nil
}

// readInto reads one packet into b; the error is EBADF after close. It ignores EINVAL: the kernel has dropped a packet that a virtio-net
// header cannot describe, a super-packet within a tunnel, or before Linux 6.2 one of UDP.
func (q *fileQueue) readInto(b []byte) (int, unix.Errno) {
	q.open.RLock()
	defer q.open.RUnlock()
	for !q.closed {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(q.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		if errno != unix.EINTR && errno != unix.EINVAL {
			return int(n), errno
		}
	}
	return 0, unix.EBADF
}

// Write implements Queue.
func (q *fileQueue) Write(p *Packet) error {
	return deliver(q, q.kind, q.features, p)
}

// shortPayload is the length in bytes up to which copying the payload takes less time than writing it as parts of its own.
const shortPayload = 1500

// send writes the packet and its virtio-net header with one system call.
func (q *fileQueue) send(p *Packet) error {
	if q.vnet != 0 {
		o, frame := p.Offload, p.Bytes()
		encodeVnet(p.Prepend(vnetLen), o, frame, q.kind.headerLen())
	}
	if n := p.Borrowed(); n <= shortPayload && n <= p.Tailroom() {
		p = p.Own()
	}
	errno := q.write(p)
	p.Free()
	switch errno {
	case 0:
		return nil
	case unix.EBADF:
		return os.ErrClosed
	}
	return errno
}

// write writes one packet; the error is EBADF after close.
func (q *fileQueue) write(p *Packet) (errno unix.Errno) {
	q.open.RLock()
	defer q.open.RUnlock()
	for !q.closed {
		if b := p.Bytes(); p.Borrowed() == 0 {
			_, _, errno = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(q.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		} else {
			errno = q.writev(p)
		}
		if errno != unix.EINTR {
			return errno
		}
	}
	return unix.EBADF
}

// writev writes the parts of a packet.
func (q *fileQueue) writev(p *Packet) unix.Errno {
	var vec [3]unix.Iovec
	n := 0
	spans := p.Spans()
	for _, part := range [...][]byte{p.Bytes(), spans[0], spans[1]} {
		if len(part) > 0 {
			vec[n].Base = &part[0]
			vec[n].SetLen(len(part))
			n++
		}
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, uintptr(q.fd), uintptr(unsafe.Pointer(&vec)), uintptr(n))
	return errno
}

// close makes Wait return, and returns when the descriptor is closed.
func (q *fileQueue) close() error {
	q.open.Lock()
	q.closed = true
	q.open.Unlock()
	return q.file.Close()
}
