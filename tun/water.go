package tun

import (
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/songgao/water"
)

// waterDevice is an interface of the portable library: plain packets, one queue, no offload.
type waterDevice struct {
	params
	name   string
	queues []Queue // one
	close  func() error
}

// closingQueue is the queue of a waterDevice.
type closingQueue interface {
	Queue
	close() error
}

// newWaterQueue reads and writes what the library has opened: by the Linux driver's own means where they fit.
var newWaterQueue = systemWaterQueue

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
	d := &waterDevice{name: ifce.Name(), params: params{kind: cfg.Kind, mtu: cfg.MTU, software: cfg.software(), readers: 1}}
	q, err := newWaterQueue(&d.params, ifce)
	if err != nil {
		return nil, err
	}
	d.queues, d.close = []Queue{q}, sync.OnceValue(q.close)
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
	file, ok := ifce.ReadWriteCloser.(*os.File)
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

func (d *waterDevice) Name() string    { return d.name }
func (d *waterDevice) Queues() []Queue { return d.queues }

// Close ends all waits and returns when the system has removed the interface.
func (d *waterDevice) Close() error { return d.close() }
