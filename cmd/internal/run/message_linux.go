package run

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"

	"tunstack/cmd/internal/notify"
)

const (
	msghdrSize  = 56      // struct msghdr
	mmsghdrSize = 64      // struct mmsghdr: msghdr, and the result
	maxVectors  = 1024    // IOV_MAX, UIO_MAXIOV
	maxMessage  = 1 << 20 // bytes of one message that the supervisor copies; a stream's rest goes in the next call
	maxDatagram = 1<<16 - 1
)

// message is struct msghdr in a thread's memory.
type message struct {
	thread              int
	at                  uint64 // of the struct
	name                uint64
	nameLen             uint32
	vectors             []unix.RemoteIovec
	control, controlLen uint64
	size                int // of the vectors in bytes
}

// readMessage reads a struct msghdr. Errors: EFAULT, EMSGSIZE for too many vectors, EINVAL for too many bytes.
func readMessage(thread int, at uint64) (*message, error) {
	var b [msghdrSize]byte
	if err := notify.Read(thread, at, b[:]); err != nil {
		return nil, syscall.EFAULT
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[i:]) }
	m := &message{thread: thread, at: at, name: word(0), nameLen: binary.NativeEndian.Uint32(b[8:]), control: word(32), controlLen: word(40)}
	vectors, n := word(16), word(24)
	if n > maxVectors {
		return nil, syscall.EMSGSIZE
	}
	raw := make([]byte, 16*n)
	if err := notify.Read(thread, vectors, raw); err != nil {
		return nil, syscall.EFAULT
	}
	for ; len(raw) > 0; raw = raw[16:] {
		v := unix.RemoteIovec{Base: uintptr(binary.NativeEndian.Uint64(raw)), Len: int(binary.NativeEndian.Uint64(raw[8:]))}
		if v.Len < 0 {
			return nil, syscall.EINVAL
		}
		m.size = min(m.size+min(v.Len, maxMessage), maxMessage)
		m.vectors = append(m.vectors, v)
	}
	return m, nil
}

// gather reads the bytes of the vectors.
func (m *message) gather() ([]byte, error) {
	b := make([]byte, 0, m.size)
	for _, v := range m.vectors {
		n := min(v.Len, m.size-len(b))
		if err := notify.Read(m.thread, uint64(v.Base), b[len(b):len(b)+n]); err != nil {
			return nil, syscall.EFAULT
		}
		b = b[:len(b)+n]
	}
	return b, nil
}

// scatter writes bytes to the vectors.
func (m *message) scatter(b []byte) error {
	for _, v := range m.vectors {
		n := min(v.Len, len(b))
		if err := notify.Write(m.thread, uint64(v.Base), b[:n]); err != nil {
			return syscall.EFAULT
		}
		b = b[n:]
	}
	return nil
}

// ancillary reads the control messages.
func (m *message) ancillary() ([]unix.SocketControlMessage, error) {
	if m.control == 0 || m.controlLen == 0 {
		return nil, nil
	}
	if m.controlLen > maxOption {
		return nil, syscall.ENOBUFS
	}
	b := make([]byte, m.controlLen)
	if err := notify.Read(m.thread, m.control, b); err != nil {
		return nil, syscall.EFAULT
	}
	messages, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return nil, syscall.EINVAL
	}
	return messages, nil
}

// finish writes the results of a receive call: the sender's address, the control messages and the flags.
func (m *message) finish(name, control []byte, flags int) error {
	if m.name != 0 {
		if err := notify.Write(m.thread, m.name, name[:min(len(name), int(m.nameLen))]); err != nil {
			return syscall.EFAULT
		}
	}
	if uint64(len(control)) > m.controlLen {
		control, flags = nil, flags|unix.MSG_CTRUNC
	}
	if err := notify.Write(m.thread, m.control, control); err != nil {
		return syscall.EFAULT
	}
	var length [4]byte
	binary.NativeEndian.PutUint32(length[:], uint32(len(name)))
	var rest [12]byte // msg_controllen, msg_flags
	binary.NativeEndian.PutUint64(rest[:], uint64(len(control)))
	binary.NativeEndian.PutUint32(rest[8:], uint32(flags))
	if notify.Write(m.thread, m.at+8, length[:]) != nil || notify.Write(m.thread, m.at+40, rest[:]) != nil {
		return syscall.EFAULT
	}
	return nil
}

// appendControl appends a control message.
func appendControl(b []byte, level, kind int, data []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, unix.CmsgSpace(len(data)))...)
	binary.NativeEndian.PutUint64(b[at:], uint64(unix.CmsgLen(len(data))))
	binary.NativeEndian.PutUint32(b[at+8:], uint32(level))
	binary.NativeEndian.PutUint32(b[at+12:], uint32(kind))
	copy(b[at+unix.CmsgLen(0):], data)
	return b
}
