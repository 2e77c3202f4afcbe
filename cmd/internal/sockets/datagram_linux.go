package sockets

import (
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"tunstack/internal/poll"
	"tunstack/socketapi"
)

// datagram is a UDP, ICMP or raw socket.
type datagram struct {
	lent
	mu      sync.Mutex
	closing bool
	deaf    bool // shut down for receiving

	turns poll.Turns // owns the rest
	watch *socketapi.Watch
	end   int // of the pair
	over  bool
	in    []byte // for the program, while the pair is full
	out   []byte // for the network, while the send buffer is full
}

// newDatagram makes a socket that owns end.
func newDatagram(l lent, end int) (*datagram, error) {
	d := &datagram{lent: l, end: end}
	err := unix.SetNonblock(end, true)
	if err == nil {
		d.watch, err = l.stack.Watch(l.fd, poll.In|poll.Out, d.run)
	}
	if err == nil {
		if err = l.loop.Add(end, func(uint32) { d.run() }); err != nil {
			d.watch.Stop()
		}
	}
	if err != nil {
		unix.Close(end)
		return nil, err
	}
	return d, nil
}

// perform implements socket.
func (d *datagram) perform(r *Request, file int) {
	closeFile(file)
	switch {
	case d.simple(r):
	case r.Op == OpConnect:
		d.answer(r, Response{}, d.stack.Connect(d.fd, r.Addr))
	case r.Op == OpShutdown:
		d.answer(r, Response{}, d.shutdown(r.Args[0]))
	case r.Op == OpSend:
		d.run() // what is in the pair was written before
		n, err := d.send(r.Data, r.Args[0])
		d.answer(r, Response{N: max(n, 0)}, err)
	case r.Op == OpReceiveError:
		d.receiveError(r)
	case r.Op == OpClose:
		d.close()
		d.answer(r, Response{}, nil)
	default:
		d.answer(r, Response{}, unix.EOPNOTSUPP)
	}
}

func (d *datagram) shutdown(how int) error {
	err := d.stack.Shutdown(d.fd, how)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deaf = d.deaf || err == nil && how != unix.SHUT_WR
	return err
}

func (d *datagram) run() { d.turns.Take(d.step) }

// close implements socket.
func (d *datagram) close() {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	d.run()
}

func (d *datagram) step() {
	if d.over {
		return
	}
	d.mu.Lock()
	closing, deaf := d.closing, d.deaf
	d.mu.Unlock()
	if !deaf {
		d.inward()
	}
	if gone := d.outward(); gone || closing {
		d.over = true
		d.forget()
		d.watch.Stop()
		d.loop.Remove(d.end)
		unix.Close(d.end)
		d.stack.Close(d.fd)
	}
}

// inward moves received datagrams and errors to the client.
func (d *datagram) inward() {
	if d.in != nil {
		if _, err := unix.Write(d.end, d.in); err == unix.EAGAIN {
			return
		}
		d.in = nil
	}
	b := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(b)
	for {
		n, m, err := d.stack.RecvMsg(d.fd, b[HeaderLen:], socketapi.MSG_DONTWAIT)
		if err == unix.EAGAIN || err == unix.EBADF {
			return
		}
		h := d.header(&m)
		h.Errno = errnoOf(err)
		h.Append(b[:0])
		message := b[:HeaderLen+max(n, 0)]
		if _, err := unix.Write(d.end, message); err == unix.EAGAIN {
			d.in = append([]byte(nil), message...)
			return
		}
	}
}

// header is the Header of a received datagram.
func (d *datagram) header(m *socketapi.Message) Header {
	h := Header{Peer: m.Addr, Local: m.Local, TOS: int16(m.TOS), TTL: int16(m.TTL), Size: uint32(max(m.Size, 0)), Time: m.Time}
	h.Interface = uint32(d.stack.IfNameToIndex(m.Interface))
	return h
}

// outward sends the program's datagrams, and reports whether the client has closed its end.
func (d *datagram) outward() (gone bool) {
	if d.out != nil {
		if _, err := d.send(d.out, 0); err == unix.EAGAIN {
			return false
		}
		d.out = nil
	}
	b := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(b)
	for {
		n, err := unix.Read(d.end, b[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err != nil || n == 0: // each datagram has a header
			return true
		}
		if _, err := d.send(b[:n], 0); err == unix.EAGAIN {
			d.out = append([]byte(nil), b[:n]...)
			return false
		} else if err != nil {
			d.report(err)
		}
	}
}

// report tells the client of an error of a datagram that the program has sent without waiting for the outcome. That there is no peer is
// nothing that a later call should return.
func (d *datagram) report(err error) {
	if err == unix.EDESTADDRREQ {
		return
	}
	h := Header{Errno: errnoOf(err)}
	_, _ = unix.Write(d.end, h.Append(nil)) // the error of a full pair is lost, like that of a socket which has one pending
}

// send sends a datagram that follows its header.
func (d *datagram) send(b []byte, flags int) (int, error) {
	h, payload, err := ParseHeader(b)
	if err != nil {
		return 0, unix.EINVAL
	}
	m := socketapi.Message{Addr: h.Peer, Local: h.Local}
	if tos, ttl := int(h.TOS), int(h.TTL); h.Interface != 0 || tos >= 0 || ttl >= 0 {
		m.Ancillary = &socketapi.Ancillary{Ifindex: int(h.Interface)}
		if tos >= 0 {
			m.Ancillary.TClass = &tos
		}
		if ttl >= 0 {
			m.Ancillary.HopLimit = &ttl
		}
	}
	return d.stack.SendMsg(d.fd, payload, m, flags|socketapi.MSG_DONTWAIT|socketapi.MSG_NOSIGNAL)
}

// receiveError handles OpReceiveError.
func (d *datagram) receiveError(r *Request) {
	b := make([]byte, bufferSize)
	n, m, err := d.stack.RecvMsg(d.fd, b[HeaderLen:], socketapi.MSG_ERRQUEUE|socketapi.MSG_DONTWAIT)
	if err != nil {
		d.answer(r, Response{}, err)
		return
	}
	h := d.header(&m)
	h.Append(b[:0])
	response := Response{Data: b[:HeaderLen+n]}
	if m.Err != nil {
		response.Error = *m.Err
	}
	response.Addr = netip.AddrPortFrom(m.Offender, 0)
	d.answer(r, response, nil)
}
