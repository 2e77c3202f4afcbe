package sockets

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"tunstack/socketapi"
)

// The values of the protocol have fixed fields in the machine's byte order, and their data behind them. A frame is the length of
// a Request or a Response in four bytes, and that value.

// maxFrame bounds a frame's length in bytes.
const maxFrame = 1<<20 + 1<<10

// zoneLen is the room for the zone of an address, an interface's name (IFNAMSIZ).
const zoneLen = 16

// Lengths in bytes.
const (
	addrLen     = 1 + 16 + zoneLen // a length of 0, 4 or 16, the address, the zone
	addrPortLen = addrLen + 2
	errorLen    = 16 // struct sock_extended_err
	requestLen  = 8 + 1 + 1 + 8 + 3*8 + addrPortLen
	responseLen = 8 + 1 + 1 + 8 + 4 + 8 + addrPortLen + errorLen
)

var errFrame = errors.New("sockets: malformed message")

// field reads the fixed fields of a value.
type field struct{ b []byte }

func (f *field) take(n int) []byte {
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *field) u8() uint8   { return f.take(1)[0] }
func (f *field) u16() uint16 { return binary.NativeEndian.Uint16(f.take(2)) }
func (f *field) u32() uint32 { return binary.NativeEndian.Uint32(f.take(4)) }
func (f *field) u64() uint64 { return binary.NativeEndian.Uint64(f.take(8)) }

func (f *field) addr() netip.Addr {
	n, b, zone := int(f.u8()), f.take(16), f.take(zoneLen)
	a, _ := netip.AddrFromSlice(b[:min(n, 16)]) // another length: the zero Addr
	return a.WithZone(strings.TrimRight(string(zone), "\x00"))
}

func (f *field) addrPort() netip.AddrPort {
	a := f.addr()
	return netip.AddrPortFrom(a, f.u16())
}

func appendAddr(b []byte, a netip.Addr) []byte {
	var all [addrLen]byte
	all[0] = byte(copy(all[1:], a.AsSlice()))
	copy(all[1+16:], a.Zone())
	return append(b, all[:]...)
}

func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	return binary.NativeEndian.AppendUint16(appendAddr(b, a.Addr()), a.Port())
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// frame appends the length of a value to b, then the value, which body appends.
func frame(b []byte, body func(b []byte) []byte) []byte {
	at := len(b)
	b = body(append(b, 0, 0, 0, 0))
	binary.NativeEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// readFrame reads a value, whose fixed fields have at least fixed bytes.
func readFrame(r io.Reader, fixed int) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.NativeEndian.Uint32(length[:])
	if n < uint32(fixed) || n > maxFrame {
		return nil, errFrame
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

func (r *Request) append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint64(b, r.ID)
	b = appendBool(append(b, byte(r.Op)), r.File)
	b = binary.NativeEndian.AppendUint64(b, r.Socket)
	for _, a := range r.Args {
		b = binary.NativeEndian.AppendUint64(b, uint64(a))
	}
	return append(appendAddrPort(b, r.Addr), r.Data...)
}

func parseRequest(b []byte) (*Request, error) {
	f := field{b}
	r := &Request{ID: f.u64(), Op: Op(f.u8()), File: f.u8() != 0, Socket: f.u64()}
	for i := range r.Args {
		r.Args[i] = int(f.u64())
	}
	r.Addr, r.Data = f.addrPort(), f.b
	if r.Op >= ops {
		return nil, errFrame
	}
	return r, nil
}

func (r *Response) append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint64(b, r.ID)
	b = appendBool(append(b, byte(r.Op)), r.Empty)
	b = binary.NativeEndian.AppendUint64(b, r.Socket)
	b = binary.NativeEndian.AppendUint32(b, uint32(r.Errno))
	b = binary.NativeEndian.AppendUint64(b, uint64(r.N))
	return append(appendError(appendAddrPort(b, r.Addr), &r.Error), r.Data...)
}

func parseResponse(b []byte) *Response {
	f := field{b}
	r := &Response{ID: f.u64(), Op: Op(f.u8()), Empty: f.u8() != 0, Socket: f.u64(), Errno: syscall.Errno(f.u32()), N: int(f.u64())}
	r.Addr = f.addrPort()
	r.Error = socketapi.SockExtendedErr{Errno: f.u32(), Origin: f.u8(), Type: f.u8(), Code: f.u8(), Pad: f.u8(), Info: f.u32(), Data: f.u32()}
	r.Data = f.b
	return r
}

func appendError(b []byte, e *socketapi.SockExtendedErr) []byte {
	b = binary.NativeEndian.AppendUint32(b, e.Errno)
	b = append(b, e.Origin, e.Type, e.Code, e.Pad)
	b = binary.NativeEndian.AppendUint32(b, e.Info)
	return binary.NativeEndian.AppendUint32(b, e.Data)
}

// Header precedes the payload of each datagram in a datagram socket's pair.
type Header struct {
	Errno     syscall.Errno  // from the server: not a datagram, but an error that the network reported
	Peer      netip.AddrPort // the sender, or the destination; the zero AddrPort is the connected peer
	Local     netip.Addr     // the destination; when sending, the source; with the zero Addr the stack chooses it
	Interface uint32         // index of the interface that received the datagram, or is to send it; 0: none
	TOS, TTL  int16          // received; when sending, of this datagram; -1: the socket's
	Size      uint32         // received: of the whole datagram in bytes, which may be more than the payload that follows
	Time      time.Time      // received
}

// HeaderLen is the length of an encoded Header in bytes.
const HeaderLen = 4 + addrPortLen + addrLen + 4 + 2 + 2 + 4 + 8

// Append encodes h behind b.
func (h *Header) Append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(h.Errno))
	b = appendAddr(appendAddrPort(b, h.Peer), h.Local)
	b = binary.NativeEndian.AppendUint32(b, h.Interface)
	b = binary.NativeEndian.AppendUint16(b, uint16(h.TOS))
	b = binary.NativeEndian.AppendUint16(b, uint16(h.TTL))
	b = binary.NativeEndian.AppendUint32(b, h.Size)
	var at int64
	if !h.Time.IsZero() {
		at = h.Time.UnixNano()
	}
	return binary.NativeEndian.AppendUint64(b, uint64(at))
}

// ParseHeader decodes the Header at the start of b, and returns the payload, a part of b.
func ParseHeader(b []byte) (h Header, payload []byte, err error) {
	if len(b) < HeaderLen {
		return h, nil, errFrame
	}
	f := field{b}
	h = Header{Errno: syscall.Errno(f.u32()), Peer: f.addrPort(), Local: f.addr(), Interface: f.u32()}
	h.TOS, h.TTL, h.Size = int16(f.u16()), int16(f.u16()), f.u32()
	if at := int64(f.u64()); at != 0 {
		h.Time = time.Unix(0, at)
	}
	return h, f.b, nil
}
