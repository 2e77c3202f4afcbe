package tun

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"tunstack/internal/checksum"
	"tunstack/internal/netns"
	"tunstack/internal/packet"
)

// variants are the devices that every test below runs on.
var variants = []Config{
	{Name: "tun7", Kind: TUN, Driver: "linux", Offload: true},
	{Name: "tun7", Kind: TUN, Driver: "linux"},
	{Name: "tun7", Kind: TUN, Driver: "water"},
	{Name: "tap7", Kind: TAP, Driver: "linux", Offload: true},
	{Name: "tap7", Kind: TAP, Driver: "linux"},
	{Name: "tap7", Kind: TAP, Driver: "water"},
	{Name: "veth7", Kind: TAP, Driver: "veth", Offload: true},
	{Name: "veth7", Kind: TAP, Driver: "veth"},
}

func eachVariant(t *testing.T, test func(t *testing.T, cfg Config)) {
	netns.Need(t)
	for _, cfg := range variants {
		cfg.Hosts = hostPrefixes
		t.Run(fmt.Sprintf("%v/%s/offload=%v", cfg.Kind, cfg.Driver, cfg.Offload), func(t *testing.T) { test(t, cfg) })
		if cfg.Driver == "water" {
			t.Run(fmt.Sprintf("%v/water/portable", cfg.Kind), func(t *testing.T) {
				newWaterQueue = newPortableQueue // as on other systems
				defer func() { newWaterQueue = systemWaterQueue }()
				test(t, cfg)
			})
		}
	}
}

func openTest(t *testing.T, cfg Config) Device {
	t.Helper()
	d, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	if cfg.Kind == TAP {
		addNeighbours(t, cfg.Name)
	}
	return d
}

// peerMAC is the neighbour's address in the host's ARP cache, so that these tests need no ARP.
var peerMAC = net.HardwareAddr{2, 0, 0, 0, 0, 9}

func addNeighbours(t *testing.T, name string) {
	link, err := netlink.LinkByName(name)
	require.NoError(t, err)
	// The entry may exist already: the kernel retransmits unacknowledged data of an earlier test as soon as the interface is up, and then asks
	// for the address.
	require.NoError(t, netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
		IP: net.IPv4(10, 9, 0, 2), HardwareAddr: peerMAC}))
}

// next returns the next packet from the host that match accepts, without its link header.
func next(t *testing.T, d Device, match func(ip []byte) bool) *packet.Buffer {
	t.Helper()
	timeout := time.AfterFunc(10*time.Second, func() { d.Close() })
	defer timeout.Stop()
	q := d.Queues()[0]
	for {
		p, err := q.TryRead()
		require.NoError(t, err)
		if p == nil {
			require.NoError(t, q.Wait())
			continue
		}
		p.TrimFront(d.Kind().headerLen())
		if ip := p.Bytes(); len(ip) > ipv4HeaderLen && ip[0]>>4 == 4 && match(ip) {
			return p
		}
		p.Free()
	}
}

// reflect answers ICMP echo requests until the device closes: the smallest stack that ping works with.
func reflect(d Device) {
	q := d.Queues()[0]
	for {
		p, err := q.TryRead()
		if err != nil {
			return
		}
		if p == nil {
			if q.Wait() != nil {
				return
			}
			continue
		}
		k := d.Kind().headerLen()
		ip := p.Bytes()[k:]
		if len(ip) < ipv4HeaderLen+8 || ip[0] != 0x45 || ip[9] != 1 || ip[20] != 8 {
			p.Free()
			continue
		}
		swap(p.Bytes()[:min(k, 12)])
		swap(ip[12:20])
		ip[20] = 0
		checksum.Put(ip[22:], checksum.Add(binary.BigEndian.Uint16(ip[22:]), 0x0800))
		p.Offload = packet.Offload{}
		q.Write(p)
	}
}

// swap exchanges the two halves of b.
func swap(b []byte) {
	n := len(b) / 2
	for i := range n {
		b[i], b[n+i] = b[n+i], b[i]
	}
}

func TestPing(t *testing.T) {
	netns.NeedTool(t, "ping")
	eachVariant(t, func(t *testing.T, cfg Config) {
		d := openTest(t, cfg)
		go reflect(d)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "ping", "-c", "3", "-i", "0.05", "-s", "1400", "10.9.0.2").CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), " 0% packet loss")
	})
}

