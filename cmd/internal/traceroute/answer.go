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

	"tunstack/ip"
	"tunstack/ipv4"
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
		b := make([]byte, 1<<16)
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
	h, message, ok := split(b)
	if !ok || h.Protocol != ip.ProtocolICMP {
		return answer{}, false
	}
	a := answer{from: h.Src}
	switch kind, code := message[0], message[1]; {
	case kind == typeEchoReply && t.cfg.Method == ICMP:
		a.key, a.final = t.cfg.Method.keyOfReply(message), true
		return a, true
	case kind == typeTimeExceeded && code == 0:
	case kind == typeUnreachable:
		a.mark, a.final = unreachable(code, binary.BigEndian.Uint16(message[6:])), true
	default:
		return answer{}, false
	}
	h, quoted, ok := split(message[8:])
	if !ok || h.Dst != t.cfg.Addr || h.Protocol != byte(t.cfg.Method) {
		return answer{}, false
	}
	a.key = t.cfg.Method.keyOf(quoted)
	return a, true
}

// parseReply makes an answer from a UDP datagram or TCP segment of the target.
func (t *tracer) parseReply(b []byte) (answer, bool) {
	if len(b) < 8 || t.cfg.Method == TCP && (len(b) < tcp.HeaderLen || tcp.Flags(b[13])&(tcp.RST|tcp.SYN) == 0) {
		return answer{}, false
	}
	return answer{key: t.cfg.Method.keyOfReply(b), from: t.cfg.Addr, final: true}, true
}

// split parses an IP header and returns it with the rest, which is at least 8 bytes long.
func split(b []byte) (h ipv4.Header, message []byte, ok bool) {
	if !h.Parse(b) || len(b) < h.Len()+8 {
		return h, nil, false
	}
	return h, b[h.Len():], true
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
