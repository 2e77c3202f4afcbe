package tcp

import "time"

// Tracer receives the events of a connection as they happen: the ladder, annotated captures, stepping and plots are made from these events.
type Tracer interface {
	// Trace is called within a method of c. It must not call methods that change c.
	Trace(now time.Duration, c *Conn, e Event)
}

// EventKind is the kind of an Event.
type EventKind uint8

const (
	SegmentIn        EventKind = iota // a segment has arrived; the state is still that before it
	SegmentOut                        // Output returns a segment; Why is its purpose
	SegmentDropped                    // the segment of the last SegmentIn is dropped; Why is the counter, RFC the section, Detail the numbers
	SegmentDuplicate                  // all data of that segment was received before, and only its ACK is processed; Why is the counter, RFC the section
	StateChanged                      // the state has changed from From to State()
	TimerArmed                        // a timer has a new deadline; Why is the timer, At the deadline; 0: stopped
	TimerFired                        // a timer has expired; Why is the timer
	VariablesChanged                  // a call has changed the Variables
	RoundTripSample                   // RTT is an RTT sample
	LossDetected                      // Bytes are marked lost; Why is the rule
	RecoveryUndone                    // the recovery was spurious; Why is the rule that shows it
	UserRead                          // the user has read Bytes
	UserWrote                         // the user has written Bytes
	UserClosed                        // the user has closed; Why is "close", "shutdown" or "abort"
)

// Event is an event of a connection. Segment is valid during the call only.
type Event struct {
	Kind    EventKind
	Segment *Segment
	Why     string
	RFC     string
	Detail  string // the numbers that caused a drop, relative to the initial sequence numbers; may be empty
	From    State
	At, RTT time.Duration
	Bytes   int
}

// SetTracer sets the tracer; nil removes it.
func (c *Conn) SetTracer(t Tracer) {
	c.tracer, c.traced = t, nil
	if t != nil {
		c.traced = &snapshot{timers: c.timers, vars: c.Variables()}
	}
}

// trace passes e to the tracer. A caller whose Event is expensive to make checks for a tracer first.
func (c *Conn) trace(now time.Duration, e Event) {
	if c.tracer != nil {
		c.tracer.Trace(now, c, e)
	}
}

// traceSegment traces a segment. It passes a copy: if s itself went to the interface, each Segment would be allocated on the heap.
func (c *Conn) traceSegment(now time.Duration, e Event, s *Segment) {
	if c.tracer != nil {
		seg := *s
		e.Segment = &seg
		c.tracer.Trace(now, c, e)
	}
}

// snapshot is the last traced state of the values that change in many places.
type snapshot struct {
	timers timers
	vars   Variables
}

// traceChanges traces the variables and timers that have changed since its last call.
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
