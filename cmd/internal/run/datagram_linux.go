package run

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
	"tunstack/internal/poll"
)

// datagramPair moves datagrams between the program's pair, which carries payloads, and the stack's, where each has a sockets.Header.
// The headers of datagrams that the program has not read wait here.
type datagramPair struct {
	s       *Supervisor
	so      *socket
	turns   poll.Turns
	options receiveOptions

	mu      sync.Mutex
	ends    ends
	closed  bool
	unread  []unread      // oldest first: what the program's end holds
	errno   syscall.Errno // an error that the network reported
	arrived chan struct{} // closed, and made anew, at an arrival

	// These belong to the turn.
	in, out []byte // what did not fit into the program's pair, the stack's
}

// unread is a datagram that the program has not read.
type unread struct {
	header sockets.Header
	size   int
}

// maxUnread is more than the number of datagrams that a pair's buffer holds: the program has read older ones without a trapped call.
const maxUnread = 1024

func newDatagramPair(s *Supervisor, so *socket, e *ends) (*datagramPair, error) {
	unix.Close(e.stack)
	d := &datagramPair{s: s, so: so, ends: *e, arrived: make(chan struct{})}
	if err := unix.SetNonblock(e.pair, true); err != nil {
		return d, err
	}
	for _, fd := range []int{e.pair, e.ours} {
		if err := s.loop.Add(fd, func(uint32) { d.run() }); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *datagramPair) run() { d.turns.Take(d.step) }

// bufferSize is enough for a datagram and its header.
const bufferSize = 68 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func (d *datagramPair) step() {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed {
		return
	}
	b := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(b)
	stackGone := d.inward(b[:])
	programGone := d.outward(b[:])
	if stackGone || programGone {
		d.close()
		d.s.remove(d.so)
	}
}

// inward moves datagrams to the program, and reports whether the stack's end is closed.
func (d *datagramPair) inward(b []byte) (gone bool) {
	for len(d.in) == 0 || d.put(d.in) {
		d.in = d.in[:0]
		n, err := unix.Read(d.ends.ours, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err != nil || n == 0:
			return true
		}
		d.in = append(d.in, b[:n]...)
	}
	return false
}

// put gives a message from the stack to the program, and reports whether it fitted.
func (d *datagramPair) put(b []byte) bool {
	h, payload, err := sockets.ParseHeader(b)
	if err != nil {
		return true // not from a server of ours
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.Errno != 0 {
		d.errno = h.Errno
	} else if !d.queue(h, payload) {
		return false
	}
	close(d.arrived)
	d.arrived = make(chan struct{})
	return true
}

// queue writes a datagram into the program's pair, and reports whether it fitted.
func (d *datagramPair) queue(h sockets.Header, payload []byte) bool {
	if _, err := unix.Write(d.ends.pair, payload); err == unix.EAGAIN {
		return false
	}
	d.unread = append(d.unread, unread{h, len(payload)})
	if len(d.unread) > maxUnread {
		d.unread = append(d.unread[:0], d.unread[maxUnread/2:]...)
	}
	return true
}

// outward moves datagrams of the program to the stack, and reports whether the program has closed its end.
func (d *datagramPair) outward(b []byte) (gone bool) {
	for {
		if len(d.out) > 0 {
			if _, err := unix.Write(d.ends.ours, d.out); err == unix.EAGAIN {
				return false
			}
			d.out = d.out[:0]
		}
		n, err := unix.Read(d.ends.pair, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err != nil || n == 0 && hungUp(d.ends.pair): // an empty datagram reads as the end, too
			return true
		}
		h := connected
		d.out = append(h.Append(d.out), b[:n]...)
	}
}

// connected is the header of a datagram to the connected peer.
var connected = sockets.Header{TOS: -1, TTL: -1}

// close closes the ends; the stack closes its socket then.
func (d *datagramPair) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed = true
	for _, fd := range []int{d.ends.pair, d.ends.ours} {
		d.s.loop.Remove(fd)
		unix.Close(fd)
	}
	close(d.arrived)
}

// takeError returns the error that the network reported, and clears it.
func (d *datagramPair) takeError() syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	errno := d.errno
	d.errno = 0
	return errno
}

