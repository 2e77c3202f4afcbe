package kernel

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
	"tunstack/socketapi"
	"tunstack/tun"
)

// eachDialer runs a test twice, in parallel: with the stack as the client, and with the kernel.
func eachDialer(t *testing.T, s scenario, test func(b *bench, kernelDials bool)) {
	for _, kernelDials := range []bool{false, true} {
		name := "stack dials"
		if kernelDials {
			name = "kernel dials"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newBench(t, s), kernelDials)
		})
	}
}

// both transfers the usual amount.
func both(b *bench, kernelDials bool) {
	ours, theirs := b.connect(kernelDials)
	b.transfer(ours, theirs, size(), together)
}

// TestOptions switches each of the kernel's options on and off, in all combinations.
func TestOptions(t *testing.T) {
	for mask := range 1 << 4 {
		on := func(bit int) string { return fmt.Sprint(mask >> bit & 1) }
		s := scenario{impair: "loss=1%,delay=1ms", device: tun.Config{Offload: true}, sysctl: map[string]string{
			"tcp_sack": on(0), "tcp_timestamps": on(1), "tcp_window_scaling": on(2), "tcp_ecn": on(3)}}
		t.Run(fmt.Sprintf("sack=%s ts=%s wscale=%s ecn=%s", on(0), on(1), on(2), on(3)), func(t *testing.T) {
			b := newBench(t, s)
			ours, theirs := b.connect(mask&1 == mask>>1&1)
			b.transfer(ours, theirs, size()/2, together)
		})
	}
}

// TestStackOptions switches our options off instead.
func TestStackOptions(t *testing.T) {
	for name, change := range map[string]func(*socketapi.Config){
		"no sack":           func(c *socketapi.Config) { c.TCP.NoSACK = true },
		"no timestamps":     func(c *socketapi.Config) { c.TCP.NoTimestamps = true },
		"no window scaling": func(c *socketapi.Config) { c.TCP.NoWindowScale = true },
		"nothing": func(c *socketapi.Config) {
			c.TCP.NoSACK, c.TCP.NoTimestamps, c.TCP.NoWindowScale = true, true, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDialer(t, scenario{impair: "loss=1%,delay=1ms", stack: change}, both)
		})
	}
}

func TestCongestionControl(t *testing.T) {
	available, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	require.NoError(t, err)
	for _, theirs := range []string{"reno", "cubic", "bbr"} {
		for _, ours := range []string{"reno", "cubic", "bbr"} {
			t.Run(theirs+" meets "+ours, func(t *testing.T) {
				if !slices.Contains(strings.Fields(string(available)), theirs) {
					netns.Missing(t, "the kernel's congestion control "+theirs)
				}
				eachDialer(t, scenario{impair: "loss=0.5%,delay=2ms,rate=200mbit,limit=100k", congestion: theirs,
					device: tun.Config{Offload: true},
					stack:  func(c *socketapi.Config) { c.TCP.Congestion = ours }}, both)
			})
		}
	}
}

func TestSegmentSize(t *testing.T) {
	for _, maxSeg := range []int{88, 536} {
		for _, impair := range []string{"", "loss=1%,delay=1ms"} {
			t.Run(fmt.Sprint(maxSeg, " ", impair), func(t *testing.T) {
				s := scenario{maxSeg: maxSeg, impair: impair, device: tun.Config{Offload: true}}
				eachDialer(t, s, func(b *bench, kernelDials bool) {
					ours, theirs := b.connect(kernelDials)
					b.transfer(ours, theirs, size()/4, together)
				})
			})
		}
	}
}

func TestDevices(t *testing.T) {
	for _, d := range []tun.Config{
		{MTU: 576}, {MTU: 9000, Offload: true}, {MTU: 65535}, {Queues: 2, Offload: true}, {Kind: tun.TAP, Offload: true},
		{Driver: "water", Offload: true}, {Driver: "veth", Queues: 2, Offload: true},
	} {
		t.Run(fmt.Sprintf("%v %s mtu=%d queues=%d offload=%v", d.Kind, d.Driver, d.MTU, d.Queues, d.Offload), func(t *testing.T) {
			eachDialer(t, scenario{device: d, impair: "loss=0.5%,delay=1ms"}, both)
		})
	}
}

