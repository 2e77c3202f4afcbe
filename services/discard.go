package services

import (
	"io"
	"net"
)

// discard throws away what it receives and sends nothing, until the client has said all (RFC 863, TCP).
func discard(c net.Conn) { io.Copy(io.Discard, c) }

// discardDatagram throws away a datagram (RFC 863, UDP).
func discardDatagram([]byte) []byte { return nil }
