package loads

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"tunstack/bench/stacks"
)

// nameServer answers each query for an address on the client's side, after nameDelay: the time of a server that is not in the same machine.
type nameServer struct {
	conn    *net.UDPConn
	waiting atomic.Int64 // queries without an answer
	most    atomic.Int64 // the largest number of them so far
}

const nameDelay = 2 * time.Millisecond

func serveNames(t Target) (*nameServer, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(t.Host.Addr(), 53)))
	if err != nil {
		return nil, err
	}
	s := &nameServer{conn: c}
	if err := c.SetReadBuffer(4 << 20); err != nil {
		return nil, err
	}
	go s.serve()
	return s, nil
}

func (s *nameServer) serve() {
	b := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		answer := nameAnswer(b[:n])
		if answer == nil {
			continue
		}
		s.most.Store(max(s.most.Load(), s.waiting.Add(1)))
		time.AfterFunc(nameDelay, func() {
			s.waiting.Add(-1)
			_, _ = s.conn.WriteToUDPAddrPort(answer, from) // a lost answer shows in the result
		})
	}
}

// nameAnswer is the answer to a query: the address 10.0.0.9, or that the name has no record of another type; nil for no query.
func nameAnswer(query []byte) []byte {
	const header, fixed = 12, 4 // bytes of the header, and of the question behind its name
	end := header
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	if end += 1 + fixed; end > len(query) {
		return nil
	}
	answer := append([]byte{}, query[:end]...)
	answer[2], answer[3] = 0x81, 0x80 // an answer, with recursion
	clear(answer[6:header])
	if binary.BigEndian.Uint16(query[end-fixed:]) == 1 {
		answer[7] = 1
		return append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 10, 0, 0, 9)
	}
	answer[9] = 1 // an SOA record of the root, with empty names, so that the answer may be kept
	return append(answer, 0, 0, 6, 0, 1, 0, 0, 0x0e, 0x10, 0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0x0e, 0x10)
}

// namesAgain measures lookups of one name.
func namesAgain(t Target) (Result, error) {
	s, err := serveNames(t)
	if err != nil {
		return nil, err
	}
	defer s.conn.Close()
	return t.Names(stacks.Names{Server: netip.AddrPortFrom(t.Host.Addr(), 53), Window: t.Window})
}

// namesBurst measures lookups of different names at once: how many names a second, and how many queries, and with them sockets, at the same
// time.
func namesBurst(names int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		s, err := serveNames(t)
		if err != nil {
			return nil, err
		}
		defer s.conn.Close()
		spec := stacks.Names{Server: netip.AddrPortFrom(t.Host.Addr(), 53), Burst: names}
		if _, err := t.Names(spec); err != nil { // the first has one-time costs
			return nil, err
		}
		s.most.Store(0)
		result, err := t.Names(spec)
		if err != nil {
			return nil, err
		}
		return Result{"rate": float64(names) / result["seconds"], "queries": float64(s.most.Load())}, nil
	}
}
