package tun

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"

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

	raw syscall.RawConn // nil where the library's file cannot be read without waiting: then only Wait reads

	// The reader's own. What Wait has read is in stash until TryRead takes it; both read into spare.
	spare, stash *packet.Buffer
	tryRead      func(fd uintptr) bool // readOnce as a value, made once
	n            int                   // what readOnce got
	err          error
}

func openWater(cfg Config) (Device, error) {
	wc := water.Config{DeviceType: water.TUN}
	if cfg.Kind == TAP {
		wc.DeviceType = water.TAP
	}
	wc.Name = waterName(cfg.Name)
	ifce, raw, err := newWater(wc)
	if err != nil {
		return nil, err
	}
	d := &waterDevice{ifce: ifce, kind: cfg.Kind, mtu: cfg.MTU, raw: raw}
	d.tryRead = d.readOnce
	d.queues = []Queue{d}
	d.close = sync.OnceValue(d.closeInterface)
	return d, nil
}

// newWater opens the interface without leaking its descriptor into the programs that this process starts: one of those would
// keep the interface alive.
func newWater(wc water.Config) (*water.Interface, syscall.RawConn, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ifce, err := water.New(wc)
	if err != nil {
		return nil, nil, err
	}
	file, ok := ifce.ReadWriteCloser.(syscall.Conn)
	if !ok {
		return ifce, nil, nil
	}
	raw, err := file.SyscallConn()
	flags := 0
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			syscall.CloseOnExec(int(fd))
			flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0)
		})
	}
	if err != nil {
		ifce.Close()
		return nil, nil, err
	}
	if flags&unix.O_NONBLOCK == 0 { // some of macOS: a read would wait
		raw = nil
	}
	return ifce, raw, nil
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

// TryRead implements Queue.
func (d *waterDevice) TryRead() (*packet.Buffer, error) {
	if d.closed.Load() {
		return nil, os.ErrClosed
	}
	p := d.stash
	d.stash = nil
	if p != nil || d.raw == nil {
		return p, nil
	}
	d.prepare()
	switch err := d.raw.Read(d.tryRead); {
	case d.closed.Load():
		return nil, os.ErrClosed
	case err != nil:
		return nil, err
	case d.err == syscall.EAGAIN || d.err == syscall.EINTR:
		return nil, nil
	case d.err != nil:
		return nil, os.NewSyscallError("read", d.err)
	}
	return d.take(d.n), nil
}

// readOnce reads without waiting: it tells the poller that it is done, whatever came of it.
func (d *waterDevice) readOnce(fd uintptr) bool {
	d.n, d.err = syscall.Read(int(fd), d.spare.Bytes())
	return true
}

// Wait implements Queue.
func (d *waterDevice) Wait() error {
	if d.stash != nil {
		return nil
	}
	d.prepare()
	n, err := d.ifce.Read(d.spare.Bytes())
	switch {
	case d.closed.Load():
		return os.ErrClosed
	case err != nil:
		return err
	}
	d.stash = d.take(n)
	return nil
}

// prepare makes spare room for one packet.
func (d *waterDevice) prepare() {
	if d.spare == nil {
		size := min(d.mtu+d.kind.headerLen()+4, packet.MaxSize) // four octets for a VLAN tag
		d.spare = packet.New(size)
		d.spare.Extend(size)
	}
}

// take returns the n octets that were read into spare.
func (d *waterDevice) take(n int) *packet.Buffer {
	p := d.spare
	d.spare = nil
	p.Truncate(n)
	return p
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
