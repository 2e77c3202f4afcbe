package step

import (
	"fmt"
	"slices"
	"strings"

	"tunstack/tcp"
	"tunstack/trace"
)

// Break is an event to hold at.
type Break struct {
	text  string
	kind  trace.Kind
	state string // if kind is State
	why   string // if kind is Out
}

// BreakHelp lists the texts that ParseBreak takes.
const BreakHelp = "state=NAME, retransmit, loss or drop"

// ParseBreak parses a Break: "state=FIN-WAIT-1" holds when either end enters the state, "retransmit" before a retransmission, "loss" when
// data are marked lost, "drop" when a segment that arrives is dropped or was received before.
func ParseBreak(text string) (Break, error) {
	switch text {
	case "retransmit":
		return Break{text: text, kind: trace.Out, why: "retransmission"}, nil
	case "loss":
		return Break{text: text, kind: trace.Loss}, nil
	case "drop":
		return Break{text: text, kind: trace.Drop}, nil
	}
	name, ok := strings.CutPrefix(text, "state=")
	name = strings.ToUpper(name)
	if !ok || !slices.Contains(stateNames(), name) {
		return Break{}, fmt.Errorf("%q: it must be %s; the states are %s", text, BreakHelp, strings.Join(stateNames(), ", "))
	}
	return Break{text: "state=" + name, kind: trace.State, state: name}, nil
}

// String returns the text for ParseBreak.
func (b Break) String() string { return b.text }

func (b Break) hit(r *trace.Record) bool {
	kind := r.Kind
	if kind == trace.Again {
		kind = trace.Drop
	}
	return kind == b.kind && (b.state == "" || b.state == r.Vars.State) && (b.why == "" || b.why == r.Why)
}

// stateNames are the states that a connection can enter.
func stateNames() []string {
	var names []string
	for s := tcp.SynSent; s <= tcp.TimeWait; s++ {
		names = append(names, s.String())
	}
	return append(names, tcp.Closed.String())
}
