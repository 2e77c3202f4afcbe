package services

import (
	"net"
	"time"
)

// daytime sends the date and time as a line and closes; it ignores the client's data (RFC 867, TCP).
func daytime(c net.Conn) {
	c.SetWriteDeadline(time.Now().Add(cheap.Idle))
	c.Write(dateLine())
}

// daytimeDatagram answers any datagram with the date and time (RFC 867, UDP).
func daytimeDatagram([]byte) []byte { return dateLine() }

// dateLine is the time in the form that RFC 867 proposes: "Tuesday, February 22, 1982 17:37:43-PST".
func dateLine() []byte {
	return []byte(time.Now().Format("Monday, January 2, 2006 15:04:05-MST") + "\r\n")
}
