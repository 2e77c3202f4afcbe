package host

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/socketapi"
)

// The addresses of the link behind the host: its own, and the kernel's in another network namespace.
const (
	nearIP6 = "2001:db8:f::1"
	farIP6  = "2001:db8:f::2"
)

// beyond is a host behind this one, which routes between it and the stack. The link between them carries mtu bytes; if it is silent this
// host does not tell what is larger, but the other end of the link drops it.
type beyond struct{ elsewhere }

func newBeyond(t *testing.T, mtu int, silent bool) beyond {
	t.Helper()
	b, near := beyond{newElsewhere(t)}, mtu
	if silent {
		near = 1500
	}
	here(t).sh(fmt.Sprintf(`ip link add near6 mtu %d type veth peer name far6 mtu %d netns %s
		ip addr add %s/64 dev near6 nodad; ip link set near6 up
		echo 1 > /proc/sys/net/ipv6/conf/all/forwarding`, near, mtu, b.pid, nearIP6))
	t.Cleanup(func() {
		out, err := exec.Command("sh", "-ec", "ip link del near6; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding").CombinedOutput()
		require.NoError(t, err, string(out))
	})
	b.sh(fmt.Sprintf(`ip addr add %s/64 dev far6 nodad; ip link set far6 up
		ip route add default via %s advmss 1440`, farIP6, nearIP6)) // else its SYN tells the MTU of its link
	awaitHost6(t, nearIP6, "near6")
	wait(t, "it answers", func() bool {
		return exec.Command("ping", "-6", "-c", "1", "-W", "1", farIP6).Run() == nil
	})
	return b
}

// do calls a function there.
func (b beyond) do(function func() error) {
	b.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	way := func(path string) (enter func()) {
		ns, err := os.Open(path)
		require.NoError(b.t, err)
		return func() {
			require.NoError(b.t, unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET))
			require.NoError(b.t, ns.Close())
		}
	}
	back := way("/proc/thread-self/ns/net")
	way("/proc/" + b.pid + "/ns/net")()
	err := function()
	back()
	require.NoError(b.t, err)
}

// receiver accepts a connection at the far end and returns the number of bytes that arrive before its end.
func (f beyond) receiver(t *testing.T) (addr string, received chan int64) {
	t.Helper()
	var l net.Listener
	f.do(func() (err error) {
		l, err = net.Listen("tcp6", "["+farIP6+"]:0")
		return err
	})
	received = make(chan int64, 1)
	go func() {
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		n, _ := io.Copy(io.Discard, c)
		received <- n
	}()
	return l.Addr().String(), received
}

// sends sends bytes from the stack to the far end, where all must arrive.
func (f beyond) sends(t *testing.T, s *socketapi.Stack, size int64) {
	t.Helper()
	addr, received := f.receiver(t)
	c, err := s.Dial("tcp6", addr)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.Copy(c, stream(1, size))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Equal(t, size, <-received)
}

// newRouted6 is newStack6 with the host as its router.
func newRouted6(t *testing.T, v variant) (*socketapi.Stack, string) {
	t.Helper()
	dev := newDevice6(t, v)
	return onDevice6(t, socketapi.Config{Interfaces: []socketapi.Interface{{Device: dev, Gateway: netip.MustParseAddr(hostIP6)}}}), dev.Name()
}

// Behind a router whose next link is smaller the stack learns the path MTU from its Packet Too Big, once.
func TestPathMTU6(t *testing.T) { // ICMP6-017, TCP6-004
	for _, v := range []variant{variants[0], variants[1], variants[4]} {
		t.Run(v.String(), func(t *testing.T) {
			s, device := newRouted6(t, v)
			f := newBeyond(t, 1300, false)
			count := watch(t, v, device)
			f.sends(t, s, 300_000)
			f.sends(t, s, 300_000)
			require.EqualValues(t, 1, counterOf(s, "ip.pmtu.lowered"))
			require.NotZero(t, count("icmpv6.type == 2 && icmpv6.mtu == 1300"))
			if !v.offload {
				require.NotZero(t, count("tcp && ipv6.plen == 1260 && ipv6.src == "+stackIP6))
			}
		})
	}
}

// A router that sends no Packet Too Big is a black hole, which a connection leaves with datagrams of 1280 bytes.
func TestBlackHole6(t *testing.T) {
	v := variants[1]
	s, device := newRouted6(t, v)
	f := newBeyond(t, 1300, true)
	count := watch(t, v, device)
	f.sends(t, s, 100_000)
	require.Zero(t, count("icmpv6.type == 2"))
	require.NotZero(t, count("tcp && ipv6.plen == 1240 && ipv6.src == "+stackIP6))
}

// Datagrams to an address behind a smaller link: the first is lost, and what follows is what IPV6_MTU_DISCOVER says.
func TestDatagramsBehindSmallerLink(t *testing.T) { // UDP6-005, UDP6-006
	v := variants[1]
	for discover, want := range map[int]struct {
		frags int
		err   error
	}{
		socketapi.IPV6_PMTUDISC_WANT: {2, nil}, socketapi.IPV6_PMTUDISC_DONT: {2, nil}, socketapi.IPV6_PMTUDISC_DO: {0, syscall.EMSGSIZE},
		socketapi.IPV6_PMTUDISC_PROBE: {0, nil},
	} {
		t.Run(fmt.Sprint("IPV6_MTU_DISCOVER ", discover), func(t *testing.T) {
			stack, device := newRouted6(t, v)
			f := newBeyond(t, 1300, false)
			count := watch(t, v, device)
			in := f.port(t)
			s := stack.Berkeley()
			fd, err := s.Socket(socketapi.AF_INET6, socketapi.SOCK_DGRAM|socketapi.SOCK_NONBLOCK, 0)
			require.NoError(t, err)
			require.NoError(t, s.SetSockOpt(fd, socketapi.IPPROTO_IPV6, socketapi.IPV6_MTU_DISCOVER, discover))
			require.NoError(t, s.SetSockOpt(fd, socketapi.IPPROTO_IPV6, socketapi.IPV6_RECVERR, 1))
			require.NoError(t, s.Connect(fd, in.LocalAddr().(*net.UDPAddr).AddrPort()))
			_, err = s.Send(fd, make([]byte, 1452), 0)
			require.NoError(t, err)
			wait(t, "the error", func() bool {
				_, m, err := s.RecvMsg(fd, make([]byte, 2000), socketapi.MSG_ERRQUEUE)
				return err == nil && m.Err.Info == 1300
			})
			var pending int
			_, err = s.GetSockOpt(fd, socketapi.SOL_SOCKET, socketapi.SO_ERROR, &pending)
			require.NoError(t, err)
			_, err = s.Send(fd, make([]byte, 1451), 0)
			require.ErrorIs(t, err, want.err)
			require.Equal(t, want.frags, count("ipv6.fraghdr && ipv6.src == "+stackIP6))
			if want.frags > 0 {
				require.NoError(t, in.SetReadDeadline(time.Now().Add(patience)))
				n, err := in.Read(make([]byte, 2000))
				require.NoError(t, err)
				require.Equal(t, 1451, n)
			}
		})
	}
}

// port is a UDP socket at the far end.
func (f beyond) port(t *testing.T) (c *net.UDPConn) {
	t.Helper()
	f.do(func() (err error) {
		c, err = net.ListenUDP("udp6", &net.UDPAddr{IP: net.ParseIP(farIP6), Port: 9})
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c
}
