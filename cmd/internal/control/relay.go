package control

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// relay joins a client's stream with a connection of the stack until the client hangs up, and closes both. A FIN
// travels as a FIN in either direction, and so does an error, which leaves it to the client to hang up.
func relay(f *framer, c net.Conn, datagrams bool) {
	done := make(chan struct{})
	go func() {
		toClient(f, c, datagrams)
		close(done)
	}()
	fromClient(f, c, datagrams)
	f.Close() // toClient may be waiting for either
	c.Close()
	<-done
}

// toClient carries what c receives to the client, up to the peer's FIN or an error.
func toClient(f *framer, c net.Conn, datagrams bool) {
	b := make([]byte, maxFrame)
	for {
		n, err := c.Read(b)
		if n > 0 || datagrams && err == nil {
			if f.send(frameData, b[:n]) != nil {
				return
			}
		}
		switch {
		case err == io.EOF && !datagrams:
			f.send(frameEnd, nil)
			return
		case err != nil:
			if f.sendFailure(err) != nil || !passing(err, datagrams) {
				return
			}
		}
	}
}

// fromClient carries what the client sends to c until the client hangs up.
func fromClient(f *framer, c net.Conn, datagrams bool) {
	b := make([]byte, maxFrame)
	var broken bool
	for {
		kind, length, err := f.next()
		if err != nil {
			return
		}
		if _, err := io.ReadFull(f.r, b[:length]); err != nil {
			return
		}
		if broken {
			continue // the client will learn of it
		}
		switch kind {
		case frameData:
			_, err = c.Write(b[:length])
		case frameEnd:
			err = closeWrite(c)
		}
		if err != nil {
			f.sendFailure(err)
			broken = !passing(err, datagrams)
		}
	}
}

// closeWrite sends the FIN of a stream. A datagram socket has none.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// passing says whether a connection outlives err: datagram sockets report an ICMP error once and go on.
func passing(err error, datagrams bool) bool {
	var errno syscall.Errno
	return datagrams && errors.As(err, &errno)
}

// acceptOne waits for the first connection to l, tells the client who it is, and relays it. A client that hangs up
// before takes the port with it.
func acceptOne(f *framer, l net.Listener, datagrams bool) {
	watching := make(chan struct{})
	go func() {
		if _, err := f.r.Peek(1); err != nil { // a client sends nothing before it knows its peer
			l.Close()
		}
		close(watching)
	}()
	c, err := l.Accept()
	l.Close()
	f.SetReadDeadline(time.Now()) // the watcher must let go of f.r
	<-watching
	f.SetReadDeadline(time.Time{})
	if err != nil {
		f.sendFailure(err)
		return
	}
	if f.send(framePeer, []byte(c.RemoteAddr().String())) != nil {
		c.Close()
		return
	}
	relay(f, c, datagrams)
}
