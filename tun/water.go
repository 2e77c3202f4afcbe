package tun

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/songgao/water"

	"tunstack/internal/packet"
)

// waterDevice is an interface of the portable library: plain packets, one queue, no offload.
type waterDevice struct {
	ifce   *water.Interface
	kind   Kind
	mtu    int
	queues []Queue // the device itself
	closed atomic.Bool
	close  func() error

	// The reader's own. Wait reads into spare; what it read is in stash until TryRead takes it.
	spare, stash *packet.Buffer
}

func openWater(cfg Config) (Device, error) {
	wc := water.Config{DeviceType: water.TUN}
	if cfg.Kind == TAP {
		wc.DeviceType = water.TAP
	}
	wc.Name = waterName(cfg.Name)
	ifce, err := newWater(wc)
	if err != nil {
		return nil, err
	}
	d := &waterDevice{ifce: ifce, kind: cfg.Kind, mtu: cfg.MTU}
	d.queues = []Queue{d}
	d.close = sync.OnceValue(d.closeInterface)
	return d, nil
}

// newWater opens the interface without leaking its descriptor into the programs that this process starts: one of those would
// keep the interface alive.
func newWater(wc water.Config) (*water.Interface, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ifce, err := water.New(wc)
	if err != nil {
		return nil, err
	}
	file, ok := ifce.ReadWriteCloser.(syscall.Conn)
	if !ok {
		return ifce, nil
	}
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { syscall.CloseOnExec(int(fd)) })
	}
	if err != nil {
		ifce.Close()
		return nil, err
	}
	return ifce, nil
}

// waterName is the name to ask the library for: macOS refuses all but its own.
func waterName(name string) string {
	if bestDriver == "water" && !strings.HasPrefix(name, "utun") {
		return ""
	}
	return name
}

func (d *waterDevice) Name() string              { return d.ifce.Name() }
func (d *waterDevice) Kind() Kind                { return d.kind }
func (d *waterDevice) MTU() int                  { return d.mtu }
func (d *waterDevice) Features() packet.Features { return packet.Features{} }
func (d *waterDevice) Queues() []Queue           { return d.queues }
func (d *waterDevice) Close() error              { return d.close() }

func (d *waterDevice) closeInterface() error {
	d.closed.Store(true)
	return d.ifce.Close()
}

// TryRead implements Queue. It never calls the system: packets come in through Wait.
func (d *waterDevice) TryRead() (*packet.Buffer, error) {
	if d.closed.Load() {
		return nil, os.ErrClosed
	}
	p := d.stash
	d.stash = nil
	return p, nil
}

// Wait implements Queue.
func (d *waterDevice) Wait() error {
	if d.stash != nil {
		return nil
	}
	if d.spare == nil {
		size := min(d.mtu+d.kind.headerLen()+4, packet.MaxSize) // four octets for a VLAN tag
		d.spare = packet.New(size)
		d.spare.Extend(size)
	}
	n, err := d.ifce.Read(d.spare.Bytes())
	switch {
	case d.closed.Load():
		return os.ErrClosed
	case err != nil:
		return err
	}
	d.spare.Truncate(n)
	d.stash, d.spare = d.spare, nil
	return nil
}

// Write implements Queue.
func (d *waterDevice) Write(p *packet.Buffer) error {
	return deliver(d, d.kind, d.Features(), p)
}

func (d *waterDevice) send(p *packet.Buffer) error {
	p = p.Own()
	defer p.Free()
	_, err := d.ifce.Write(p.Bytes())
	if d.closed.Load() {
		return os.ErrClosed
	}
	return err
}
