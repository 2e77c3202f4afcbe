package tun

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const bestDriver = "linux"

const clonePath = "/dev/net/tun"

// linuxDevice is an interface of the kernel with one file per queue: a TUN or TAP interface
// (Documentation/networking/tuntap.rst), or one end of a veth pair.
type linuxDevice struct {
	params
	name   string
	queues []Queue      // *fileQueue each
	remove func() error // removes the interface; nil: the kernel removes it with its last file
	close  func() error
}

func openLinux(cfg Config) (Device, error) {
	d := &linuxDevice{name: cfg.Name, params: params{kind: cfg.Kind, mtu: cfg.MTU, readers: max(cfg.Queues, 1)}}
	d.close = sync.OnceValue(d.closeQueues)
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if cfg.Kind == TAP {
		flags = unix.IFF_TAP | unix.IFF_NO_PI
	}
	if cfg.Offload {
		flags |= unix.IFF_VNET_HDR
		d.vnet = vnetLen
	}
	if cfg.Queues > 1 {
		flags |= unix.IFF_MULTI_QUEUE
	}
	for range cfg.Queues {
		if err := d.addQueue(flags); err != nil {
			d.Close()
			return nil, err
		}
	}
	if cfg.Offload {
		d.features = setOffload(d.queues[0].(*fileQueue).fd)
	}
	return d, nil
}

// addQueue opens one more queue. The first one creates the interface; with IFF_TUN_EXCL that fails if the interface exists.
func (d *linuxDevice) addQueue(flags uint16) error {
	if len(d.queues) == 0 {
		flags |= unix.IFF_TUN_EXCL
	}
	fd, err := unix.Open(clonePath, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return explainOpen(err)
	}
	name, err := attach(fd, d.name, flags, d.vnet)
	if err != nil {
		unix.Close(fd)
		return err
	}
	q, err := newFileQueue(&d.params, len(d.queues), os.NewFile(uintptr(fd), clonePath))
	if err != nil {
		return err
	}
	d.name = name
	d.queues = append(d.queues, q)
	return nil
}

// attach makes fd a queue of the interface and returns the interface's name.
func attach(fd int, name string, flags uint16, vnet int) (string, error) {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return "", err
	}
	req.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return "", os.NewSyscallError("TUNSETIFF", err)
	}
	if vnet == 0 {
		return req.Name(), nil
	}
	return req.Name(), os.NewSyscallError("TUNSETVNETHDRSZ", unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, vnet))
}

// setOffload enables as much offload as the kernel supports, USO from Linux 6.2 on, and returns it. The ioctl concerns reading. A kernel that
// supports an offload for reading supports it for writing, too.
func setOffload(fd int) Features {
	const tso = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	const uso = unix.TUN_F_USO4 | unix.TUN_F_USO6 // the kernel takes both or none
	steps := [...]struct {
		flags    int
		features Features
	}{
		{tso | uso, Features{Checksum: true, TSO: maxMTU, USO: maxMTU}},
		{tso, Features{Checksum: true, TSO: maxMTU}},
		{unix.TUN_F_CSUM, Features{Checksum: true}},
	}
	for _, s := range steps {
		if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, s.flags) == nil {
			return s.features
		}
	}
	return Features{}
}

// explainOpen adds a remedy to the error of opening /dev/net/tun.
func explainOpen(err error) error {
	err = &fs.PathError{Op: "open", Path: clonePath, Err: err}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return noModule{err}
	}
	return err
}

// noModule is the error of a system without the tun module, for which kernels have several errnos.
type noModule struct{ error }

func (e noModule) Error() string {
	return e.error.Error() + ": the kernel's tun module is not loaded; load it (modprobe tun), give the container the device, or use the veth driver"
}

func (e noModule) Unwrap() error { return e.error }

// Is makes errors.Is find fs.ErrNotExist in every such error.
func (e noModule) Is(target error) bool { return target == fs.ErrNotExist }

func (d *linuxDevice) Name() string    { return d.name }
func (d *linuxDevice) Queues() []Queue { return d.queues }

// Close implements Device. It returns when the kernel has removed the interface.
func (d *linuxDevice) Close() error { return d.close() }

func (d *linuxDevice) closeQueues() error {
	var errs []error
	for _, q := range d.queues {
		errs = append(errs, q.(*fileQueue).close())
	}
	if d.remove != nil {
		errs = append(errs, d.remove())
	}
	return errors.Join(errs...)
}
