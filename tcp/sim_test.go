package tcp_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/sim"
)

// TestSimulator: after every kind of trouble on the wire and with the users both streams are what was sent, all rules were
// kept at every step, and nothing is left. TUNSTACK_NIGHTLY=1 runs 100,000 seeds, another number that many; -run 'TestSimulator/SEED$'
// runs any one of them again.
func TestSimulator(t *testing.T) {
	for seed := range uint64(300) {
		if testing.Short() && seed == 50 {
			break
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { require.NoError(t, simulate(seed)) })
	}
}

// TestSimulatorNightly runs as many seeds as TUNSTACK_NIGHTLY says, on all processors.
func TestSimulatorNightly(t *testing.T) {
	seeds, err := strconv.ParseUint(os.Getenv("TUNSTACK_NIGHTLY"), 10, 64)
	if err != nil {
		t.Skip("for TUNSTACK_NIGHTLY=1, or the number of seeds")
	}
	if seeds == 1 {
		seeds = 100_000
	}
	var next atomic.Uint64
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			for failures := 0; failures < 5; {
				seed := next.Add(1) - 1
				if seed >= seeds {
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

// simulate runs a seed; one that fails is run again to draw what happened.
func simulate(seed uint64) error {
	run := func(hook func(sim.Event)) (*sim.Trial, error) {
		trial := sim.Random(seed, 300_000)
		trial.Sim.Hook = hook
		trial.Sim.Inspect = func(e *sim.End) error {
			if e.Conn == nil {
				return nil
			}
			return e.Conn.Check()
		}
		return trial, trial.Run()
	}
	_, err := run(nil)
	if err == nil {
		return nil
	}
	ladder := sim.NewLadder(80)
	trial, err := run(ladder.Record)
	return fmt.Errorf("seed %d: %w\n%v\n%v", seed, err, trial, ladder)
}
