package lossy

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
	"tunstack/tun"
)

var update = flag.Bool("update", false, "write testdata/table.md anew")

// pairs are the senders and receivers.
var pairs = [...]struct {
	name     string
	from, to maker
}{
	{"kernel to kernel", newKernel, newKernel},
	{"kernel to stack", newKernel, newStack},
	{"stack to kernel", newStack, newKernel},
}

// wires are the impairments, in both directions alike.
var wires = [...]string{
	"delay=20ms,loss=10%", "delay=20ms,loss=20%", hardest,
	"delay=20ms,loss=5%,reorder=5%,duplicate=5%",
}

// relay joins two devices by a bad wire until the test ends.
func relay(t *testing.T, left, right tun.Device, wire string, seed uint64) {
	cfg, err := tun.ParseImpairment(wire)
	require.NoError(t, err)
	cfg.Seed = seed
	bad := tun.Impair(left, cfg)
	var running sync.WaitGroup
	running.Go(func() { pump(bad.Queues()[0], right.Queues()[0]) })
	running.Go(func() { pump(right.Queues()[0], bad.Queues()[0]) })
	t.Cleanup(func() {
		bad.Close()
		right.Close()
		running.Wait()
	})
}

// pump moves packets until a device is closed. A packet that the other device refuses is lost.
func pump(from, to tun.Queue) {
	for {
		p, err := from.TryRead()
		if p != nil {
			to.Write(p)
			continue
		}
		if err == nil {
			err = from.Wait()
		}
		if err != nil {
			return
		}
	}
}

// run is one transfer.
type run struct {
	from, to maker
	wire     string
	seed     uint64
	size     int
}

// transfer returns the time from the end of the handshake until the last byte has arrived, at most patience.
func (r run) transfer(t *testing.T, patience time.Duration) time.Duration {
	from, left := r.from(t, netip.MustParsePrefix("10.8.0.1/24"))
	to, right := r.to(t, netip.MustParsePrefix("10.8.0.2/24"))
	relay(t, left, right, r.wire, r.seed)
	l, err := to.listen("10.8.0.2:7")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })() // ends Accept, too
	data := make([]byte, r.size)
	rand.NewChaCha8([32]byte{byte(r.seed)}).Read(data)
	dialed, err := from.dial(ctx, "10.8.0.2:7")
	if errors.Is(err, context.DeadlineExceeded) {
		return patience
	}
	require.NoError(t, err)
	began := time.Now()
	go send(dialed, data)
	t.Cleanup(func() { dialed.Close() })
	accepted, err := l.Accept()
	if ctx.Err() != nil {
		return patience
	}
	require.NoError(t, err)
	t.Cleanup(func() { accepted.Close() })
	accepted.SetDeadline(began.Add(patience))
	got := make([]byte, r.size)
	n, err := io.ReadFull(accepted, got)
	took := time.Since(began)
	require.True(t, bytes.Equal(data[:n], got[:n]), "the received bytes are the sent ones")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return patience
	}
	require.NoError(t, err)
	return took
}

// send writes the data and then waits for the peer, so that the close of the connection is not part of the transfer.
func send(c net.Conn, data []byte) {
	if _, err := c.Write(data); err == nil {
		io.Copy(io.Discard, c)
	}
}

// each runs the transfers in parallel, because they mostly wait, and returns their times.
func each(t *testing.T, runs []run, patience time.Duration) []time.Duration {
	took := make([]time.Duration, len(runs))
	t.Run("transfers", func(t *testing.T) {
		for i, r := range runs {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				took[i] = r.transfer(t, patience)
			})
		}
	})
	return took
}

func seeds(n int, r run) (runs []run) {
	for seed := range n {
		r.seed = uint64(seed)
		runs = append(runs, r)
	}
	return runs
}

// All data arrives over every wire.
func TestArrives(t *testing.T) {
	netns.Need(t)
	for _, p := range pairs {
		for _, wire := range []string{"delay=2ms,loss=10%", "delay=2ms,loss=3%,reorder=10%,duplicate=10%"} {
			t.Run(p.name+" "+wire, func(t *testing.T) {
				const patience = 5 * time.Minute
				for seed, took := range each(t, seeds(2, run{from: p.from, to: p.to, wire: wire, size: 100_000}), patience) {
					require.Less(t, took, patience, "seed %d", seed)
				}
			})
		}
	}
}

const (
	longSize     = 300_000
	longSeeds    = 10
	hardSeeds    = 40        // of the hardest wire, on which the stack is compared with the kernel
	longPatience = time.Hour // longer than any transfer takes, so that none is cut off
)

// hardest is the wire of the comparison: its longest times are many times the median, and differ from run to run.
const hardest = "delay=20ms,loss=25%"

// result is the median of several times, the time that nine of ten do not exceed, and the longest.
type result struct{ median, tenth, worst time.Duration }

func summary(took []time.Duration) result {
	slices.Sort(took)
	n := len(took)
	return result{(took[(n-1)/2] + took[n/2]) / 2, took[(9*n-1)/10], took[n-1]}
}

// String prints all in seconds.
func (r result) String() string {
	return fmt.Sprintf("%.1f, %.1f, %.1f", r.median.Seconds(), r.tenth.Seconds(), r.worst.Seconds())
}

// exceeds reports whether r is more than 1.5 times as long as another. The longest of all is left out: it is the chance of one seed.
func (r result) exceeds(o result) bool { return 2*r.median > 3*o.median || 2*r.tenth > 3*o.tenth }

// seedsOf is the number of transfers over a wire, for each pair.
func seedsOf(wire string) int {
	if wire == hardest {
		return hardSeeds
	}
	return longSeeds
}

// tableHead introduces the table in docs/goodput.md.
const tableHead = `
The same size in real time over a relay, with CUBIC, beside the kernel: the median, the time that nine of ten transfers do not exceed, and the
longest in seconds (test/lossy, with TUNSTACK_LONG=1). The wire is named as Package tun names it.

| each direction | transfers | kernel to kernel | kernel to stack | stack to kernel |
|---|---:|---:|---:|---:|
`

// TestTimes makes the table. With CUBIC and 25 % loss both ways the stack takes at most 1.5 times as long as the kernel, in the
// median and in nine of ten transfers.
func TestTimes(t *testing.T) {
	netns.Need(t)
	if os.Getenv("TUNSTACK_LONG") != "1" {
		t.Skip("for TUNSTACK_LONG=1: it takes many minutes")
	}
	var runs []run
	for _, wire := range wires {
		for _, p := range pairs {
			runs = append(runs, seeds(seedsOf(wire), run{from: p.from, to: p.to, wire: wire, size: longSize})...)
		}
	}
	took := each(t, runs, longPatience)
	var table strings.Builder
	table.WriteString(tableHead)
	for _, wire := range wires {
		var got [len(pairs)]result
		n := seedsOf(wire)
		fmt.Fprintf(&table, "| %s | %d |", wire, n)
		for i, p := range pairs {
			got[i], took = summary(took[:n]), took[n:]
			fmt.Fprintf(&table, " %v |", got[i])
			if wire == hardest && got[i].exceeds(got[0]) {
				t.Errorf("%s takes %v, between kernels it takes %v", p.name, got[i], got[0])
			}
		}
		table.WriteByte('\n')
	}
	t.Log("\n" + table.String())
	if *update {
		require.NoError(t, os.WriteFile("testdata/table.md", []byte(table.String()), 0o644))
	}
}
