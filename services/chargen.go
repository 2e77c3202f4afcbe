package services

import (
	"io"
	"net"
)

// chargen sends lines of characters as fast as the client takes them, until it closes (RFC 864, TCP).
func chargen(c net.Conn) {
	done := make(chan struct{})
	go func() {
		io.Copy(io.Discard, c) // the client's data is discarded
		close(done)
	}()
	for {
		if _, err := writeStatic(c, pattern); err != nil {
			break
		}
	}
	c.Close()
	<-done
}

// pattern is the popular one of RFC 864: lines of 72 characters, each line shifted by one through the 95 printing characters.
// It repeats after 95 lines; 36 repetitions make one write of 253,080 bytes, which a processor's cache holds. It never changes.
var pattern = func() []byte {
	const first, count, width, rounds = ' ', 95, 72, 36
	var b []byte
	for line := range count * rounds {
		for i := range width {
			b = append(b, byte(first+(line+i)%count))
		}
		b = append(b, "\r\n"...)
	}
	return b
}()