func TestInterfaceGoesWithClose(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		for range 2 {
			d, err := Open(cfg)
			require.NoError(t, err)
			ifce, err := net.InterfaceByName(cfg.Name)
			require.NoError(t, err)
			require.Equal(t, net.FlagUp|net.FlagRunning, ifce.Flags&(net.FlagUp|net.FlagRunning))

			require.NoError(t, d.Close())
			require.NoError(t, d.Close())
			_, err = net.InterfaceByName(cfg.Name)
			require.Error(t, err)

			_, err = d.Queues()[0].TryRead()
			require.ErrorIs(t, err, os.ErrClosed)
			require.ErrorIs(t, d.Queues()[0].Wait(), os.ErrClosed)
			require.ErrorIs(t, d.Queues()[0].Write(packet.From([]byte{0x45})), os.ErrClosed)
		}
	})
}

func TestCloseEndsWait(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		d, err := Open(cfg)
		require.NoError(t, err)
		done := make(chan error)
		go func() {
			q := d.Queues()[0]
			for {
				if err := q.Wait(); err != nil {
					done <- err
					return
				}
				if p, _ := q.TryRead(); p != nil {
					p.Free()
				}
			}
		}()
		require.NoError(t, d.Close())
		require.ErrorIs(t, <-done, os.ErrClosed)
	})
}

// LINK-002: the MTU is 1500 by default and can be configured.
func TestMTU(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		for _, c := range []struct{ set, want int }{{0, 1500}, {68, 68}, {576, 576}, {9000, 9000}, {65521, 65521}} {
			cfg.MTU = c.set
			d, err := Open(cfg)
			require.NoError(t, err)
			ifce, err := net.InterfaceByName(cfg.Name)
			require.NoError(t, err)
			require.Equal(t, c.want, ifce.MTU)
			require.Equal(t, c.want, d.MTU())
			require.NoError(t, d.Close())
		}
	})
}

// A burst of the kernel fits into the queue: a window's worth of packets, small or super.
func TestQueueLength(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		for mtu, packets := range map[int]int{576: 10000, 1500: 5592, 9000: 2000, 65521: 2000} {
			if cfg.Offload {
				packets = 2000
			}
			cfg.MTU = mtu
			d := openTest(t, cfg)
			link, err := netlink.LinkByName(cfg.Name)
			require.NoError(t, err)
			require.NoError(t, d.Close())
			require.Equal(t, packets, link.Attrs().TxQLen, "MTU %d", mtu)
		}
	})
}

// LINK-002: a packet of exactly the MTU crosses the device whole, in both directions.
func TestPacketOfMTU(t *testing.T) {
	netns.NeedTool(t, "ping")
	eachVariant(t, func(t *testing.T, cfg Config) {
		cfg.MTU = 1280
		d := openTest(t, cfg)
		go reflect(d)
		out, err := exec.Command("ping", "-c", "1", "-W", "5", "-M", "do", "-s", "1252", "10.9.0.2").CombinedOutput()
		require.NoError(t, err, string(out))

		c, err := net.Dial("udp4", "10.9.0.2:9")
		require.NoError(t, err)
		defer c.Close()
		raw, err := c.(*net.UDPConn).SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			require.NoError(t, unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO))
		}))
		_, err = c.Write(make([]byte, 1280-ipv4HeaderLen-udpHeaderLen+1))
		require.ErrorIs(t, err, unix.EMSGSIZE, "one byte more does not fit")
	})
}

func TestMACOfTAP(t *testing.T) {
	netns.Need(t)
	mac := net.HardwareAddr{2, 1, 2, 3, 4, 5}
	openTest(t, Config{Name: "tap7", Kind: TAP, MAC: mac})
	ifce, err := net.InterfaceByName("tap7")
	require.NoError(t, err)
	require.Equal(t, mac, ifce.HardwareAddr)
}

func TestNameTaken(t *testing.T) {
	netns.Need(t)
	openTest(t, Config{Name: "tun7"})
	require.NoError(t, netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "left"}, Mode: netlink.TUNTAP_MODE_TAP}))
	left, err := netlink.LinkByName("left")
	require.NoError(t, err)
	defer netlink.LinkDel(left)
	for _, driver := range []string{"linux", "water"} {
		for name, says := range map[string]string{
			"tun7": "tun: interface tun7 already exists (another program uses it); stop that program or choose another name",
			"left": `tun: interface left already exists (persistent); delete it with "ip link delete left" or choose another name`,
			"lo":   "tun: interface lo already exists (type device); choose another name",
		} {
			_, err := Open(Config{Name: name, Driver: driver})
			require.EqualError(t, err, says)
			require.ErrorIs(t, err, fs.ErrExist)
		}
	}
}

