package ping

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// event is a received message or an error.
type event struct {
	at      time.Time
	from    netip.Addr
	seq     uint16
	ttl     int
	size    int    // of a reply: its ICMP message, in bytes
	problem string // of an ICMP error: its text
	err     error  // of the socket
}

// receive passes on the messages that conn receives about the echo requests with id, until conn fails permanently or stop is
// closed.
func receive(conn net.Conn, id uint16, events chan<- event, stop <-chan struct{}) {
	b := make([]byte, 1<<16)
	for {
		n, err := conn.Read(b)
		e, ok := event{err: err}, true
		if err == nil {
			e, ok = parse(b[:n], id)
		}
		if !ok {
			continue
		}
		e.at = time.Now()
		select {
		case <-stop:
			return
		case events <- e:
		}
		if err != nil && (!errors.As(err, new(syscall.Errno)) || errors.Is(err, os.ErrDeadlineExceeded)) {
			return
		}
	}
}

// echoRequest builds the ICMP message (RFC 792, page 14), with the payload of Linux's ping: each byte is its own index.
func echoRequest(id, seq uint16, size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i)
	}
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: int(id), Seq: int(seq), Data: data}}
	b, _ := m.Marshal(nil) // an Echo always marshals
	return b
}

// parse makes an event from a datagram; it returns false if the datagram does not concern the echo requests with id.
func parse(b []byte, id uint16) (event, bool) {
	h, message, ok := split(b)
	if !ok || h.Protocol != protocolICMP {
		return event{}, false
	}
	from, _ := netip.AddrFromSlice(h.Src.To4())
	e := event{from: from, ttl: h.TTL, size: len(message)}
	if message[0] == byte(ipv4.ICMPTypeEchoReply) {
		e.seq = binary.BigEndian.Uint16(message[6:])
		return e, binary.BigEndian.Uint16(message[4:]) == id
	}
	if e.problem = explain(message); e.problem == "" {
		return event{}, false
	}
	h, request, ok := split(message[8:]) // the quoted datagram
	if !ok || h.Protocol != protocolICMP || request[0] != byte(ipv4.ICMPTypeEcho) {
		return event{}, false
	}
	e.seq = binary.BigEndian.Uint16(request[6:])
	return e, binary.BigEndian.Uint16(request[4:]) == id
}

const protocolICMP = 1

// split parses an IP header and returns it with the rest, which has at least the 8 bytes of an ICMP header.
func split(b []byte) (*ipv4.Header, []byte, bool) {
	h, err := ipv4.ParseHeader(b)
	if err != nil || len(b) < h.Len+8 {
		return nil, nil, false
	}
	return h, b[h.Len:], true
}

// explain is the text for an ICMP error, empty for other messages.
func explain(message []byte) string {
	switch code := int(message[1]); ipv4.ICMPType(message[0]) {
	case ipv4.ICMPTypeDestinationUnreachable:
		return unreachable(code, int(binary.BigEndian.Uint16(message[6:])))
	case ipv4.ICMPTypeTimeExceeded:
		if code == 0 {
			return "Time to live exceeded"
		}
		return "Frag reassembly time exceeded"
	case ipv4.ICMPTypeParameterProblem:
		return fmt.Sprintf("Parameter problem: pointer = %d", message[4])
	}
	return ""
}

// Codes of Destination Unreachable (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1).
const (
	codeHost       = 1
	codeFragNeeded = 4
)

// unreachable is the text of a Destination Unreachable.
func unreachable(code, mtu int) string {
	texts := map[int]string{
		0: "Destination Net Unreachable", codeHost: "Destination Host Unreachable", 2: "Destination Protocol Unreachable",
		3: "Destination Port Unreachable", codeFragNeeded: fmt.Sprintf("Frag needed and DF set (mtu = %d)", mtu),
		5: "Source Route Failed", 6: "Destination Net Unknown", 7: "Destination Host Unknown", 8: "Source Host Isolated",
		9: "Destination Net Prohibited", 10: "Destination Host Prohibited", 11: "Destination Net Unreachable for Type of Service",
		12: "Destination Host Unreachable for Type of Service", 13: "Packet filtered", 14: "Precedence Violation", 15: "Precedence Cutoff",
	}
	if text, ok := texts[code]; ok {
		return text
	}
	return fmt.Sprintf("Dest Unreachable, Bad Code: %d", code)
}
