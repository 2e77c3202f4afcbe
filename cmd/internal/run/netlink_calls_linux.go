package run

import (
	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
)

// answerNetlink answers a call on a socket of AF_NETLINK.
func (s *Supervisor) answerNetlink(c notify.Call, so *socket, file int) {
	work := func() {
		defer unix.Close(file)
		s.answer(c, s.netlink(c, so, file))
	}
	if blocking(file) {
		go work()
		return
	}
	work()
}

func (s *Supervisor) netlink(c notify.Call, so *socket, file int) *reply {
	switch c.Nr {
	case unix.SYS_BIND, unix.SYS_CONNECT:
		return &reply{}
	case unix.SYS_GETSOCKNAME:
		return returned(0, writeSockaddr(c.Thread, c.Args[1], c.Args[2], layoutNetlink(so.netlink.port)))
	case unix.SYS_GETPEERNAME:
		return returned(0, writeSockaddr(c.Thread, c.Args[1], c.Args[2], layoutNetlink(0)))
	case unix.SYS_SETSOCKOPT:
		return netlinkOption(c)
	case unix.SYS_GETSOCKOPT, unix.SYS_IOCTL:
		return proceed
	case unix.SYS_SENDTO:
		b := make([]byte, min(c.Args[2], maxMessage))
		err := notify.Read(c.Thread, c.Args[1], b)
		return so.netlink.take(b, err)
	case unix.SYS_SENDMSG:
		m, err := readMessage(c.Thread, c.Args[1])
		if err != nil {
			return failed(err)
		}
		b, err := m.gather()
		return so.netlink.take(b, err)
	case unix.SYS_RECVFROM:
		return s.netlinkReceive(c, file)
	case unix.SYS_RECVMSG:
		return s.netlinkReceivemsg(c, file)
	}
	return failed(unix.EOPNOTSUPP)
}

// netlinkOption handles setsockopt(2): options of netlink, which the pair lacks, change nothing here.
func netlinkOption(c notify.Call) *reply {
	if int32(c.Args[1]) == unix.SOL_NETLINK {
		return &reply{}
	}
	return proceed
}

// take takes a message of the program, which err is of reading.
func (e *netlinkEnd) take(b []byte, err error) *reply {
	if err != nil {
		return failed(unix.EFAULT)
	}
	e.handle(b)
	return &reply{result: len(b)}
}

// netlinkReceive handles recvfrom(2).
func (s *Supervisor) netlinkReceive(c notify.Call, file int) *reply {
	flags := int(int32(c.Args[3]))
	b, n, err := s.netlinkData(c, file, int(min(c.Args[2], maxMessage)), flags)
	if err != nil {
		return failed(err)
	}
	if err := notify.Write(c.Thread, c.Args[1], b); err != nil {
		return failed(unix.EFAULT)
	}
	if flags&unix.MSG_TRUNC == 0 {
		n = len(b)
	}
	return returned(n, writeSockaddr(c.Thread, c.Args[4], c.Args[5], layoutNetlink(0)))
}

// netlinkReceivemsg handles recvmsg(2).
func (s *Supervisor) netlinkReceivemsg(c notify.Call, file int) *reply {
	m, err := readMessage(c.Thread, c.Args[1])
	if err != nil {
		return failed(err)
	}
	asked := int(int32(c.Args[2]))
	b, n, err := s.netlinkData(c, file, m.size, asked)
	if err != nil {
		return failed(err)
	}
	flags := 0
	if n > m.size {
		flags = unix.MSG_TRUNC
	}
	if err = m.scatter(b); err == nil {
		err = m.finish(layoutNetlink(0), nil, flags)
	}
	if asked&unix.MSG_TRUNC == 0 {
		n = len(b)
	}
	return returned(n, err)
}

// netlinkData receives an answer, of at most size bytes. n is its whole size.
func (s *Supervisor) netlinkData(c notify.Call, file, size, flags int) (b []byte, n int, err error) {
	b = make([]byte, size)
	for {
		n, _, err := unix.Recvfrom(file, b, flags&unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		if err != unix.EAGAIN || flags&unix.MSG_DONTWAIT != 0 || !blocking(file) {
			return b[:min(max(n, 0), size)], n, err
		}
		if err := s.waitFor(c, file, unix.POLLIN, deadline(file, unix.SO_RCVTIMEO)); err != nil {
			return nil, 0, err
		}
	}
}
