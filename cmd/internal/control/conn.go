package control

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// Conn is a connection of the stack that another process uses. It behaves like the stack's own net.Conn: datagrams keep their
// boundaries, and errors are the stack's. One thing differs: if a Write fails in the stack, the next Read returns the error. A Conn cannot
// be used any more after a deadline has interrupted a Write.
type Conn struct {
	framer
	local, remote address
	left          int  // bytes of the current frame not yet read
	ended         bool // the peer has sent a FIN
}

// address is an end of a Conn.
type address struct{ network, text string }

// Network implements net.Addr.
func (a address) Network() string { return a.network }

// String implements net.Addr.
func (a address) String() string { return a.text }

// datagrams reports whether a network keeps message boundaries.
func datagrams(network string) bool { return !strings.HasPrefix(network, "tcp") }

// LocalAddr returns the address of the stack's end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Read implements net.Conn. On a datagram network it returns one datagram, cut to len(b).
func (c *Conn) Read(b []byte) (int, error) {
	if c.left == 0 {
		if n, err := c.nextData(); err != nil || n == 0 {
			return 0, err
		}
	}
	n, err := io.ReadFull(c.r, b[:min(len(b), c.left)])
	c.left -= n
	if datagrams(c.remote.network) && err == nil {
		_, err = c.r.Discard(c.left)
		c.left = 0
	}
	return n, err
}

// nextData waits for a frame with data and returns its length. Its errors are those of the stack, and io.EOF.
func (c *Conn) nextData() (int, error) {
	for !c.ended {
		kind, length, err := c.next()
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF // the stack ended without a FIN
			}
			return 0, err
		}
		switch kind {
		case frameData:
			c.left = length
			if length > 0 || datagrams(c.remote.network) {
				return length, nil
			}
		case frameEnd:
			c.ended = true
		case frameFailure:
			return 0, c.failure(length)
		default:
			return 0, fmt.Errorf("control: unexpected frame %q", kind)
		}
	}
	return 0, io.EOF
}

func (c *Conn) failure(length int) error {
	b, err := c.payload(length)
	if err != nil {
		return err
	}
	var f Failure
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	return f.Err()
}

// Write implements net.Conn. On a datagram network b is one datagram.
func (c *Conn) Write(b []byte) (int, error) {
	if datagrams(c.remote.network) {
		if len(b) > maxFrame {
			return 0, syscall.EMSGSIZE
		}
		return len(b), c.send(frameData, b)
	}
	sent := 0
	for sent < len(b) {
		n := min(len(b)-sent, maxFrame)
		if err := c.send(frameData, b[sent:sent+n]); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// CloseWrite closes the sending half: the stack sends a FIN. Reading goes on.
func (c *Conn) CloseWrite() error { return c.send(frameEnd, nil) }
