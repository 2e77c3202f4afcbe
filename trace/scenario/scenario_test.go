package scenario

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
	"tunstack/trace"
)

// run returns the records of the server.
func run(t *testing.T, cfg Config) (records []trace.Record) {
	t.Helper()
	cfg.Watch = func(end int, r trace.Record) {
		if end == 1 {
			records = append(records, r)
		}
	}
	require.NoError(t, New(cfg).Run(cfg.MaxSteps()))
	return records
}

// A joke and a download end in CLOSED whatever is lost on the way, and the same Config makes the same records.
func TestScenarios(t *testing.T) {
	for _, cfg := range []Config{
		{Seed: 1, Loss: 0.2},
		{Seed: 2, Delay: time.Second, Drop: []int{1, 2, 3}},
		{Seed: 3, Transfer: 1 << 20, Loss: 0.01, Delay: 10 * time.Millisecond, Rate: 20_000_000},
		{Seed: 3, Transfer: 1 << 20, Loss: 0.01, Delay: 10 * time.Millisecond, Rate: 20_000_000, Congestion: "bbr"},
		{Seed: 4, Transfer: 1 << 20},
		{Seed: 5, IPv6: true, Loss: 0.2},
	} {
		records := run(t, cfg)
		last := records[len(records)-1].Vars
		require.Equal(t, tcp.Closed.String(), last.State, "%+v", cfg)
		if cfg.Transfer > 0 {
			require.EqualValues(t, cfg.Transfer, last.Acked)
		}
		require.Equal(t, records, run(t, cfg))
	}
}
