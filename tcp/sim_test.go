package tcp_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/tcp"
	"tunstack/tcp/sim"
	"tunstack/tcp/sim/trial"
)

// TestSimulator: whatever the trouble on the wire and with the users, both streams arrive as they were sent, all rules hold
// at each step, and no state is left. -run 'TestSimulator$/^SEED$' runs one seed.
func TestSimulator(t *testing.T) {
	seeds := uint64(tcp.Seeds(300))
	buffers := packet.Live()
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			require.NoError(t, simulate(seed))
			require.Equal(t, buffers, packet.Live())
		})
	}
	asked := regexp.MustCompile(`TestSimulator\$?/\^?(\d+)\$?$`).FindStringSubmatch(flag.Lookup("test.run").Value.String())
	if asked == nil {
		return
	}
	if seed, err := strconv.ParseUint(asked[1], 10, 64); err == nil && seed >= seeds {
		t.Run(asked[1], func(t *testing.T) { require.NoError(t, simulate(seed)) })
	}
}

// TestSimulatorNightly runs 100,000 seeds if TUNSTACK_NIGHTLY is 1, n if it is n, and with 7000+500 the 500
// from 7000 on, on all processors.
func TestSimulatorNightly(t *testing.T) {
	from, count, ranged := strings.Cut(os.Getenv("TUNSTACK_NIGHTLY"), "+")
	if !ranged {
		from, count = "0", from
	}
	first, err1 := strconv.ParseUint(from, 10, 64)
	seeds, err2 := strconv.ParseUint(count, 10, 64)
	if err1 != nil || err2 != nil {
		t.Skip("for TUNSTACK_NIGHTLY=1, the number of seeds, or the first of them + their number")
	}
	if seeds == 1 {
		seeds = 100_000
	}
	var next atomic.Uint64
	next.Store(first)
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			for failures := 0; failures < 5; {
				seed := next.Add(1) - 1
				if seed >= first+seeds {
					return
				}
				if err := simulate(seed); err != nil {
					t.Error(err)
					failures++
				}
			}
		})
	}
}

// simulate runs a seed, and a failed one again to draw its ladder.
func simulate(seed uint64) error {
	run := func(hook func(sim.Event)) (*trial.Trial, error) {
		drawn := trial.Random(seed, 300_000)
		drawn.Sim.Hook = hook
		drawn.Sim.Inspect = func(e *sim.End) error {
			if e.Conn == nil {
				return nil
			}
			return e.Conn.Check()
		}
		return drawn, drawn.Run()
	}
	_, err := run(nil)
	if err == nil {
		return nil
	}
	ladder := trial.NewLadder(80)
	drawn, err := run(ladder.Record)
	return fmt.Errorf("seed %d: %w\n%v\n%v\ngo test ./tcp -run 'TestSimulator$/^%d$'", seed, err, drawn, ladder, seed)
}
