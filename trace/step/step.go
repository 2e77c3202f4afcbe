// Package step steps through TCP connections segment by segment, those of a simulated scenario or of a running stack. For each segment it
// prints the state before and after, the variables that change, and the RFC section that decides.
package step

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"tunstack/tcp"
	"tunstack/trace"
)

// Config is the configuration of a run.
type Config struct {
	Breaks []Break       // where to hold; none: before each segment
	Lines  <-chan string // the input of the user; nil: there is no user, and it never holds
	Out    io.Writer
}

// Help lists the commands.
const Help = "Enter goes on to the next segment, c to the next break, p prints all variables, q quits"

// stepper is a run.
type stepper struct {
	Config
	ctx     context.Context
	name    func(local netip.AddrPort) string // of an end
	vars    map[end]trace.Vars                // as last printed; without the ends that are CLOSED
	count   int                               // segments sent so far
	holding bool
	quit    bool
	start   time.Duration // the time that is printed as 0
	shown   time.Duration // the time printed last
}

// end is one end of a connection.
type end struct{ local, remote netip.AddrPort }

func endOf(r *trace.Record) end { return end{r.Local, r.Remote} }

func newStepper(ctx context.Context, cfg Config, name func(netip.AddrPort) string) *stepper {
	return &stepper{Config: cfg, ctx: ctx, name: name, vars: map[end]trace.Vars{}, holding: len(cfg.Breaks) == 0, shown: -1}
}

// say prints a line unless the user has quit.
func (s *stepper) say(format string, args ...any) {
	if !s.quit {
		fmt.Fprintf(s.Out, format+"\n", args...)
	}
}

// show prints a record, and holds if a break or a step asks for it.
func (s *stepper) show(r *trace.Record) {
	s.heading(r)
	s.tell(s.name(r.Local), r)
	s.hold(r)
	if r.Kind == trace.Out || r.Kind == trace.Change {
		s.changes(r)
	}
}

func (s *stepper) tell(name string, r *trace.Record) {
	switch r.Kind {
	case trace.Out:
		s.count++
		s.say("#%d %s sends in %s: %s", s.count, name, r.Vars.State, r.Segment.Text)
		s.say("    because: %s (%s)", r.Why, r.RFC)
	case trace.In:
		s.say("%s gets in %s: %s", name, r.Vars.State, r.Segment.Text)
		s.say("    decides: %s", r.RFC)
	case trace.State:
		s.say("    %s: %s -> %s (%s)", name, r.From, r.Vars.State, r.RFC)
	case trace.Drop:
		s.say("    %s drops it: %s", name, r.Reason())
	case trace.Again:
		s.say("    %s has it already: %s", name, r.Reason())
	case trace.Loss:
		s.say("    %s takes %d bytes for lost, by %s (%s)", name, r.Bytes, r.Why, r.RFC)
	case trace.Undone:
		s.say("    %s finds that nothing was lost, by %s (%s)", name, r.Why, r.RFC)
	case trace.Fired:
		s.say("    %s: the %s timer expires (%s)", name, r.Why, r.RFC)
	case trace.Timer:
		s.timer(name, r)
	case trace.RTT:
		s.say("    %s measures a round trip of %v (%s)", name, r.RTT.Round(time.Microsecond), r.RFC)
	case trace.Read, trace.Write:
		s.say("    %s's program: %s %d", name, r.Kind, r.Bytes)
	case trace.Close:
		s.say("    %s's program: %s (%s)", name, r.Why, r.RFC)
	}
}

// heading prints a new time, or an empty line before a segment.
func (s *stepper) heading(r *trace.Record) {
	if s.shown != r.At {
		s.shown = r.At
		s.say("\n%s s", s.at(r.At))
	} else if r.Kind == trace.In || r.Kind == trace.Out {
		s.say("")
	}
}

func (s *stepper) timer(name string, r *trace.Record) {
	if r.Deadline == 0 {
		s.say("    %s stops the %s timer", name, r.Why)
		return
	}
	s.say("    %s sets the %s timer to %s", name, r.Why, s.at(r.Deadline))
}

// changes prints the variables of an end that have changed.
func (s *stepper) changes(r *trace.Record) {
	was, known := s.vars[endOf(r)]
	closed := r.Vars.State == tcp.Closed.String()
	if list := changed(&was, &r.Vars); list != "" && (known || !closed) {
		s.say("    %s: %s", s.name(r.Local), list)
	}
	if closed {
		delete(s.vars, endOf(r))
	} else {
		s.vars[endOf(r)] = r.Vars
	}
}

// hold waits for a command of the user if a break or a step asks for it.
func (s *stepper) hold(r *trace.Record) {
	hit := false
	for _, b := range s.Breaks {
		if b.hit(r) {
			s.say("    break: %v", b)
			s.holding, hit = true, true
		}
	}
	atSegment := r.Kind == trace.In || r.Kind == trace.Out
	for s.Lines != nil && s.holding && !s.quit && (atSegment || hit) {
		select {
		case <-s.ctx.Done():
			s.quit = true
		case line, more := <-s.Lines:
			if s.obey(line, more, endOf(r)) {
				return
			}
		}
	}
}

// obey executes a command that the user has typed at an end, and reports whether to continue.
func (s *stepper) obey(line string, more bool, at end) bool {
	switch {
	case !more:
		s.Lines = nil
		return true
	case line == "c":
		s.holding = false
		return true
	case line == "":
		s.holding = true
		return true
	case line == "q":
		s.quit = true
	case line == "p":
		s.variables(at)
	default:
		s.say("    %s", Help)
	}
	return false
}

// variables prints all known variables of both ends of a connection.
func (s *stepper) variables(e end) {
	for _, e := range []end{e, {e.remote, e.local}} {
		if v, known := s.vars[e]; known {
			s.say("    %s: state %s, %s", s.name(e.local), v.State, changed(&trace.Vars{}, &v))
		}
	}
}

func (s *stepper) at(t time.Duration) string { return fmt.Sprintf("%.6f", (t - s.start).Seconds()) }
