package traceroute

import (
	"context"
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
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/tcp"
)

// answer is a received answer or an error.
type answer struct {
	at    time.Time
	key   uint32 // of the probe
	from  netip.Addr
	mark  string
	final bool  // the probes end here: at the target, or at an obstacle
	err   error // of a socket
}

// parser makes an answer from a received message; it returns false if the message does not answer a probe.
type parser func(b []byte) (answer, bool)

// none is the parser for a socket that receives only errors.
func none([]byte) (answer, bool) { return answer{}, false }

// receive passes on the answers that conn receives until ctx ends, or conn fails permanently. Then it closes done.
func receive(ctx context.Context, conn net.Conn, parse parser, answers chan<- answer) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, ipv6.HeaderLen+ipv6.MaxPayload)
		for {
			n, err := conn.Read(b)
			a, ok := answer{err: err}, err != nil
			if err == nil {
				a, ok = parse(b[:n])
			}
			if !ok {
				continue
			}
			a.at = time.Now()
			select {
			case <-ctx.Done():
				return
			case answers <- a:
			}
			if err != nil && (!errors.As(err, new(syscall.Errno)) || errors.Is(err, os.ErrDeadlineExceeded)) {
				return
			}
		}
	}()
	return done
}

// parseICMP makes an answer from an IP datagram with an error about a probe, or with an echo reply.
func (t *tracer) parseICMP(b []byte) (answer, bool) {
	d, message, ok := icmpmsg.Split(b)
	if !ok || d.Protocol != t.icmp.Protocol {
		return answer{}, false
	}
	a := answer{from: d.Src}
	if ip.IsLinkLocal6(a.from) {
		a.from = a.from.WithZone(t.cfg.Addr.Zone())
	}
	if message[0] == t.icmp.EchoReply && t.cfg.Method == ICMP {
		a.key, a.final = t.cfg.Method.keyOfReply(message), true
		return a, true
	}
	if a.mark, a.final, ok = t.obstacle(message); !ok {
		return answer{}, false
	}
	d, quoted, ok := icmpmsg.Split(message[icmp.HeaderLen:])
	if !ok || d.Dst != t.cfg.Addr.WithZone("") || d.Protocol != t.protocol() {
		return answer{}, false
	}
	a.key = t.cfg.Method.keyOf(quoted)
	return a, true
}

// obstacle is the mark of an ICMP error, and whether the probes end there; ok is false for other messages.
func (t *tracer) obstacle(message []byte) (mark string, final, ok bool) {
	kind, code := message[0], message[1]
	if kind == t.icmp.TimeExceeded {
		return "", false, code == 0
	}
	if t.cfg.Addr.Is6() {
		mark, ok = obstacle6(kind, code, binary.BigEndian.Uint32(message[4:]))
		return mark, true, ok
	}
	return unreachable(code, binary.BigEndian.Uint16(message[6:])), true, kind == t.icmp.Unreachable
}

// parseReply makes an answer from a UDP datagram or TCP segment of the target.
func (t *tracer) parseReply(b []byte) (answer, bool) {
	if len(b) < 8 || t.cfg.Method == TCP && (len(b) < tcp.HeaderLen || tcp.Flags(b[13])&(tcp.RST|tcp.SYN) == 0) {
		return answer{}, false
	}
	return answer{key: t.cfg.Method.keyOfReply(b), from: t.cfg.Addr, final: true}, true
}

// Codes of Destination Unreachable (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1).
const (
	codeHost       = 1
	codePort       = 3
	codeFragNeeded = 4
)

// unreachable is traceroute's mark for a Destination Unreachable, empty if the target itself has no such port.
func unreachable(code byte, mtu uint16) string {
	switch code {
	case 0, 6, 8, 11:
		return "!N"
	case codeHost, 7, 12:
		return "!H"
	case 2:
		return "!P"
	case codePort:
		return ""
	case codeFragNeeded:
		return fmt.Sprintf("!F-%d", mtu)
	case 5:
		return "!S"
	case 9, 10, 13:
		return "!X"
	case 14:
		return "!V"
	case 15:
		return "!C"
	}
	return fmt.Sprintf("!<%d>", code)
}

// obstacle6 is traceroute's mark for an ICMPv6 error other than Time Exceeded; ok is false for other messages.
func obstacle6(kind, code uint8, info uint32) (mark string, ok bool) {
	switch {
	case kind == icmp.PacketTooBig:
		return fmt.Sprintf("!F-%d", info), true
	case kind == icmp.ParameterProblem6 && code == icmp.CodeUnknownNextHeader:
		return "!P", true
	case kind != icmp.Unreachable6:
		return "", false
	}
	mark, known := map[uint8]string{
		icmp.CodeNoRoute: "!N", icmp.CodeProhibited: "!X", icmp.CodeBeyondScope: "!H", icmp.CodeAddress: "!H", icmp.CodePort6: "",
	}[code]
	if !known {
		mark = fmt.Sprintf("!<%d>", code)
	}
	return mark, true
}

// noNeighbor is the mark for a next hop that does not answer.
const noNeighbor = "!H"
