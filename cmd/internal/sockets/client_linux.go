package sockets

import (
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Client sends calls to a Server.
type Client struct {
	conn  *net.UnixConn
	event func(Response)
	ended chan struct{}

	sending sync.Mutex // of frames
	scratch []byte

	mu    sync.Mutex
	last  uint64
	calls map[uint64]chan *Response // nil: the server has gone
}

// NewClient returns a Client on conn, which it owns. It calls event, which must not block, for each event of the server.
func NewClient(conn *net.UnixConn, event func(Response)) *Client {
	c := &Client{conn: conn, event: event, ended: make(chan struct{}), calls: map[uint64]chan *Response{}}
	go c.receive()
	return c
}

// Do performs a call and returns its response; file, if not -1, goes with it and stays the caller's. The error is Response.Errno's, or
// ENETDOWN when the server has gone.
func (c *Client) Do(r Request, file int) (Response, error) {
	answer := make(chan *Response, 1)
	c.mu.Lock()
	if c.calls == nil {
		c.mu.Unlock()
		return Response{}, syscall.ENETDOWN
	}
	c.last++
	r.ID, r.File = c.last, file >= 0
	c.calls[r.ID] = answer
	c.mu.Unlock()
	if c.send(&r, file) != nil {
		c.conn.Close() // a part of the frame may have been sent; receive ends the call
	}
	response, ok := <-answer
	if !ok {
		return Response{}, syscall.ENETDOWN
	}
	return *response, response.Err()
}

func (c *Client) send(r *Request, file int) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.scratch = frame(c.scratch[:0], r.append)
	if file < 0 {
		_, err := c.conn.Write(c.scratch)
		return err
	}
	n, _, err := c.conn.WriteMsgUnix(c.scratch, unix.UnixRights(file), nil)
	if err == nil && n < len(c.scratch) {
		_, err = c.conn.Write(c.scratch[n:])
	}
	return err
}

// Ended is closed when the server has gone.
func (c *Client) Ended() <-chan struct{} { return c.ended }

// Close ends the connection to the server, which closes the client's sockets.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.ended
	return err
}

func (c *Client) receive() {
	defer close(c.ended)
	in := newInbox(c.conn)
	defer in.close()
	for {
		b, err := readFrame(in.r, responseLen)
		if err != nil {
			c.conn.Close()
			c.fail()
			return
		}
		r := parseResponse(b)
		if r.ID == 0 {
			c.event(*r)
		} else if answer := c.take(r.ID); answer != nil {
			answer <- r
		}
	}
}

// take removes a call and returns its channel.
func (c *Client) take(id uint64) chan *Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.calls[id]
	delete(c.calls, id)
	return answer
}

// fail ends all calls.
func (c *Client) fail() {
	c.mu.Lock()
	calls := c.calls
	c.calls = nil
	c.mu.Unlock()
	for _, answer := range calls {
		close(answer)
	}
}
