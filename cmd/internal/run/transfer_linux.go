package run

import (
	"syscall"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
)

// sendto handles sendto(2) with an address.
func (s *Supervisor) sendto(c notify.Call, so *socket, file int) *reply {
	if !so.stream && c.Args[2] > maxDatagram {
		return failed(unix.EMSGSIZE)
	}
	b := make([]byte, min(c.Args[2], maxMessage))
	if err := notify.Read(c.Thread, c.Args[1], b); err != nil {
		return failed(unix.EFAULT)
	}
	if so.stream { // which ignores the address
		return returned(s.sendStream(c, file, b, int(int32(c.Args[3]))))
	}
	to, err := readSockaddr(c.Thread, c.Args[4], uint32(c.Args[5]), so.domain, s.tables)
	if err != nil {
		return failed(err)
	}
	h := connected
	h.Peer = to
	return returned(s.sendDatagram(c, so, file, b, h, int(int32(c.Args[3]))))
}

// sendDatagram sends a datagram by the stack, and returns its size.
func (s *Supervisor) sendDatagram(c notify.Call, so *socket, file int, b []byte, h sockets.Header, flags int) (int, error) {
	if errno := so.datagrams.takeError(); errno != 0 {
		return 0, errno
	}
	so.datagrams.run() // behind what the program has written
	data := append(h.Append(make([]byte, 0, sockets.HeaderLen+len(b))), b...)
	r, err := s.do(so, sockets.Request{Op: sockets.OpSend, Args: [3]int{flags &^ unix.MSG_NOSIGNAL}, Data: data}, -1)
	if err == unix.EAGAIN && flags&unix.MSG_DONTWAIT == 0 && blocking(file) {
		return len(b), so.datagrams.send(c, data, deadline(file, unix.SO_SNDTIMEO))
	}
	return r.N, err
}

