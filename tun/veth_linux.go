package tun

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// vethPeer is the name of the driver's end of the pair.
const vethPeer = "peer"

// vethBuffer is the size of a socket's buffer in each direction, in bytes as the kernel counts them. The kernel limits it to net.core.rmem_max
// and wmem_max.
const vethBuffer = 4 << 20

// openVeth creates a pair of virtual Ethernet interfaces (veth(4)). The host has one end; the driver reads and writes the other
// through packet(7) sockets. It needs no device file, but CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW, which the root of a
// user namespace has.
//
// The driver's end is in a network namespace of its own. Therefore the host's kernel neither answers nor forwards packets for the stack,
// and the kernel removes the pair when the process ends: only the sockets keep the namespace alive.
func openVeth(cfg Config) (Device, error) {
	d := &linuxDevice{params: params{kind: TAP, mtu: cfg.MTU, readers: cfg.Queues}}
	d.close = sync.OnceValue(d.closeQueues)
	if cfg.Offload {
		d.vnet = vnetLen
		d.features = Features{Checksum: true, TSO: maxMTU, USO: maxMTU}
	}
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	err = inNewNamespace(func() error { return d.addPair(host, cfg) })
	if err == nil && !cfg.Offload {
		err = completeChecksums(d.name)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// inNewNamespace calls f with this thread in a new network namespace, which lasts as long as the sockets that f opens.
func inNewNamespace(f func() error) error {
	runtime.LockOSThread()
	old, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer old.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("unshare", err)
	}
	err = f()
	if back := unix.Setns(int(old.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, os.NewSyscallError("setns", back)) // the thread stays locked, so that it ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// addPair creates the pair with one end in the namespace of the handle host and the other in this thread's, and opens the latter.
func (d *linuxDevice) addPair(host *netlink.Handle, cfg Config) error {
	peer, err := d.createPair(host, cfg)
	if err != nil {
		return err
	}
	end, err := host.LinkByIndex(peer.Attrs().ParentIndex)
	if err != nil {
		return fmt.Errorf("look up interface: %w", err)
	}
	d.name = end.Attrs().Name
	for range cfg.Queues {
		if err := d.addSocket(peer.Attrs().Index, cfg.Queues > 1); err != nil {
			return err
		}
	}
	return nil
}

// createPair creates the pair and returns this thread's end, which is up.
func (d *linuxDevice) createPair(host *netlink.Handle, cfg Config) (peer netlink.Link, err error) {
	namespace, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer namespace.Close()
	pair := netlink.NewVeth(netlink.LinkAttrs{Name: cmp.Or(cfg.Name, "veth%d"), MTU: cfg.MTU, TxQLen: -1})
	pair.PeerName, pair.PeerMTU, pair.PeerNamespace = vethPeer, uint32(cfg.MTU), netlink.NsFd(namespace.Fd())
	if err := host.LinkAdd(pair); err != nil {
		return nil, fmt.Errorf("create a veth pair: %w", err)
	}
	ours, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	d.remove = func() error { // closing the sockets alone would not wait until the pair is removed
		defer ours.Close()
		if err := ours.LinkDel(peer); err != nil && err != unix.ENODEV { // another program may have removed it
			return fmt.Errorf("remove %s: %w", d.name, err)
		}
		return nil
	}
	if peer, err = ours.LinkByName(vethPeer); err != nil {
		return nil, fmt.Errorf("look up interface: %w", err)
	}
	return peer, ours.LinkSetUp(peer)
}

// addSocket opens one more queue, a socket on the interface with this index. The kernel spreads flows over the sockets by hash
// (PACKET_FANOUT).
func (d *linuxDevice) addSocket(index int, fanout bool) error {
	// Protocol 0 receives nothing until the socket is bound.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := d.prepareSocket(fd, index, fanout); err != nil {
		unix.Close(fd)
		return err
	}
	q, err := newFileQueue(&d.params, len(d.queues), os.NewFile(uintptr(fd), d.name))
	if err != nil {
		return err
	}
	d.queues = append(d.queues, q)
	return nil
}

func (d *linuxDevice) prepareSocket(fd, index int, fanout bool) error {
	type option struct{ level, name, value int }
	options := []option{
		{unix.SOL_SOCKET, unix.SO_RCVBUF, vethBuffer},
		{unix.SOL_SOCKET, unix.SO_SNDBUF, vethBuffer},
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1}, // without a queue, so that a packet for which the peer has no room is an error
	}
	if d.vnet != 0 {
		options = append(options, option{unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	all := uint16(unix.ETH_P_ALL)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all<<8 | all>>8, Ifindex: index}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if !fanout {
		return nil
	}
	const group = 1 // the only one in this namespace
	return os.NewSyscallError("setsockopt PACKET_FANOUT",
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group|unix.PACKET_FANOUT_HASH<<16))
}

// completeChecksums makes the host's end of a pair send only ordinary packets with complete checksums (ethtool -K NAME tx off), because
// without a virtio-net header the driver cannot read others.
func completeChecksums(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	value := struct{ cmd, data uint32 }{unix.ETHTOOL_STXCSUM, 0} // struct ethtool_value of linux/ethtool.h
	request := struct {                                          // struct ifreq
		name  [unix.IFNAMSIZ]byte
		value unsafe.Pointer
		_     [16]byte
	}{value: unsafe.Pointer(&value)}
	copy(request.name[:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return os.NewSyscallError("ETHTOOL_STXCSUM", errno)
	}
	return nil
}
