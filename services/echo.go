package services

import (
	"io"
	"net"
)

// echo sends back what it receives until the client has said all (RFC 862, TCP).
func echo(c net.Conn) { io.Copy(c, c) }

// echoDatagram sends the same datagram back (RFC 862, UDP).
func echoDatagram(b []byte) []byte { return b }
