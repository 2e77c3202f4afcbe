package services

import (
	"bytes"
	"net"
	"strings"
)

// upper answers one line in upper case and closes.
func upper(c net.Conn) {
	l := lines{c: c}
	text, err := l.next(anyText)
	if err != nil {
		return
	}
	l.say(strings.ToUpper(text))
}

// upperDatagram answers a datagram in upper case.
func upperDatagram(b []byte) []byte { return bytes.ToUpper(b) }
