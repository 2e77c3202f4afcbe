// Package wiretest has the recording link that tests of the layers above a link attach.
package wiretest

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"tunstack/internal/packet"
)

// Wire is an ip.Link that records a copy of each datagram passed to Output. Output may be called concurrently; the records may
// be read only while no Output runs.
type Wire struct {
	Sent    []Datagram
	Discard bool  // each datagram is freed and not recorded, without an allocation
	Err     error // Output returns it, and records nothing

	mu       sync.Mutex
	mtu      int
	features packet.Features
}

// Datagram is one datagram passed to Output.
type Datagram struct {
	Data    []byte
	NextHop netip.Addr
	Cast    packet.Cast
	Queue   uint16
	Offload packet.Offload
}

// New returns a Wire with an MTU in bytes and the features of a device.
func New(mtu int, f packet.Features) *Wire { return &Wire{mtu: mtu, features: f} }

// Output implements ip.Link.
func (w *Wire) Output(_ time.Duration, p *packet.Buffer, nextHop netip.Addr) error {
	if w.Discard || w.Err != nil {
		p.Free()
		return w.Err
	}
	p = p.Own()
	defer p.Free()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Sent = append(w.Sent, Datagram{slices.Clone(p.Bytes()), nextHop, p.Cast, p.Queue, p.Offload})
	return nil
}

// MTU implements ip.Link.
func (w *Wire) MTU() int { return w.mtu }

// Features implements ip.Link.
func (w *Wire) Features() packet.Features { return w.features }

// Take returns the datagrams recorded since the last call.
func (w *Wire) Take() []Datagram {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.Sent
	w.Sent = nil
	return sent
}

// Last is the newest datagram. There must be one.
func (w *Wire) Last() Datagram { return w.Sent[len(w.Sent)-1] }