// A killed process leaves nothing that prevents the next.
func TestCrashLeavesNothing(t *testing.T) {
	netns.Need(t)
	for _, driver := range []string{"linux", "water", "veth"} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), crashEnv+"="+driver)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "ready\n", line)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		openTest(t, Config{Name: "tun7", Driver: driver, Hosts: hostPrefixes}).Close()
	}
}

// requireHosts requires that the host has addresses on a device.
func requireHosts(t *testing.T, d Device, hosts []netip.Prefix) {
	t.Helper()
	ifce, err := net.InterfaceByName(d.Name())
	require.NoError(t, err)
	addrs, err := ifce.Addrs()
	require.NoError(t, err)
	for _, p := range hosts {
		require.Contains(t, fmt.Sprint(addrs), p.String())
	}
}

// Without a name the kernel chooses one, and the driver returns it.
func TestNameChosenByTheKernel(t *testing.T) {
	netns.Need(t)
	for _, driver := range []string{"linux", "water", "veth"} {
		d := openTest(t, Config{Driver: driver, Hosts: hostPrefixes})
		requireHosts(t, d, hostPrefixes)
		require.NoError(t, d.Close())
	}
}

// The host has addresses of both families, and may use that of IPv6 at once.
func TestHostsOfBothFamilies(t *testing.T) {
	netns.Need(t)
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		netns.Missing(t, "the kernel has no IPv6")
	}
	hosts := append(slices.Clone(hostPrefixes), netip.MustParsePrefix("fd00:9::1/64"))
	for _, driver := range []string{"linux", "water", "veth"} {
		d := openTest(t, Config{Driver: driver, Hosts: hosts})
		requireHosts(t, d, hosts)
		l, err := net.Listen("tcp", "[fd00:9::1]:0") // a tentative address cannot be bound
		require.NoError(t, err, driver)
		require.NoError(t, l.Close())
		require.NoError(t, d.Close())
	}
}

// The host sees one end of a veth pair; the other is in another namespace.
func TestVethHidesItsOwnEnd(t *testing.T) {
	netns.Need(t)
	before, err := net.Interfaces()
	require.NoError(t, err)
	openTest(t, Config{Name: "veth7", Driver: "veth", Kind: TAP, Hosts: hostPrefixes})
	after, err := net.Interfaces()
	require.NoError(t, err)
	require.Len(t, after, len(before)+1)
}

func TestOpenWithoutPermission(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread that has lost its capabilities ends with the goroutine
			none := [2]unix.CapUserData{}
			err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
			if err == nil {
				_, err = Open(cfg)
			}
			done <- err
		}()
		require.ErrorIs(t, <-done, fs.ErrPermission)
	})
}

func TestMissingTunModule(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOENT, unix.ENODEV, unix.ENXIO} {
		err := explainOpen(errno)
		require.ErrorIs(t, err, errno)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, "open /dev/net/tun: ")
		require.ErrorContains(t, err, "modprobe tun")
	}
	require.NotContains(t, explainOpen(unix.EACCES).Error(), "modprobe")
}

func TestWriteToInterfaceThatIsDown(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		d := openTest(t, cfg)
		link, err := netlink.LinkByName(cfg.Name)
		require.NoError(t, err)
		require.NoError(t, netlink.LinkSetDown(link))
		require.Error(t, d.Queues()[0].Write(packet.From(make([]byte, 60))))
	})
}

// readToError reads packets until that fails.
func readToError(q Queue) error {
	for {
		switch p, err := q.TryRead(); {
		case err != nil:
			return err
		case p != nil:
			p.Free()
			continue
		}
		if err := q.Wait(); err != nil {
			return err
		}
	}
}

// A reader of an interface that somebody deletes gets an error other than os.ErrClosed, whether it reads or sleeps meanwhile.
func TestInterfaceRemovedByOthers(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		for range 10 {
			d := openTest(t, cfg)
			link, err := netlink.LinkByName(cfg.Name)
			require.NoError(t, err)
			end := make(chan error, 1)
			go func() { end <- readToError(d.Queues()[0]) }()
			require.NoError(t, netlink.LinkDel(link))
			err = <-end
			require.False(t, errors.Is(err, os.ErrClosed), "the device was not closed: %v", err)
		}
	})
}
