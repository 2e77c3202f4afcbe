package control

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// relay copies between a client's stream and a connection of the stack until the client closes the stream; then it
// closes both. It forwards a FIN of either side as a FIN. It reports an error to the client, which then closes the stream.
func relay(f *framer, c net.Conn, datagrams bool) {
	done := make(chan struct{})
	go func() {
		toClient(f, c, datagrams)
		close(done)
	}()
	fromClient(f, c, datagrams)
	f.Close() // toClient may be waiting in either
	c.Close()
	<-done
}

// toClient sends the data that c receives to the client, until the peer's FIN or an error.
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

// fromClient sends the client's data to c until the client closes the stream.
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
			continue // toClient reports the error
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

// passing reports whether a connection outlives err: datagram sockets report an ICMP error once and go on.
func passing(err error, datagrams bool) bool {
	var errno syscall.Errno
	return datagrams && errors.As(err, &errno)
}

// acceptOne waits for the first connection to l, sends its address to the client, and relays it. If the client closes the
// stream before a connection arrives, acceptOne closes the port.
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
	f.SetReadDeadline(time.Now()) // the watcher must stop reading f.r
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