// received is a datagram for a receive call.
type received struct {
	header sockets.Header
	data   []byte
	size   int // of the whole datagram
	peeked bool
}

// receive receives a datagram of at most size bytes from the program's end, with its header. It waits if it may. Errors: EAGAIN, EINTR when
// the call has ended, or one that the network reported.
func (d *datagramPair) receive(c notify.Call, file, size, flags int) (received, error) {
	r, arrived, err := d.tryReceive(file, size, flags)
	if err != unix.EAGAIN || flags&unix.MSG_DONTWAIT != 0 || !blocking(file) {
		return r, err
	}
	var expired <-chan time.Time
	if end := deadline(file, unix.SO_RCVTIMEO); !end.IsZero() {
		expired = time.After(time.Until(end))
	}
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-arrived:
		case <-expired:
			return r, unix.EAGAIN
		case <-tick.C:
		}
		if !d.s.listener.Waits(c) {
			return r, unix.EINTR
		}
		if r, arrived, err = d.tryReceive(file, size, flags); err != unix.EAGAIN {
			return r, err
		}
	}
}

func (d *datagramPair) tryReceive(file, size, flags int) (received, <-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.errno; errno != 0 {
		d.errno = 0
		return received{}, nil, errno
	}
	held, err := unix.IoctlGetInt(file, unix.TIOCINQ)
	if err != nil {
		return received{}, nil, err
	}
	b := make([]byte, min(size, maxDatagram))
	peek := flags & unix.MSG_PEEK
	n, _, err := unix.Recvfrom(file, b, peek|unix.MSG_DONTWAIT|unix.MSG_TRUNC)
	if err != nil {
		return received{}, d.arrived, err
	}
	if n == 0 && held == 0 && len(d.unread) == 0 { // shut down for receiving
		return received{}, nil, nil
	}
	h := d.match(held, n)
	if peek == 0 && len(d.unread) > 0 {
		d.unread = d.unread[1:]
	}
	return received{header: h, data: b[:min(n, len(b))], size: n, peeked: peek != 0}, nil, nil
}

// restore puts a datagram back whose call has ended: behind the others, as a network may that reorders. One that was cut is lost.
func (d *datagramPair) restore(r received) {
	if r.peeked || r.size > len(r.data) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.queue(r.header, r.data)
	}
}

// match returns the header of the oldest datagram that the program's end holds, of n bytes, when all that it holds have held bytes. Those
// before it were read by calls that the kernel ran.
func (d *datagramPair) match(held, n int) sockets.Header {
	sum := 0
	for _, u := range d.unread {
		sum += u.size
	}
	for len(d.unread) > 0 && (sum > held || d.unread[0].size != n) {
		sum -= d.unread[0].size
		d.unread = d.unread[1:]
	}
	if len(d.unread) == 0 {
		return sockets.Header{}
	}
	return d.unread[0].header
}

// first is the size in bytes of the oldest datagram that the program's end holds, in which held bytes are; 0: none.
func (d *datagramPair) first(held int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := 0
	for i := len(d.unread) - 1; i >= 0; i-- {
		if sum += d.unread[i].size; sum >= held {
			return d.unread[i].size
		}
	}
	return held
}

// send sends a datagram with its header behind those that the program has written. Only a full buffer makes it wait.
func (d *datagramPair) send(c notify.Call, b []byte, end time.Time) error {
	for {
		_, err := unix.Write(d.ends.ours, b)
		if err != unix.EAGAIN {
			return err
		}
		if err := d.s.waitFor(c, d.ends.ours, unix.POLLOUT, end); err != nil {
			return err
		}
	}
}
