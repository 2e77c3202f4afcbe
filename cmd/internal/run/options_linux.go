package run

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
	"tunstack/cmd/internal/sockets"
)

// maxOption is the size in bytes of the longest option that a program may set.
const maxOption = 4096

// native are the options of SOL_SOCKET that the kernel keeps at the program's end, because reads and polls there heed them.
var native = map[int]bool{
	unix.SO_RCVTIMEO_OLD: true, unix.SO_SNDTIMEO_OLD: true, unix.SO_RCVTIMEO_NEW: true, unix.SO_SNDTIMEO_NEW: true,
	unix.SO_RCVLOWAT: true, unix.SO_PEEK_OFF: true, unix.SO_COOKIE: true, unix.SO_BUSY_POLL: true,
	unix.SO_ATTACH_FILTER: true, unix.SO_DETACH_FILTER: true, unix.SO_LOCK_FILTER: true,
}

// setsockopt handles setsockopt(2).
func (s *Supervisor) setsockopt(c notify.Call, so *socket, _ int) *reply {
	level, name, size := int(int32(c.Args[1])), int(int32(c.Args[2])), int(int32(c.Args[4]))
	switch {
	case level == unix.SOL_SOCKET && native[name]:
		return proceed
	case so.stream && level == unix.SOL_SOCKET && name == unix.SO_ZEROCOPY: // the pair tells nobody when it has copied
		return failed(unix.EOPNOTSUPP)
	case size < 0 || size > maxOption:
		return failed(unix.EINVAL)
	}
	value := make([]byte, size)
	if err := notify.Read(c.Thread, c.Args[3], value); err != nil {
		return failed(unix.EFAULT)
	}
	_, err := s.do(so, sockets.Request{Op: sockets.OpSetOption, Args: [3]int{level, name}, Data: value}, -1)
	if err == nil && so.datagrams != nil {
		so.datagrams.options.set(level, name, value)
	}
	if err == nil && level == unix.SOL_SOCKET && name == unix.SO_OOBINLINE {
		return proceed // the program's end heeds it, too
	}
	return returned(0, err)
}

// getsockopt handles getsockopt(2).
func (s *Supervisor) getsockopt(c notify.Call, so *socket, file int) *reply {
	level, name := int(int32(c.Args[1])), int(int32(c.Args[2]))
	if level == unix.SOL_SOCKET && native[name] {
		return proceed
	}
	var length [4]byte
	if err := notify.Read(c.Thread, c.Args[4], length[:]); err != nil {
		return failed(unix.EFAULT)
	}
	size := int(int32(binary.NativeEndian.Uint32(length[:])))
	if size < 0 {
		return failed(unix.EINVAL)
	}
	value, err := s.option(so, file, level, name, size)
	if err != nil {
		return failed(err)
	}
	value = value[:min(size, len(value))]
	binary.NativeEndian.PutUint32(length[:], uint32(len(value)))
	if notify.Write(c.Thread, c.Args[3], value) != nil || notify.Write(c.Thread, c.Args[4], length[:]) != nil {
		return failed(syscall.EFAULT)
	}
	return &reply{}
}

// option returns the value of an option in the kernel's layout.
func (s *Supervisor) option(so *socket, file, level, name, size int) ([]byte, error) {
	if level == unix.SOL_SOCKET && name == unix.SO_ERROR {
		return s.pendingError(so, file)
	}
	r, err := s.do(so, sockets.Request{Op: sockets.OpGetOption, Args: [3]int{level, name, min(size, maxOption)}}, -1)
	return r.Data, err
}

// pendingError returns SO_ERROR and clears it. The program's end of a connection that has failed has an error until the program has read it;
// the stack knows the reason.
func (s *Supervisor) pendingError(so *socket, file int) ([]byte, error) {
	if so.datagrams != nil {
		if errno := so.datagrams.takeError(); errno != 0 {
			return layoutInt(int(errno)), nil
		}
	}
	r, err := s.do(so, sockets.Request{Op: sockets.OpGetOption, Args: [3]int{unix.SOL_SOCKET, unix.SO_ERROR, 4}}, -1)
	if so.stream && err == nil {
		read, optErr := unix.GetsockoptInt(file, unix.SOL_SOCKET, unix.SO_ERROR)
		if so.ended(file) && read == 0 && optErr == nil {
			return layoutInt(0), nil
		}
	}
	return r.Data, err
}

// ended reports whether the program's end of a stream has lost its other end.
func (so *socket) ended(file int) bool {
	so.mu.Lock()
	defer so.mu.Unlock()
	return so.joined && hungUp(file)
}

func layoutInt(v int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(v)) }
