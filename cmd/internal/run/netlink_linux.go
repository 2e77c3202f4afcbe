package run

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/internal/poll"
)

// netlinkEnd answers the requests of a socket of AF_NETLINK's route family: it lists the stack's interfaces, addresses and routes.
type netlinkEnd struct {
	s     *Supervisor
	so    *socket
	end   int // of the pair
	port  uint32
	turns poll.Turns
}

// createNetlink handles socket(2) for NETLINK_ROUTE.
func (s *Supervisor) createNetlink(c notify.Call, typ int) *reply {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|typ&unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return failed(err)
	}
	defer unix.Close(pair[0])
	so := &socket{domain: unix.AF_NETLINK}
	so.netlink = &netlinkEnd{s: s, so: so, end: pair[1], port: uint32(c.Thread)}
	err = unix.SetNonblock(pair[1], true)
	if err == nil {
		err = s.add(so, pair[0])
	}
	if err == nil {
		err = s.loop.Add(pair[1], func(uint32) { so.netlink.turns.Take(so.netlink.step) })
	}
	if err != nil {
		s.remove(so)
		unix.Close(pair[1])
		return failed(err)
	}
	_, _ = s.listener.ReturnFile(c, pair[0], typ&unix.SOCK_CLOEXEC != 0) // if the call has gone, the pair's end hangs up
	return nil
}

// step answers the requests that the program has written.
func (e *netlinkEnd) step() {
	b := make([]byte, 1<<14)
	for {
		n, err := unix.Read(e.end, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil || n == 0:
			e.s.loop.Remove(e.end)
			unix.Close(e.end)
			e.s.remove(e.so)
			return
		}
		e.handle(b[:n])
	}
}

// layoutNetlink is a struct sockaddr_nl.
func layoutNetlink(port uint32) []byte {
	b := binary.NativeEndian.AppendUint16(nil, unix.AF_NETLINK)
	b = binary.NativeEndian.AppendUint16(b, 0)
	b = binary.NativeEndian.AppendUint32(b, port)
	return binary.NativeEndian.AppendUint32(b, 0)
}

// handle answers the requests in one message of the program. As the kernel it ignores what follows a wrong length.
func (e *netlinkEnd) handle(b []byte) {
	for len(b) >= unix.NLMSG_HDRLEN {
		f := binary.NativeEndian
		h := syscall.NlMsghdr{Len: f.Uint32(b), Type: f.Uint16(b[4:]), Flags: f.Uint16(b[6:]), Seq: f.Uint32(b[8:]), Pid: f.Uint32(b[12:])}
		if h.Len < unix.NLMSG_HDRLEN || int64(h.Len) > int64(len(b)) {
			return
		}
		if h.Flags&unix.NLM_F_REQUEST != 0 {
			e.answer(&syscall.NetlinkMessage{Header: h, Data: b[unix.NLMSG_HDRLEN:h.Len]})
		}
		b = b[min(len(b), int(h.Len+3)&^3):]
	}
}

// maxDump is the size in bytes of one answer; a dump of more takes several.
const maxDump = 16 << 10

func (e *netlinkEnd) answer(r *syscall.NetlinkMessage) {
	tables := e.s.tables
	family := byte(0)
	if len(r.Data) > 0 {
		family = r.Data[0]
	}
	var rows []row
	switch r.Header.Type {
	case unix.RTM_GETLINK:
		rows = tables.links()
	case unix.RTM_GETADDR:
		rows = tables.addresses(family)
	case unix.RTM_GETROUTE:
		rows = tables.routeRows(family)
	default:
		e.fail(r, unix.EOPNOTSUPP)
		return
	}
	if r.Header.Flags&unix.NLM_F_DUMP != unix.NLM_F_DUMP {
		rows = tables.one(r, rows)
		if len(rows) == 0 {
			e.fail(r, unix.ENODEV)
			return
		}
		e.write(e.message(nil, r, rows[0], 0))
		return
	}
	var b []byte
	for _, row := range rows {
		if len(b) > maxDump {
			e.write(b)
			b = nil
		}
		b = e.message(b, r, row, unix.NLM_F_MULTI)
	}
	if len(b) > 0 {
		e.write(b)
	}
	e.write(e.message(nil, r, row{unix.NLMSG_DONE, layoutInt(0)}, unix.NLM_F_MULTI))
}

// write writes an answer. A program that does not read its answers loses them, as with the kernel.
func (e *netlinkEnd) write(b []byte) { _, _ = unix.Write(e.end, b) }

// fail answers with an error.
func (e *netlinkEnd) fail(r *syscall.NetlinkMessage, errno syscall.Errno) {
	body := layoutInt(-int(errno))
	body = binary.NativeEndian.AppendUint32(body, r.Header.Len)
	body = binary.NativeEndian.AppendUint16(body, r.Header.Type)
	body = binary.NativeEndian.AppendUint16(body, r.Header.Flags)
	body = binary.NativeEndian.AppendUint32(body, r.Header.Seq)
	body = binary.NativeEndian.AppendUint32(body, r.Header.Pid)
	e.write(e.message(nil, r, row{unix.NLMSG_ERROR, body}, 0))
}

// message appends an answer to r.
func (e *netlinkEnd) message(b []byte, r *syscall.NetlinkMessage, row row, flags uint16) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+len(row.body)))
	b = binary.NativeEndian.AppendUint16(b, row.kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, r.Header.Seq)
	b = binary.NativeEndian.AppendUint32(b, e.port)
	b = append(b, row.body...)
	return append(b, make([]byte, -len(b)&3)...)
}
