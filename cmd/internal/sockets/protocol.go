// Package sockets lends the sockets of a running stack to another process: a Server beside the stack performs the calls that a Client
// sends over a Unix socket, and moves the data through descriptors that the client passes to it. No call waits for the network: the
// client's program polls its end of the data for the outcome.
//
// A stream socket's data pass through one end of an AF_UNIX stream pair (OpAttach), whose other end the client's program has: the server
// writes the received bytes into it, and sends the bytes that it reads. A FIN is a shutdown of the pair, and the close of the program's
// end closes the stack's socket. A datagram socket's data pass through one end of a SEQPACKET pair, each behind a Header.
package sockets

import (
	"net/netip"
	"syscall"

	"tunstack/socketapi"
)

// Op is a call of the protocol.
type Op uint8

// The calls. A Request's Socket is the socket of the call; the others name the fields of Request and Response that they use.
const (
	OpSocket       Op = iota // Args: domain, type, protocol; File: the data's end of a datagram socket. Response.Socket is the new socket
	OpClose                  // closes a socket whose data have no descriptor
	OpBind                   // Addr
	OpConnect                // Addr. Args[0]: bytes of stuffing in the pair, which keep the program's end unwritable until the outcome
	OpListen                 // Args: backlog
	OpAccept                 // Response.Socket is the new socket, Addr its peer
	OpUnaccept               // Args[0]: an accepted socket that the client could not deliver. The next OpAccept returns it
	OpAttach                 // File: the data's end of a stream. Args[0] as OpConnect's
	OpName                   // Response.Addr
	OpPeer                   // Response.Addr
	OpShutdown               // Args: how
	OpSetOption              // Args: level, name; Data
	OpGetOption              // Args: level, name, size; Response.Data
	OpSend                   // a datagram: Data behind a Header, Args: flags. Response.N is its size
	OpReceiveError           // the oldest entry of the error queue (IP_RECVERR): Response.Data behind a Header, and Error
	OpIoctl                  // Args: request; Response.N
	OpReset                  // from the server: the network has ended a connection with an error. From the client: its program will see that
	ops                      // their number
)

// Request is a call to the server.
type Request struct {
	ID     uint64
	Op     Op
	Socket uint64
	Args   [3]int
	Addr   netip.AddrPort
	Data   []byte
	File   bool // a descriptor comes with the request
}

// Response is the answer to the Request with its ID, or with ID 0 an event.
type Response struct {
	ID     uint64
	Op     Op
	Socket uint64
	Errno  syscall.Errno
	N      int
	Empty  bool // OpAccept: no other connection waits, so that the byte in the listener's pair has to go
	Addr   netip.AddrPort
	Error  socketapi.SockExtendedErr
	Data   []byte
}

// Err is the errno as an error; nil for 0.
func (r *Response) Err() error {
	if r.Errno == 0 {
		return nil
	}
	return r.Errno
}
