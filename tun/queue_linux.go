package tun

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fileQueue is one file of a device. Reads and writes are raw, non-blocking system calls that the scheduler does not hear of;
// only Wait meets the poller.
type fileQueue struct {
	*params
	index uint16
	file  *os.File
	raw   syscall.RawConn

	// open guards fd against a Close, and the reuse of its number, in the middle of a system call.
	open   sync.RWMutex
	fd     int
	closed bool

	// The reader's own. spare is the buffer that the next read fills: a read that finds nothing keeps it.
	spare   *Packet
	ahead   []*Packet // read, but not taken
	room    [maxAhead]*Packet
	dry     bool  // the last read found nothing, of which TryRead has not told
	err     error // what the last read failed by, likewise
	spinner spinner
	found   func() bool        // fill as a value, made once
	ready   func(uintptr) bool // the same for the poller
	held    *Packet            // what was read behind another packet and did not continue it
	readOn  func([]byte) int   // continueInto as a value, made once
}

// maxAhead and maxAheadOctets bound what is read before it is taken: system calls one right after the other, so that the kernel's code
// stays in the processor's nearest cache, but no more than its second one has room for.
const (
	maxAhead       = 16
	maxAheadOctets = 256 << 10
)

// newFileQueue takes file over, which is non-blocking and was made after TUNSETIFF: before it, the poller takes such a
// descriptor for a dead one.
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
	if err := q.raw.Read(q.ready); err != nil {
		return os.ErrClosed
	}
	return nil
}

// fill looks for something to read, and says whether that ends the wait.
func (q *fileQueue) fill() bool {
	if len(q.ahead) == 0 && q.err == nil {
		q.fetch()
	}
	return len(q.ahead) > 0 || q.err != nil
}

// fetch reads ahead.
func (q *fileQueue) fetch() {
	q.ahead, q.dry = q.room[:0], false
	for octets := 0; len(q.ahead) < maxAhead && octets < maxAheadOctets; {
		p, err := q.read()
		if p == nil {
			q.dry, q.err = err == nil, err
			return
		}
		q.ahead = append(q.ahead, p)
		octets += p.Len()
	}
}

// read returns the next packet, or nil when there is none.
func (q *fileQueue) read() (p *Packet, err error) {
	p, q.held = q.held, nil
	if p == nil {
		p, err = q.readPacket()
	}
	if p != nil && q.software {
		q.held = join(p, q.kind.headerLen(), q.frameLen(), q.readOn)
	}
	if p != nil {
		p.Queue = q.index
	}
	return p, err
}

// continueInto reads one packet into b, and returns 0 when there is none; of an error the next read hears, too.
func (q *fileQueue) continueInto(b []byte) int {
	n, errno := q.readInto(b)
	if errno != 0 {
		return 0
	}
	return n
}

// readPacket returns the next packet as it comes, or nil when there is none.
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

// readInto reads one packet into b, EBADF after close. EINVAL tells of a packet that a virtio-net header cannot describe, and that is lost:
// a super-packet within a tunnel, or of UDP with a kernel before Linux 6.2.
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

// shortPayload is what costs the kernel more as a part of its own than us as a copy, in octets.
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

// write writes one packet, EBADF after close.
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

// close ends all waits and returns when the descriptor is closed.
func (q *fileQueue) close() error {
	q.open.Lock()
	q.closed = true
	q.open.Unlock()
	return q.file.Close()
}
