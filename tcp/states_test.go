package tcp_test

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The table of RFC 9293 section 3.10: each event in each state. The events are in states_user_test.go and
// states_segment_test.go; the host they happen on is in states_host_test.go.

// states is a set of states; SYN-RECEIVED counts as two, by who opened (section 3.5, MUST-11).
type states uint16

const (
	closed states = 1 << iota
	listen
	synSent
	passive // SYN-RECEIVED by the peer's SYN
	crossed // SYN-RECEIVED from SYN-SENT, by crossing SYNs
	estab
	finWait1
	finWait2
	closeWait
	closing
	lastAck
	timeWait

	synRcvd   = passive | crossed
	handshake = synSent | synRcvd
	none      = closed | listen // no connection
	receives  = estab | finWait1 | finWait2
	ended     = closeWait | closing | lastAck | timeWait // the peer's FIN is in
	synced    = receives | ended
	live      = synRcvd | synced // those of section 3.10.7.4
	every     = none | synSent | live
)

var columns = [...]struct{ name, short string }{
	{"CLOSED", "CLOSED"}, {"LISTEN", "LISTEN"}, {"SYN-SENT", "SYN-SENT"}, {"SYN-RECEIVED", "RCVD-P"}, {"SYN-RECEIVED", "RCVD-A"},
	{"ESTABLISHED", "ESTAB"}, {"FIN-WAIT-1", "FIN-W-1"}, {"FIN-WAIT-2", "FIN-W-2"}, {"CLOSE-WAIT", "CLOSE-W"}, {"CLOSING", "CLOSING"},
	{"LAST-ACK", "LAST-ACK"}, {"TIME-WAIT", "TIME-W"},
}

// event is a row of the table.
type event struct {
	name    string
	prelude func(*host) // done as soon as the connection is established, or before it opens if it will not be
	happens func(*host) string
	cells   []cell
}

// cell is what an event does in some states: the state after ("=" the same), the segments sent, and what the user sees, apart by
// semicolons. What is left out is no segment, and the usual sight, see host.usual. "n/a" says that it cannot happen, and why.
type cell struct {
	in   states
	then string
	why  string // the section of RFC 9293, or of another RFC, or the reason to deviate
}

func na(in states, why string) cell { return cell{in, "n/a", why} }

// outcome is a cell's text, taken apart.
type outcome struct{ state, sends, sees string }

func (c cell) outcome(state string) outcome {
	parts := append(strings.Split(c.then, ";"), "", "")
	o := outcome{strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1]), strings.TrimSpace(parts[2])}
	if o.state == "=" {
		o.state = state
	}
	return o
}

// brief is how the printed table shows what happened.
func (o outcome) brief(before string) string {
	var b []string
	if o.state != before {
		b = append(b, ">"+abbreviate(o.state))
	}
	for _, s := range strings.Split(o.sends, ", ") {
		flags, rest, _ := strings.Cut(s, " ")
		switch {
		case s == "":
		case strings.ContainsAny(flags, "SFR"):
			b = append(b, strings.Trim(flags, ".P"))
		case strings.Contains(rest, "("):
			b = append(b, "data")
		default:
			b = append(b, "ack")
		}
	}
	if len(b) == 0 {
		return "-"
	}
	return strings.Join(b, " ")
}

func abbreviate(state string) string {
	for _, c := range columns {
		if c.name == state {
			return strings.TrimSuffix(strings.TrimSuffix(c.short, "-P"), "-A")
		}
	}
	return state
}

func allEvents() []event {
	var all []event
	for _, group := range [][]event{userEvents, timerEvents, strayEvents, ackEvents, dataEvents, finEvents, resetEvents, synEvents} {
		all = append(all, group...)
	}
	return all
}

// TestEveryEventInEveryState plays all of RFC 9293 section 3.10: TCP-131 to TCP-156, TCP-014, TCP-019, TCP-020, TCP-021, TCP-022,
// TCP-023, TCP-026. With -v it prints the table.
func TestEveryEventInEveryState(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%-34s", "")
	for _, c := range columns {
		fmt.Fprintf(&table, "|%-13s", c.short)
	}
	for _, ev := range allEvents() {
		fmt.Fprintf(&table, "\n%-34s", ev.name)
		for i := range columns {
			in := states(1) << i
			c := ev.cell(t, in)
			if c.then == "n/a" {
				table.WriteString("|n/a          ")
				continue
			}
			fmt.Fprintf(&table, "|%-13s", c.outcome(columns[i].name).brief(columns[i].name))
			t.Run(ev.name+"/"+columns[i].short, func(t *testing.T) { ev.play(t, in, c) })
		}
	}
	t.Log("\n" + table.String())
}

// cell is the one for a state: exactly one there must be, with a reason.
func (ev event) cell(t *testing.T, in states) cell {
	var found []cell
	for _, c := range ev.cells {
		if c.in&in != 0 {
			found = append(found, c)
		}
	}
	require.Len(t, found, 1, "%s in %s", ev.name, columns[bits.TrailingZeros16(uint16(in))].name)
	require.NotEmpty(t, found[0].why, ev.name)
	return found[0]
}

func (ev event) play(t *testing.T, in states, c cell) {
	h := newHost(t)
	if ev.prelude != nil {
		h.prelude = func() { ev.prelude(h) }
	}
	h.reach(in)
	before := columns[bits.TrailingZeros16(uint16(in))].name
	require.Equal(t, before, h.state(), "the state to begin with")
	want := c.outcome(before)
	sees := ev.happens(h)
	if sees == "" {
		sees = h.sees()
	}
	if want.sees == "" {
		want.sees = h.usual(in, want.state)
	}
	got := outcome{h.state(), h.took(), sees}
	require.Equal(t, want, got, "%s in %s (%s)", ev.name, before, c.why)
	h.after(10 * time.Minute) // whatever comes of it, nothing breaks
}
