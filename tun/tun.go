// Package tun is the device: it opens TUN and TAP interfaces and moves packets across them. It knows nothing of protocols.
package tun

// Kind is what a device carries.
type Kind uint8

const (
	TUN Kind = iota // IP datagrams
	TAP             // Ethernet frames
)

// Device is a network interface whose wire is this process.
type Device interface {
	// Name is the interface's name on the host: "tun0".
	Name() string
	Kind() Kind
	// MTU is the largest IP datagram in octets that crosses the device as an ordinary packet.
	MTU() int
	// Features is what Write takes over from its callers.
	Features() Features
	// Queues are independent ways in and out, at least one. Each is read by one goroutine.
	Queues() []Queue
	// Close ends all waits and removes the interface. It may be called more than once.
	Close() error
}

// Queue is one way in and out of a Device.
type Queue interface {
	// TryRead returns the next packet, which the caller then owns, or nil when none is waiting. After Close the error is os.ErrClosed.
	TryRead() (*Packet, error)
	// Wait returns when TryRead is worth another call, or with os.ErrClosed after Close.
	Wait() error
	// Write sends a packet and frees it, also when it fails; borrowed spans are no longer needed when it returns.
	// It is safe for concurrent use and never waits: a packet the device does not take at once is an error.
	Write(p *Packet) error
}
