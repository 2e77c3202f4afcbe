// Package errqueue is the error queue of a socket: the ICMP errors about datagrams that it sent, each with the bytes quoted
// (ip(7), IP_RECVERR; recvmsg(2), MSG_ERRQUEUE).
package errqueue

import (
	"net/netip"
	"slices"
	"syscall"

	"tunstack/ip"
)

// Origins of an Error, with Linux's numbers (SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6).
const (
	Local = 1
	ICMP  = 2
	ICMP6 = 3
)

// Error is one entry.
type Error struct {
	Errno      syscall.Errno
	Origin     uint8
	Type, Code uint8          // of the ICMP message
	Info       uint32         // the MTU of EMSGSIZE, in bytes; the pointer of a parameter problem
	Offender   netip.Addr     // the sender of the ICMP message; invalid for a local error
	To         netip.AddrPort // the destination of the datagram
	Payload    []byte         // of the datagram, as much as the ICMP message quotes
}

// FromICMP is the entry for a received ICMP error about a datagram to a port; payload is copied.
func FromICMP(e *ip.Error, port uint16, payload []byte) Error {
	origin := uint8(ICMP)
	if e.Quoted.Dst.Is6() {
		origin = ICMP6
	}
	return Error{
		Errno: e.Errno, Origin: origin, Type: e.Type, Code: e.Code, Info: max(uint32(e.MTU), uint32(e.Pointer)),
		Offender: e.From, To: netip.AddrPortFrom(e.Quoted.Dst, port), Payload: slices.Clone(payload),
	}
}

// limit is the number of bytes that the entries of a socket may take, overhead included.
const (
	limit    = 208 << 10
	overhead = 512 // of an entry
)

// Queue holds the entries of one socket, oldest first, and drops the newest when it is full. The zero value is empty. Its owner
// locks it.
type Queue struct {
	entries []Error
	used    int // bytes
}

// Len is the number of entries.
func (q *Queue) Len() int { return len(q.entries) }

// Push appends an entry; it returns false when there is no room for it.
func (q *Queue) Push(e Error) bool {
	cost := overhead + len(e.Payload)
	if q.used+cost > limit {
		return false
	}
	q.entries = append(q.entries, e)
	q.used += cost
	return true
}

// Pop removes the oldest entry; the error is EAGAIN if the queue is empty. Like Linux it sets pending, the socket's pending
// error, to the ICMP error of the next entry, and clears it after the last.
func (q *Queue) Pop(pending *syscall.Errno) (Error, error) {
	if len(q.entries) == 0 {
		return Error{}, syscall.EAGAIN
	}
	e := q.entries[0]
	q.entries = q.entries[1:]
	q.used -= overhead + len(e.Payload)
	switch {
	case len(q.entries) > 0 && q.entries[0].Origin != Local:
		*pending = q.entries[0].Errno
	case e.Origin != Local:
		*pending = 0
	}
	if len(q.entries) == 0 {
		q.entries = nil
	}
	return e, nil
}

// Purge removes all entries.
func (q *Queue) Purge() { *q = Queue{} }
