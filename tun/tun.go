// Package tun opens TUN and TAP interfaces (and the like of them: see Config.Driver) and reads and writes their packets. It parses
// headers only as far as offload requires.
//
// A Device and its Queues can be implemented outside this module, with the types of this package.
package tun

// Kind is the kind of packets that a device carries.
type Kind uint8

const (
	TUN Kind = iota // IP datagrams
	TAP             // Ethernet frames
)

// Device is a network interface whose packets this process sends and receives in place of a wire. Its methods are safe for concurrent use.
type Device interface {
	// Name returns the interface's name on the host: "tun0".
	Name() string
	Kind() Kind
	// MTU returns the size in bytes of the largest IP datagram that is not a super-packet. It must not change.
	MTU() int
	// Features returns the offload that Write supports. It must not change.
	Features() Features
	// Queues returns the device's queues, at least one, always the same ones. The stack reads each in a goroutine of its own.
	Queues() []Queue
	// Close makes Wait return and removes the interface. It may be called more than once.
	Close() error
}

// Queue receives and sends packets of a Device.
type Queue interface {
	// TryRead returns the next packet, which the caller then owns, or nil and no error when none is waiting. It never waits. After Close
	// the error is os.ErrClosed. With any other error the stack stops reading the queue.
	TryRead() (*Packet, error)
	// Wait returns when TryRead is to be called again. Its error is os.ErrClosed after Close, and another one if nobody can wait for
	// the device any more, for example because its interface was deleted.
	Wait() error
	// Write sends a packet, starting with the Ethernet header if the device is a TAP one, and frees it, also when it fails. The borrowed spans are
	// the caller's again when it returns. Write is safe for concurrent use and never waits: if the device has no room for the packet, it
	// returns an error.
	Write(p *Packet) error
}
