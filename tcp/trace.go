package tcp

import (
	"time"
)

// Tracer is told all that a connection does, as it does it: it draws the ladder, annotates captures, steps and plots.
// It is called with the connection in the midst of a call and must not call its methods that change anything.
type Tracer interface {
	Trace(now time.Duration, c *Conn, e Event)
}

// EventKind is what an Event tells of.
type EventKind uint8

const (
	SegmentIn        EventKind = iota // a segment arrived; the state is still that before it
	SegmentOut                        // a segment is to be sent; Why says what for
	SegmentDropped                    // the segment that arrived goes no further; Why is the counter, RFC the section, Detail the numbers
	SegmentDuplicate                  // all of the segment that arrived was received before: only its ACK counts; Why is the counter, RFC the section
	StateChanged                      // from From to State()
	TimerArmed                        // Why is the timer, At its new deadline; 0: stopped
	TimerFired                        // Why is the timer
	VariablesChanged                  // what Variables reports, by a call that has just done its work
	RoundTripSample                   // RTT
	LossDetected                      // Bytes are taken for lost; Why is the rule
	RecoveryUndone                    // nothing was lost; Why is the rule that shows it
	UserRead                          // Bytes were read
	UserWrote                         // Bytes were written
	UserClosed                        // Why is "close", "shutdown" or "abort"
)

// Event is something that a connection does. Segment is valid during the call.
type Event struct {
	Kind    EventKind
	Segment *Segment
	Why     string
	RFC     string
	Detail  string // the numbers that decided, relative to the initial sequence numbers; may be empty
	From    State
	At, RTT time.Duration
	Bytes   int
}

// SetTracer makes t the one that is told; nil ends that.
func (c *Conn) SetTracer(t Tracer) {
	c.tracer, c.traced = t, nil
	if t != nil {
		c.traced = &snapshot{timers: c.timers, vars: c.Variables()}
	}
}

// trace tells the tracer; callers whose Event takes work to make ask for the tracer first.
func (c *Conn) trace(now time.Duration, e Event) {
	if c.tracer != nil {
		c.tracer.Trace(now, c, e)
	}
}

// traceSegment tells of a segment. The tracer gets a copy, for what an interface may keep would never live on the stack.
func (c *Conn) traceSegment(now time.Duration, e Event, s *Segment) {
	if c.tracer != nil {
		seg := *s
		e.Segment = &seg
		c.tracer.Trace(now, c, e)
	}
}

// snapshot is what the tracer was last told of values that change in many places.
type snapshot struct {
	timers timers
	vars   Variables
}

// traceChanges tells what has changed since it was last called.
func (c *Conn) traceChanges(now time.Duration) {
	if c.tracer == nil {
		return
	}
	if v := c.Variables(); v != c.traced.vars {
		c.traced.vars = v
		c.trace(now, Event{Kind: VariablesChanged})
	}
	was, is := c.traced.timers.deadlines(), c.timers.deadlines()
	for i := range is {
		if is[i] != was[i] {
			c.trace(now, Event{Kind: TimerArmed, Why: timerNames[i], At: is[i]})
		}
	}
	c.traced.timers = c.timers
}
