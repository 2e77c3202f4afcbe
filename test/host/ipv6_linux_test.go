package host

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
	"tunstack/socketapi"
	"tunstack/tun"
)

// The IPv6 addresses of the two ends of a device.
const (
	hostIP6  = "2001:db8::1"
	stackIP6 = "2001:db8::2"
)

// newStack6 starts a stack in this process, on a device of its own with both families, and returns the stack and the name of the device.
func newStack6(t *testing.T, v variant) (*socketapi.Stack, string) {
	t.Helper()
	dev := newDevice6(t, v)
	return onDevice6(t, socketapi.Config{Interfaces: []socketapi.Interface{{Device: dev}}}), dev.Name()
}

// newDevice6 opens a device whose host has both families.
func newDevice6(t *testing.T, v variant) tun.Device {
	t.Helper()
	netns.Need(t)
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		netns.Missing(t, "the kernel has no IPv6")
	}
	dev, err := tun.Open(tun.Config{Kind: v.kind, Driver: v.driver, Offload: v.offload, Hosts: []netip.Prefix{
		netip.MustParsePrefix(hostIP + "/24"), netip.MustParsePrefix(hostIP6 + "/64"),
	}})
	require.NoError(t, err)
	return dev
}

// onDevice6 starts a stack with both families on a device of newDevice6.
func onDevice6(t *testing.T, cfg socketapi.Config) *socketapi.Stack {
	t.Helper()
	i := &cfg.Interfaces[0]
	i.ACD = quickACD
	i.Addrs = append(i.Addrs, netip.MustParsePrefix(stackIP+"/24"), netip.MustParsePrefix(stackIP6+"/64"), netip.MustParsePrefix("fe80::2/64"))
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := socketapi.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Ready(ctx))
	awaitHost6(t, hostIP6, i.Device.Name())
	return s
}

// awaitHost6 waits until the kernel receives for one of its addresses, which a thread of the kernel enters into the local routes later.
func awaitHost6(t *testing.T, addr, device string) {
	t.Helper()
	wait(t, "the kernel's local route to "+addr, func() bool {
		return strings.Contains(succeed(t, "ip", "-6", "route", "show", "table", "local", "dev", device), "local "+addr+" ")
	})
}

// awaitDAD waits until the kernel uses its own link-local address.
func awaitDAD(t *testing.T, device string) {
	t.Helper()
	wait(t, "the kernel has no tentative address", func() bool {
		return succeed(t, "ip", "-6", "addr", "show", "dev", device, "tentative") == ""
	})
}

// eachDevice6 runs a test on each kind of TUN device, and on the TAP devices of each driver.
func eachDevice6(t *testing.T, test func(t *testing.T, v variant, s *socketapi.Stack, device string)) {
	for _, v := range variants {
		if v.kind == tun.TUN || v.offload {
			t.Run(v.String(), func(t *testing.T) {
				s, device := newStack6(t, v)
				test(t, v, s, device)
			})
		}
	}
}

// watch records what crosses a device. Its result count ends the recording with an echo of 1111 bytes, requires that tshark finds no fault in
// the packets of the stack, and returns the number of packets that match a filter. With offload the stack leaves the checksums of
// TCP and UDP to the kernel.
func watch(t *testing.T, v variant, device string) (count func(filter string) int) {
	t.Helper()
	netns.NeedTool(t, "tshark")
	file := filepath.Join(t.TempDir(), "seen.pcap")
	cmd := command(t, "tcpdump", "--immediate-mode", "-U", "-s", "65600", "-B", "16384", "-i", device, "-w", file) // room for 250 packets, not 8
	errs, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(errs)
	for line := ""; !strings.Contains(line, "listening on"); {
		line, err = lines.ReadString('\n')
		require.NoError(t, err)
	}
	read := func(filter string) []string {
		out, err := exec.Command("tshark", "-r", file, "-o", fmt.Sprint("udp.check_checksum:", !v.offload), "-o", fmt.Sprint("tcp.check_checksum:", !v.offload), "-Y", filter).Output()
		require.NoError(t, err)
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")[:strings.Count(string(out), "\n")]
	}
	return func(filter string) int {
		if cmd.ProcessState == nil {
			const last = "icmpv6.type == 129 && data.len == 1111"
			for deadline := time.Now().Add(patience); len(read(last)) == 0; { // tcpdump may lose one
				require.True(t, time.Now().Before(deadline), "tcpdump has not seen the last packet")
				succeed(t, "ping", "-6", "-c", "1", "-s", "1111", stackIP6)
			}
			require.NoError(t, cmd.Process.Signal(unix.SIGINT))
			cmd.Wait()
		}
		from := "(ipv6.src#1 == " + stackIP6 + " || ipv6.src#1 == fe80::2)" // not of a packet that an error quotes
		require.Empty(t, read(from+" && (_ws.malformed || icmpv6.checksum.status == Bad || _ws.expert.severity >= error)"))
		return len(read(filter))
	}
}

func TestPing6(t *testing.T) {
	eachDevice6(t, func(t *testing.T, v variant, _ *socketapi.Stack, device string) {
		count := watch(t, v, device)
		for _, size := range []string{"0", "56", "1452", "1453", "4000", "65507"} {
			out := succeed(t, "ping", "-6", "-q", "-c", "5", "-i", "0.01", "-s", size, stackIP6)
			require.Contains(t, out, " 0% packet loss", "size %s", size)
		}
		require.Contains(t, succeed(t, "ping", "-6", "-c", "1", "-W", "5", "fe80::2%"+device), " 0% packet loss")
		awaitDAD(t, device)
		require.Contains(t, succeed(t, "ping", "-6", "-c", "2", "-i", "0.2", "ff02::1%"+device), " from fe80::2%"+device, "beside the host itself")
		require.NotZero(t, count("icmpv6.type == 129 && ipv6.src == "+stackIP6))
	})
}

// However traceroute probes, the stack is where it ends, one hop away.
func TestTraceroute6(t *testing.T) {
	for _, method := range []string{"default", "icmp", "tcp"} {
		t.Run(method, func(t *testing.T) {
			v := variants[1]
			_, device := newStack6(t, v) // anew, as a host is sent only so many ICMP errors at a time
			count := watch(t, v, device)
			out := traceroute(t, "-6", "-n", "-m", "4", "-M", method, stackIP6)
			hops := strings.Split(strings.TrimSpace(out), "\n")[1:]
			require.Len(t, hops, 1, out)
			require.Regexp(t, fmt.Sprintf(`^ 1  %s( +\d+\.\d+ ms){3}`, stackIP6), hops[0])
			require.NotZero(t, count("ipv6.src == "+stackIP6))
		})
	}
}

func TestTracepath6(t *testing.T) {
	netns.NeedTool(t, "tracepath")
	newStack6(t, variants[0])
	require.Regexp(t, `1: +`+stackIP6+` .* reached`, succeed(t, "tracepath", "-6", "-n", stackIP6))
}

// A client learns at once that nothing listens.
func TestRefused6(t *testing.T) {
	eachDevice6(t, func(t *testing.T, v variant, _ *socketapi.Stack, device string) {
		count := watch(t, v, device)
		out, status := run(t, command(t, "nc", "-6", "-v", "-w", "5", stackIP6, "7"))
		require.NotZero(t, status)
		require.Contains(t, out, "Connection refused")
		require.Equal(t, 1, count("tcp.flags.reset == 1 && ipv6.src == "+stackIP6))
	})
}
