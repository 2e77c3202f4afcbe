package trial

import (
	"fmt"
	"strings"
	"time"

	"tunstack/tcp/sim"
)

// Ladder keeps the latest events of a simulation for a drawing of them after a fault. Record is a Hook of sim.Sim.
type Ladder struct {
	rungs []rung
	n     int
}

type rung struct {
	at      time.Duration
	from    int
	arrived bool
	fate    sim.Fate
	state   string
	segment string
}

// NewLadder returns a Ladder of the latest n events.
func NewLadder(n int) *Ladder { return &Ladder{rungs: make([]rung, n)} }

// Record keeps v.
func (l *Ladder) Record(v sim.Event) {
	l.rungs[l.n%len(l.rungs)] = rung{v.At, v.From, v.Arrived, v.Fate, v.State.String(), v.Segment.String()}
	l.n++
}

// String draws a line per event, with the state of the End that has sent or received the segment. Ends[0] is on the left. The line of
// a segment that arrives has an arrow head.
func (l *Ladder) String() string {
	var b strings.Builder
	for i := max(0, l.n-len(l.rungs)); i < l.n; i++ {
		r := &l.rungs[i%len(l.rungs)]
		left, right := r.state, ""
		if (r.from == 0) == r.arrived {
			left, right = "", r.state
		}
		fmt.Fprintf(&b, "%16v %-12s %s %-12s %v\n", r.at.Round(time.Microsecond), left, r.arrow(), right, r.fate)
	}
	return b.String()
}

func (r *rung) arrow() string {
	ends := [2][2][2]string{ // by sender, arrival
		{{"|-", "--"}, {"--", "->"}},
		{{"--", "-|"}, {"<-", "--"}},
	}
	at := 0
	if r.arrived {
		at = 1
	}
	e := ends[r.from][at]
	return fmt.Sprintf("%s %-72s %s", e[0], r.segment, e[1])
}
