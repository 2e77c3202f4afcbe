package tcp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
	"tunstack/tcp/sim"
)

// reordering is the table of paths that reorder segments.
func reordering(doc *bytes.Buffer) {
	doc.WriteString(`
## Reordering

Shares of the bottleneck in per cent over a minute, after ten seconds, when 1 % of the segments take up to twice the delay of the others, and
nothing is lost but what the queue refuses. A recovery is undone when D-SACKs, timestamps (Eifel) or F-RTO show that nothing was lost. With
SACK, RACK waits for most segments that are late, and the recoveries that stay are losses of the queue. Without SACK three segments that
overtake one begin a recovery each time.

| Mbit/s | RTT ms | | in order | 1 % | recoveries | undone | 1 %, no timestamps | recoveries | undone | 1 %, no SACK | recoveries | undone |
|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
`)
	paths := []path{{10, 40 * time.Millisecond, 1, 0}, {100, 20 * time.Millisecond, 1, 0}, {100, 100 * time.Millisecond, 1, 0}}
	n := len(tcp.Algorithms)
	rows := make([]string, len(paths)*n)
	each(len(rows), func(i int) {
		p, algorithm := paths[i/n], tcp.Algorithms[i%n]
		inOrder, _, _ := reordered(p, tcp.Config{Congestion: algorithm}, 0)
		rows[i] = fmt.Sprintf("| %d | %d | %s | %.1f |", p.mbit, p.rtt.Milliseconds(), algorithm, 100*inOrder)
		for _, cfg := range []tcp.Config{{}, {NoTimestamps: true}, {NoSACK: true}} {
			cfg.Congestion = algorithm
			share, recoveries, undone := reordered(p, cfg, 0.01)
			rows[i] += fmt.Sprintf(" %.1f | %d | %d |", 100*share, recoveries, undone)
		}
		rows[i] += "\n"
	})
	doc.WriteString(strings.Join(rows, ""))
}

// reordered is the share of a path that a connection uses, the number of its recoveries, of the timeouts among them, and of those undone.
func reordered(p path, cfg tcp.Config, reorder float64) (share float64, recoveries, undone uint64) {
	st := new(tcp.Stats)
	cfg.Stats = st
	s := sim.New(1, 0)
	forth, back := p.links()
	forth.Reorder = reorder
	f := connect(s, 0, cfg, endless, forth, back)
	run(s, 10*time.Second)
	before := f.dst.Got
	run(s, 70*time.Second)
	share = float64(f.dst.Got-before) / 60 / float64(p.rate())
	return share, st.FastRecoveries.Value() + st.Timeouts.Value(), st.UndoDSACK.Value() + st.UndoEifel.Value() + st.UndoFRTO.Value()
}

// TCP-243, TCP-244: reordering costs a connection little, by whatever rule it detects spurious recoveries. With SACK, RACK waits for most
// late segments; without SACK, Eifel undoes the recoveries that three duplicate ACKs begin.
func TestReordering(t *testing.T) {
	tcp.SkipBulk(t)
	p := path{mbit: 20, rtt: 40 * time.Millisecond, queue: 1}
	for _, algorithm := range tcp.Algorithms {
		for _, cfg := range []tcp.Config{{}, {NoTimestamps: true}, {NoSACK: true}} {
			if cfg.Congestion = algorithm; cfg.NoSACK && algorithm == "bbr" {
				continue // many segments overflow the queue, and one is repaired per round trip
			}
			inOrder, _, _ := reordered(p, cfg, 0)
			share, recoveries, undone := reordered(p, cfg, 0.01)
			require.Greater(t, share, 0.9*inOrder, "%+v", cfg)
			if cfg.NoSACK {
				require.Greater(t, undone, recoveries*9/10, algorithm)
			}
		}
	}
}
