package sockets

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// inbox receives frames from a Unix socket, and the descriptors that come with them.
type inbox struct {
	conn    *net.UnixConn
	r       *bufio.Reader
	control [maxRights * 24]byte // of one receive
	files   []int                // received, and not yet taken
}

// maxRights bounds the control messages with descriptors of one receive: a sender sends one descriptor with each frame.
const maxRights = 64

func newInbox(conn *net.UnixConn) *inbox {
	i := &inbox{conn: conn}
	i.r = bufio.NewReaderSize(i, 16<<10)
	return i
}

// Read implements io.Reader for the frames. It keeps the descriptors that come with the bytes: they arrive in the order of the frames.
func (i *inbox) Read(b []byte) (int, error) {
	n, controlLen, _, _, err := i.conn.ReadMsgUnix(b, i.control[:])
	n = max(n, 0)
	if errors.Is(err, io.EOF) {
		err = io.EOF // without the net.OpError around it, as an io.Reader's
	}
	if controlLen == 0 {
		return n, err
	}
	messages, parseErr := unix.ParseSocketControlMessage(i.control[:controlLen])
	if parseErr != nil {
		return n, parseErr
	}
	for _, m := range messages {
		if files, err := unix.ParseUnixRights(&m); err == nil {
			i.files = append(i.files, files...)
		}
	}
	return n, err
}

// file takes the oldest descriptor that was received. The caller owns it.
func (i *inbox) file() (int, error) {
	if len(i.files) == 0 {
		return -1, errors.New("sockets: a request without its descriptor")
	}
	fd := i.files[0]
	i.files = i.files[1:]
	return fd, nil
}

// close closes the descriptors that nobody has taken. It is called by the goroutine that receives.
func (i *inbox) close() {
	for _, fd := range i.files {
		unix.Close(fd)
	}
	i.files = nil
}

// outbox sends frames over a Unix socket without waiting, so that a receiver that is stopped does not hold the sender.
type outbox struct {
	conn *net.UnixConn

	mu       sync.Mutex
	queue    []byte // not sent
	flushing bool   // flush runs, and sends the queue
	scratch  []byte
}

// maxQueue is the number of bytes that a receiver may leave unread; then the outbox closes the connection.
const maxQueue = 4 << 20

// put sends a frame now, or soon on a goroutine of its own.
func (o *outbox) put(r *Response) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scratch = frame(o.scratch[:0], r.append)
	rest := o.scratch
	if !o.flushing {
		rest = rest[o.try(rest):]
	}
	if len(rest) == 0 {
		return
	}
	o.queue = append(o.queue, rest...)
	switch {
	case len(o.queue) > maxQueue:
		o.conn.Close()
	case !o.flushing:
		o.flushing = true
		go o.flush()
	}
}

// try sends as much of b as fits, and returns its length. An error shows again in flush.
func (o *outbox) try(b []byte) (n int) {
	raw, err := o.conn.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Write(func(fd uintptr) bool {
		n, _ = unix.SendmsgN(int(fd), b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return true
	})
	return max(n, 0)
}

// flush sends the queue until it is empty or the connection has ended, which its reader notices, too.
func (o *outbox) flush() {
	for {
		o.mu.Lock()
		b := o.queue
		o.queue = nil
		o.flushing = len(b) > 0
		o.mu.Unlock()
		if len(b) == 0 {
			return
		}
		if _, err := o.conn.Write(b); err != nil {
			return // flushing stays true: nothing is sent any more
		}
	}
}
