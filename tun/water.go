package tun

import (
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/songgao/water"
)

// waterDevice is an interface of the water library: plain packets, one queue, no offload by the system.
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

// newWaterQueue returns the queue of an interface that the library has opened: on Linux a fileQueue, elsewhere a portableQueue.
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

// newWater opens the interface. It keeps the programs that this process starts from inheriting the descriptor, with which they would
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

// waterName returns the name to pass to the library: macOS accepts only utun0, utun1 and so on.
func waterName(name string) string {
	if bestDriver == "water" && !strings.HasPrefix(name, "utun") {
		return ""
	}
	return name
}

func (d *waterDevice) Name() string    { return d.name }
func (d *waterDevice) Queues() []Queue { return d.queues }

// Close implements Device. It returns when the system has removed the interface.
func (d *waterDevice) Close() error { return d.close() }
