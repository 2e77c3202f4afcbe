package demux

import (
	"syscall"

	"tunstack/tcp"
)

// WriteUrgent is Write with the last octet marked as urgent (MSG_OOB).
func (e *Endpoint) WriteUrgent(p []byte) (int, error) { return e.write(p, (*tcp.Conn).WriteUrgent) }

// ReadUrgent returns the last urgent octet (MSG_OOB). Errors: EAGAIN while it is announced but has not arrived, EINVAL when there
// is none, it was read before, or SO_OOBINLINE leaves it in the stream; ENOTCONN.
func (e *Endpoint) ReadUrgent(peek bool) (byte, error) {
	defer e.unlock(e.lock())
	if e.conn == nil {
		return 0, syscall.ENOTCONN
	}
	switch b, here, ok := e.conn.ReadUrgent(peek); {
	case !ok:
		return 0, syscall.EINVAL
	case !here:
		return 0, syscall.EAGAIN
	default:
		return b, nil
	}
}

// AtMark says whether the next octet to be read is the last urgent one (SIOCATMARK).
func (e *Endpoint) AtMark() bool {
	defer e.unlock(e.lock())
	return e.conn != nil && e.conn.AtMark()
}