// sendStream writes to the program's end, as the kernel would without the address or the control messages of the call.
func (s *Supervisor) sendStream(c notify.Call, file int, b []byte, flags int) (int, error) {
	for {
		n, err := unix.SendmsgN(file, b, nil, nil, flags&(unix.MSG_OOB|unix.MSG_MORE)|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != unix.EAGAIN || flags&unix.MSG_DONTWAIT != 0 || !blocking(file) {
			return n, err
		}
		if err := s.waitFor(c, file, unix.POLLOUT, deadline(file, unix.SO_SNDTIMEO)); err != nil {
			return 0, err
		}
	}
}

// recvfrom handles recvfrom(2) with room for an address.
func (s *Supervisor) recvfrom(c notify.Call, so *socket, file int) *reply {
	size, flags := int(min(c.Args[2], maxMessage)), int(int32(c.Args[3]))
	if so.stream { // which has no address to return
		b, err := s.receiveStream(c, file, size, flags)
		if err == nil && notify.Write(c.Thread, c.Args[1], b) != nil {
			err = unix.EFAULT
		}
		return returned(len(b), err)
	}
	r, err := so.datagrams.receive(c, file, size, flags)
	if err != nil {
		return failed(err)
	}
	if err := notify.Write(c.Thread, c.Args[1], r.data); err != nil {
		return failed(unix.EFAULT)
	}
	if err := writeSockaddr(c.Thread, c.Args[4], c.Args[5], layoutSockaddr(so.domain, r.header.Peer, s.tables)); err != nil {
		return failed(err)
	}
	return &reply{result: r.result(flags), undo: func() { so.datagrams.restore(r) }}
}

// result is the result of a receive call.
func (r *received) result(flags int) int {
	if flags&unix.MSG_TRUNC != 0 {
		return r.size
	}
	return len(r.data)
}

// receiveStream reads from the program's end. TCP returns no address.
func (s *Supervisor) receiveStream(c notify.Call, file, size, flags int) ([]byte, error) {
	b := make([]byte, size)
	for {
		n, _, err := unix.Recvfrom(file, b, flags&(unix.MSG_PEEK|unix.MSG_OOB)|unix.MSG_DONTWAIT)
		if err != unix.EAGAIN || flags&unix.MSG_DONTWAIT != 0 || !blocking(file) {
			return b[:max(n, 0)], err
		}
		if err := s.waitFor(c, file, unix.POLLIN, deadline(file, unix.SO_RCVTIMEO)); err != nil {
			return nil, err
		}
	}
}

// sendmsg handles sendmsg(2).
func (s *Supervisor) sendmsg(c notify.Call, so *socket, file int) *reply {
	m, err := readMessage(c.Thread, c.Args[1])
	switch {
	case err != nil:
		return failed(err)
	case so.stream && m.name == 0 && m.controlLen == 0:
		return proceed
	}
	return returned(s.sendMessage(c, so, file, m, int(int32(c.Args[2]))))
}

func (s *Supervisor) sendMessage(c notify.Call, so *socket, file int, m *message, flags int) (int, error) {
	if !so.stream && m.size > maxDatagram {
		return 0, unix.EMSGSIZE
	}
	b, err := m.gather()
	if err != nil {
		return 0, err
	}
	if so.stream {
		return s.sendStream(c, file, b, flags)
	}
	h, segment, err := s.outgoing(m, so.domain)
	if err != nil {
		return 0, err
	}
	if segment == 0 || segment >= len(b) {
		return s.sendDatagram(c, so, file, b, h, flags)
	}
	for rest := b; len(rest) > 0; rest = rest[min(segment, len(rest)):] { // UDP_SEGMENT
		if _, err := s.sendDatagram(c, so, file, rest[:min(segment, len(rest))], h, flags); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// recvmsg handles recvmsg(2).
func (s *Supervisor) recvmsg(c notify.Call, so *socket, file int) *reply {
	m, err := readMessage(c.Thread, c.Args[1])
	if err != nil {
		return failed(err)
	}
	flags := int(int32(c.Args[2]))
	switch {
	case so.stream && flags&unix.MSG_ERRQUEUE != 0:
		return failed(unix.EAGAIN)
	case so.stream && m.name == 0:
		return proceed
	}
	n, undo, err := s.receiveMessage(c, so, file, m, flags)
	if err != nil {
		return failed(err)
	}
	return &reply{result: n, undo: undo}
}

// receiveMessage receives into m. undo puts a datagram back.
func (s *Supervisor) receiveMessage(c notify.Call, so *socket, file int, m *message, flags int) (n int, undo func(), err error) {
	switch {
	case so.stream:
		n, err = s.receiveStreamMessage(c, file, m, flags)
		return n, nil, err
	case flags&unix.MSG_ERRQUEUE != 0:
		n, err = s.receiveError(so, m)
		return n, nil, err
	}
	r, err := so.datagrams.receive(c, file, m.size, flags)
	if err == nil {
		err = m.scatter(r.data)
	}
	if err != nil {
		return 0, nil, err
	}
	result := 0
	if r.size > len(r.data) {
		result = unix.MSG_TRUNC
	}
	err = m.finish(layoutSockaddr(so.domain, r.header.Peer, s.tables), so.datagrams.control(&r.header), result)
	return r.result(flags), func() { so.datagrams.restore(r) }, err
}

func (s *Supervisor) receiveStreamMessage(c notify.Call, file int, m *message, flags int) (int, error) {
	data, err := s.receiveStream(c, file, m.size, flags)
	if err == nil {
		err = m.scatter(data)
	}
	if err == nil {
		err = m.finish(nil, nil, 0)
	}
	return len(data), err
}

// receiveError receives the oldest entry of the error queue.
func (s *Supervisor) receiveError(so *socket, m *message) (int, error) {
	response, err := s.do(so, sockets.Request{Op: sockets.OpReceiveError}, -1)
	if err != nil {
		return 0, err
	}
	h, data, err := sockets.ParseHeader(response.Data)
	if err != nil {
		return 0, err
	}
	flags := unix.MSG_ERRQUEUE
	if len(data) > m.size {
		data, flags = data[:m.size], flags|unix.MSG_TRUNC
	}
	if err := m.scatter(data); err != nil {
		return 0, err
	}
	return len(data), m.finish(layoutSockaddr(so.domain, h.Peer, s.tables), s.errorControl(so.domain, &response), flags)
}

// sendmmsg handles sendmmsg(2): sendmsg for each element, until one fails.
func (s *Supervisor) sendmmsg(c notify.Call, so *socket, file int) *reply {
	return each(c, func(m *message, _ int) (int, func(), error) {
		n, err := s.sendMessage(c, so, file, m, int(int32(c.Args[3])))
		return n, nil, err
	})
}

// recvmmsg handles recvmmsg(2). As in the kernel, its time limit ends no wait.
func (s *Supervisor) recvmmsg(c notify.Call, so *socket, file int) *reply {
	flags := int(int32(c.Args[3]))
	return each(c, func(m *message, i int) (int, func(), error) {
		if i > 0 && flags&unix.MSG_WAITFORONE != 0 {
			flags |= unix.MSG_DONTWAIT
		}
		return s.receiveMessage(c, so, file, m, flags&^unix.MSG_WAITFORONE)
	})
}

// each calls f for the elements of a vector of struct mmsghdr, and writes their results. The reply is the number of elements before the
// first that failed, or its error if it is the first one.
func each(c notify.Call, f func(m *message, i int) (n int, undo func(), err error)) *reply {
	count := int(min(uint32(c.Args[2]), maxVectors))
	all := &reply{}
	var undo []func()
	all.undo = func() {
		for _, f := range undo {
			f()
		}
	}
	for i := range count {
		at := c.Args[1] + uint64(i*mmsghdrSize)
		m, err := readMessage(c.Thread, at)
		var n int
		var back func()
		if err == nil {
			n, back, err = f(m, i)
		}
		if err == nil && notify.Write(c.Thread, at+msghdrSize, layoutInt(n)) != nil {
			err = syscall.EFAULT
		}
		switch {
		case err != nil && i == 0:
			return failed(err)
		case err != nil:
			return all
		case back != nil:
			undo = append(undo, back)
		}
		all.result++
	}
	return all
}
