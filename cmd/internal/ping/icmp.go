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

	"tunstack/cmd/internal/icmpmsg"
	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv6"
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

// receive passes on the messages that conn receives about the echo requests of the subject, until conn fails permanently or stop is
// closed.
func receive(conn net.Conn, about subject, events chan<- event, stop <-chan struct{}) {
	b := make([]byte, ipv6.HeaderLen+ipv6.MaxPayload)
	for {
		n, err := conn.Read(b)
		e, ok := event{err: err}, true
		if err == nil {
			e, ok = about.parse(b[:n])
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

// subject tells the messages about a run's echo requests from others.
type subject struct {
	*icmpmsg.Family
	id   uint16
	zone string // of the target, and so of every link-local address; "": none
}

// echoRequest builds the ICMP message (RFC 792 page 14, RFC 4443 section 4.1), with the payload of Linux's ping: each byte is its own
// index. The socket fills in the checksum of ICMPv6, because it covers the source address.
func (s subject) echoRequest(seq uint16, size int) []byte {
	b := make([]byte, icmp.HeaderLen+size)
	b[0] = s.Echo
	binary.BigEndian.PutUint16(b[4:], s.id)
	binary.BigEndian.PutUint16(b[6:], seq)
	for i := range size {
		b[icmp.HeaderLen+i] = byte(i)
	}
	if s.Echo == icmp.EchoRequest {
		checksum.Put(b[2:], ^checksum.Sum(b, 0))
	}
	return b
}

// parse makes an event from a datagram; it returns false if the datagram is not about the echo requests.
func (s subject) parse(b []byte) (event, bool) {
	d, message, ok := icmpmsg.Split(b)
	if !ok || d.Protocol != s.Protocol {
		return event{}, false
	}
	e := event{from: d.Src, ttl: int(d.TTL), size: len(message)}
	if ip.IsLinkLocal6(e.from) {
		e.from = e.from.WithZone(s.zone)
	}
	if message[0] == s.EchoReply {
		e.seq = binary.BigEndian.Uint16(message[6:])
		return e, binary.BigEndian.Uint16(message[4:]) == s.id
	}
	if e.problem = s.explain(message); e.problem == "" {
		return event{}, false
	}
	d, request, ok := icmpmsg.Split(message[icmp.HeaderLen:]) // the quoted datagram
	if !ok || d.Protocol != s.Protocol || request[0] != s.Echo {
		return event{}, false
	}
	e.seq = binary.BigEndian.Uint16(request[6:])
	return e, binary.BigEndian.Uint16(request[4:]) == s.id
}

// explain is the text for an ICMP error, empty for other messages.
func (s subject) explain(message []byte) string {
	if s.Echo == icmp.EchoRequest6 {
		return explain6(message)
	}
	switch code := int(message[1]); message[0] {
	case icmp.Unreachable:
		return unreachable(code, int(binary.BigEndian.Uint16(message[6:])))
	case icmp.TimeExceeded:
		if code == 0 {
			return "Time to live exceeded"
		}
		return "Frag reassembly time exceeded"
	case icmp.ParameterProblem:
		return fmt.Sprintf("Parameter problem: pointer = %d", message[4])
	}
	return ""
}

// noNeighbor is the text for a next hop that does not answer.
func (s subject) noNeighbor() string {
	if s.Echo == icmp.EchoRequest6 {
		return explain6([]byte{icmp.Unreachable6, icmp.CodeAddress, 0, 0, 0, 0, 0, 0})
	}
	return unreachable(codeHost, 0)
}

// explain6 is explain for ICMPv6 (RFC 4443 section 3).
func explain6(message []byte) string {
	code, info := message[1], binary.BigEndian.Uint32(message[4:])
	switch message[0] {
	case icmp.Unreachable6:
		return "Destination unreachable: " + textOf(code, "Unknown code %d", map[uint8]string{
			icmp.CodeNoRoute: "No route", icmp.CodeProhibited: "Administratively prohibited",
			icmp.CodeBeyondScope: "Beyond scope of source address", icmp.CodeAddress: "Address unreachable",
			icmp.CodePort6: "Port unreachable", icmp.CodePolicy: "Source address failed ingress/egress policy",
			icmp.CodeReject: "Reject route to destination",
		})
	case icmp.PacketTooBig:
		return fmt.Sprintf("Packet too big: mtu=%d", info)
	case icmp.TimeExceeded6:
		return "Time exceeded: " + textOf(code, "code %d", map[uint8]string{
			icmp.CodeTTL: "Hop limit", icmp.CodeReassembly: "Defragmentation failure",
		})
	case icmp.ParameterProblem6:
		return fmt.Sprintf("Parameter problem: %s at %d", textOf(code, "code %d", map[uint8]string{
			0: "Wrong header field", 1: "Unknown header", 2: "Unknown option",
		}), info)
	}
	return ""
}

// textOf is the text for a code, or the code in a format.
func textOf(code uint8, format string, texts map[uint8]string) string {
	if text, ok := texts[code]; ok {
		return text
	}
	return fmt.Sprintf(format, code)
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
