package control

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
)

// After the upgrade both sides send frames: one byte of kind, four bytes of length, and the payload.
const (
	frameData    = 'D' // a piece of the stream, or one datagram
	frameEnd     = 'E' // no data follows: it stands for a FIN
	framePeer    = 'P' // a peer connected to the listener; the payload is its address
	frameFailure = 'F' // an operation on the stack's side failed; the payload is a Failure

	headerLen = 5
	maxFrame  = 65 << 10 // no datagram is longer, which with an IPv6 header can be 65,575 bytes; streams are cut
)

// Failure is an error of the stack, encoded for a client.
type Failure struct {
	Message string       `json:"error"`
	Errno   int          `json:"errno,omitempty"` // Linux's number, when it is an errno
	Name    *NameFailure `json:"name,omitempty"`  // when it is a *net.DNSError, whose Err is then Message
}

// NameFailure is the part of a *net.DNSError beside the message.
type NameFailure struct {
	Name      string `json:"name"`
	NotFound  bool   `json:"not_found"`
	Temporary bool   `json:"temporary"`
	Timeout   bool   `json:"timeout"`
}

// failureOf encodes err. A failure of a name can have the errno of a server inside, which is not the error of the call.
func failureOf(err error) Failure {
	var name *net.DNSError
	var errno syscall.Errno
	switch {
	case errors.As(err, &name):
		return Failure{Message: name.Err, Name: &NameFailure{name.Name, name.IsNotFound, name.IsTemporary, name.IsTimeout}}
	case errors.As(err, &errno):
		return Failure{Message: errno.Error(), Errno: int(errno)}
	}
	return Failure{Message: err.Error()}
}

// Err decodes the error: a *net.DNSError or a syscall.Errno if it was one.
func (f Failure) Err() error {
	switch n := f.Name; {
	case n != nil:
		return &net.DNSError{Err: f.Message, Name: n.Name, IsNotFound: n.NotFound, IsTemporary: n.Temporary, IsTimeout: n.Timeout}
	case f.Errno != 0:
		return syscall.Errno(f.Errno)
	}
	return errors.New(f.Message)
}

// framer sends and receives frames. One goroutine may receive while any number send.
type framer struct {
	net.Conn
	r  *bufio.Reader
	mu sync.Mutex // of senders
}

// send sends one frame in one write.
func (f *framer) send(kind byte, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	header := make([]byte, headerLen)
	header[0] = kind
	binary.BigEndian.PutUint32(header[1:], uint32(len(payload)))
	_, err := (&net.Buffers{header, payload}).WriteTo(f.Conn)
	return err
}

// sendFailure sends err to the other side.
func (f *framer) sendFailure(err error) error {
	b, _ := json.Marshal(failureOf(err)) // strings and numbers always marshal
	return f.send(frameFailure, b)
}

// next waits for a frame and returns its kind and length; the caller reads its payload from f.r. A deadline that expires
// meanwhile loses no data.
func (f *framer) next() (kind byte, length int, err error) {
	header, err := f.r.Peek(headerLen)
	if err != nil {
		if err == io.EOF && len(header) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return 0, 0, err
	}
	kind, length = header[0], int(binary.BigEndian.Uint32(header[1:]))
	if length > maxFrame {
		return 0, 0, fmt.Errorf("control: frame of %d bytes", length)
	}
	f.r.Discard(headerLen)
	return kind, length, nil
}

// payload reads the payload of a short frame.
func (f *framer) payload(length int) ([]byte, error) {
	b := make([]byte, length)
	_, err := io.ReadFull(f.r, b)
	return b, err
}
