package stacks

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"tunstack/tun"
)

// within runs f in the network namespace of a process.
func within(pid int, f func() error) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	other, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	err = f()
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return back // the thread stays locked, and dies with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// attachImpaired puts the kernel of another namespace in tunstack's place: behind a TUN device and the bad link. Goroutines of
// this process carry packets between the two devices until detach.
func attachImpaired(pid int, spec Spec) (detach func(), err error) {
	outer, err := openDevice(spec, tun.Config{Driver: "linux", MTU: 1500, Offload: true})
	if err != nil {
		return nil, err
	}
	var end tun.Device
	err = within(pid, func() (err error) {
		end, err = tun.Open(tun.Config{
			Name: inner(spec), Driver: "linux", MTU: 1500, Offload: true, Hosts: []netip.Prefix{netip.PrefixFrom(spec.Addr, spec.Host.Bits())},
		})
		return err
	})
	if err != nil {
		outer.Close()
		return nil, err
	}
	go carry(outer.Queues()[0], end.Queues()[0])
	go carry(end.Queues()[0], outer.Queues()[0])
	return func() { outer.Close(); end.Close() }, nil
}

// carry moves packets from one device to the other until from is closed.
func carry(from, to tun.Queue) {
	for {
		p, err := from.TryRead()
		if p == nil && err == nil {
			err = from.Wait()
		}
		if err != nil {
			return
		}
		if p != nil {
			to.Write(p) // a packet that the device refuses is lost
		}
	}
}
