// Package step goes through a simulated dialogue of two TCP machines segment by segment, and says what each of them does
// to the machine: its state before and after, the variables that change, and the section of the RFC that decides.
package step

import (
	"context"
	"fmt"
	"io"
	"time"

	"tunstack/internal/sim"
	"tunstack/internal/trace"
	"tunstack/internal/trace/dialogue"
)

// Config is what to step through, and how.
type Config struct {
	Dialogue dialogue.Config // its Watch is Run's
	Breaks   []Break         // where to hold; none: before each segment
	Lines    <-chan string   // what the user types while it holds; nil: it never does
	Out      io.Writer
}

// Help says what may be typed while it holds.
const Help = "Enter goes on to the next segment, c to the next break, p prints all variables, q quits"

// names of the ends of the dialogue.
var names = [2]string{"client", "server"}

// maxSteps bounds a dialogue whose segments are all lost.
const maxSteps = 100_000

// Run goes through the dialogue to its end, or until the user quits or ctx ends, and then returns ctx's error.
func Run(ctx context.Context, cfg Config) error {
	s := &stepper{ctx: ctx, Config: cfg, holding: len(cfg.Breaks) == 0}
	cfg.Dialogue.Watch = s.watch
	world := dialogue.New(cfg.Dialogue)
	world.Hook, world.Inspect = s.wire, s.inspect
	for range maxSteps {
		if s.quit || !world.Step() {
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return world.Err()
}

// stepper is a run.
type stepper struct {
	Config
	ctx     context.Context
	count   int // segments so far, on their way out
	holding bool
	quit    bool
	vars    [2]trace.Vars // as they were last shown
	shown   time.Duration // the time that was last shown
}

// say prints a line unless the user has quit.
func (s *stepper) say(format string, args ...any) {
	if !s.quit {
		fmt.Fprintf(s.Out, format+"\n", args...)
	}
}

// watch is told what an end does.
func (s *stepper) watch(end int, r trace.Record) {
	name := names[end]
	s.heading(&r)
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
		s.say("    %s drops it: %s (%s)", name, r.Why, r.RFC)
	case trace.Loss:
		s.say("    %s takes %d octets for lost, by %s (%s)", name, r.Octets, r.Why, r.RFC)
	case trace.Fired:
		s.say("    %s: the %s timer expires (%s)", name, r.Why, r.RFC)
	case trace.Timer:
		s.timer(name, &r)
	case trace.RTT:
		s.say("    %s measures a round trip of %v (%s)", name, r.RTT.Round(time.Microsecond), r.RFC)
	case trace.Read, trace.Write:
		s.say("    %s's program: %s %d", name, r.Kind, r.Octets)
	case trace.Close:
		s.say("    %s's program: %s (%s)", name, r.Why, r.RFC)
	}
	s.hold(&r)
}

// heading sets a segment, and all that happens at another time, apart from what is above.
func (s *stepper) heading(r *trace.Record) {
	if s.shown != r.At {
		s.shown = r.At
		s.say("\n%s s", at(r.At))
	} else if r.Kind == trace.In || r.Kind == trace.Out {
		s.say("")
	}
}

func (s *stepper) timer(name string, r *trace.Record) {
	if r.Deadline == 0 {
		s.say("    %s stops the %s timer", name, r.Why)
		return
	}
	s.say("    %s sets the %s timer to %s", name, r.Why, at(r.Deadline))
}

// wire is told what becomes of a segment.
func (s *stepper) wire(e sim.Event) {
	if !e.Arrived && e.Fate != sim.Delivered {
		s.say("    on the wire: %v", e.Fate)
	}
}

// inspect shows what has changed in an end.
func (s *stepper) inspect(e *sim.End) error {
	if e.Conn == nil {
		return nil
	}
	now := trace.VarsOf(e.Conn)
	if changes := changed(&s.vars[e.Index()], &now); changes != "" {
		s.say("    %s: %s", names[e.Index()], changes)
	}
	s.vars[e.Index()] = now
	return nil
}

// hold waits for the user where that is asked for.
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
			if s.obey(line, more) {
				return
			}
		}
	}
}

// obey does what the user has typed, and says whether to go on.
func (s *stepper) obey(line string, more bool) bool {
	switch {
	case !more || line == "c":
		s.holding = false
		return true
	case line == "":
		return true
	case line == "q":
		s.quit = true
	case line == "p":
		for end, v := range s.vars {
			if v.State == "" { // it has not begun
				continue
			}
			s.say("    %s: state %s, %s", names[end], v.State, changed(&trace.Vars{}, &v))
		}
	default:
		s.say("    %s", Help)
	}
	return false
}

func at(t time.Duration) string { return fmt.Sprintf("%.6f", t.Seconds()) }
