package services

import (
	"io"
	"net"
)

// discard discards all data that it receives until the client closes its side (RFC 863, TCP).
func discard(c net.Conn) { io.Copy(io.Discard, c) }

// discardDatagram discards a datagram (RFC 863, UDP).
func discardDatagram([]byte) []byte { return nil }