// wires are the impairments between the two hosts.
var wires = map[string]string{
	"clean":     "",
	"loss 0.5%": "loss=0.5%",
	"loss 2%":   "loss=2%,delay=1ms",
	"loss 5%":   "loss=5%,delay=1ms",
	"bursts":    "burst=0.3%/40%,delay=1ms",
	"reorder":   "delay=3ms,reorder=10%",
	"duplicate": "duplicate=10%,delay=1ms",
	"corrupt":   "corrupt=1%,delay=1ms",
	"delay":     "delay=25ms,jitter=10ms",
	"narrow":    "rate=50mbit,limit=30k,delay=2ms",
	"one way":   "in.loss=3%,out.delay=10ms",
	"all":       "loss=1%,burst=0.1%/30%,delay=4ms,jitter=2ms,reorder=5%,duplicate=2%,corrupt=0.5%,rate=300mbit,limit=200k",
}

func TestWires(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(wires)) {
		for _, offload := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s offload=%v", name, offload), func(t *testing.T) {
				eachDialer(t, scenario{impair: wires[name], device: tun.Config{Offload: offload}}, func(b *bench, kernelDials bool) {
					both(b, kernelDials)
					b.countsDamage()
				})
			})
		}
	}
}

// countsDamage requires that each damaged packet from the kernel is dropped for a matching reason, and no other packet is.
func (b *bench) countsDamage() {
	b.t.Helper()
	require.EventuallyWithT(b.t, func(c *assert.CollectT) {
		dropped := b.counted("link.drop.", "ip.drop.bad_version", "ipv4.drop.truncated", "ipv4.drop.bad_", "ipv6.drop.", "tcp.drop.bad_checksum", "tcp.drop.bad_header")
		require.Equal(c, b.dev.In().Corrupted.Value(), dropped)
	}, 10*time.Second, 5*time.Millisecond)
}

func TestCloseOrders(t *testing.T) {
	names := map[order]string{oursFirst: "ours first", theirsFirst: "theirs first", oursHalf: "ours before theirs sends", theirsHalf: "theirs before ours sends"}
	for _, impair := range []string{"", "loss=3%,delay=1ms"} {
		for o, name := range names {
			t.Run(name+" "+impair, func(t *testing.T) {
				eachDialer(t, scenario{impair: impair, device: tun.Config{Offload: true}}, func(b *bench, kernelDials bool) {
					ours, theirs := b.connect(kernelDials)
					b.transfer(ours, theirs, size()/4, o)
				})
			})
		}
	}
}

func TestAbort(t *testing.T) {
	for _, kernelAborts := range []bool{false, true} {
		t.Run(fmt.Sprint("kernel aborts ", kernelAborts), func(t *testing.T) {
			eachDialer(t, scenario{impair: "delay=1ms"}, func(b *bench, kernelDials bool) {
				aborts, suffers := b.connect(kernelDials)
				if kernelAborts {
					aborts, suffers = suffers, aborts
				}
				_, err := io.WriteString(suffers, "unread")
				require.NoError(t, err)
				require.NoError(t, aborts.SetLinger(0))
				require.NoError(t, aborts.Close())
				_, err = suffers.Read(make([]byte, 10))
				require.ErrorIs(t, err, syscall.ECONNRESET)
				require.NoError(t, suffers.Close())
				b.drains()
			})
		})
	}
}

// TestLong needs TUNSTACK_LONG=1.
func TestLong(t *testing.T) {
	n := int64(8 << 20)
	if os.Getenv("TUNSTACK_LONG") == "1" {
		n = 256 << 20
	}
	eachDialer(t, scenario{device: tun.Config{Offload: true}}, func(b *bench, kernelDials bool) {
		ours, theirs := b.connect(kernelDials)
		b.transfer(ours, theirs, n, together)
	})
}
