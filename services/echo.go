package services

import (
	"io"
	"net"
)

// echo sends back all data that it receives until the client closes its side (RFC 862, TCP).
func echo(c net.Conn) { io.Copy(c, c) }

// echoDatagram sends the same datagram back (RFC 862, UDP).
func echoDatagram(b []byte) []byte { return b }
