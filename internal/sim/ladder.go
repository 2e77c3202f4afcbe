package sim

import (
	"fmt"
	"strings"
	"time"
)

// Ladder keeps the latest events of a simulation, to be drawn when something has gone wrong. Record is a Sim.Hook.
type Ladder struct {
	rungs []rung
	n     int
}

type rung struct {
	at      time.Duration
	from    int
	arrived bool
	fate    Fate
	state   string
	segment string
}

// NewLadder returns a Ladder of the latest n events.
func NewLadder(n int) *Ladder { return &Ladder{rungs: make([]rung, n)} }

// Record keeps an event.
func (l *Ladder) Record(v Event) {
	l.rungs[l.n%len(l.rungs)] = rung{v.At, v.From, v.Arrived, v.Fate, v.State.String(), v.Segment.String()}
	l.n++
}

// String draws a line per event: the first End's state on the left, the second's on the right. A segment that was sent
// ends in ">" or "<", or in the word of its loss; one that arrives begins with it.
func (l *Ladder) String() string {
	var b strings.Builder
	for i := max(0, l.n-len(l.rungs)); i < l.n; i++ {
		r := &l.rungs[i%len(l.rungs)]
		left, right := "", ""
		if (r.from == 0) != r.arrived {
			left = r.state
		} else {
			right = r.state
		}
		fmt.Fprintf(&b, "%14v %12s %s %-12s %v\n", r.at.Round(time.Microsecond), left, r.arrow(), right, r.fate)
	}
	return b.String()
}

func (r *rung) arrow() string {
	text := fmt.Sprintf("%-70s", r.segment)
	switch {
	case r.from == 0 && r.arrived:
		return "   " + text + " -->"
	case r.from == 0:
		return "-- " + text + "    "
	case r.arrived:
		return "<- " + text + "    "
	}
	return "   " + text + " --|"
}
