package step

import (
	"context"
	"net/netip"

	"tunstack/tcp/sim"
	"tunstack/trace"
	"tunstack/trace/dialogue"
)

// maxSteps bounds a dialogue whose segments are all lost.
const maxSteps = 100_000

// Simulate goes through a dialogue, whose Watch it sets, to its end, or until the user quits or ctx ends, and then returns
// ctx's error.
func Simulate(ctx context.Context, d dialogue.Config, cfg Config) error {
	s := newStepper(ctx, cfg, func(local netip.AddrPort) string {
		if local == dialogue.Ends[0] {
			return "client"
		}
		return "server"
	})
	d.Watch = func(_ int, r trace.Record) { s.show(&r) }
	world := dialogue.New(d)
	world.Hook = s.wire
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

// wire is told what becomes of a segment.
func (s *stepper) wire(e sim.Event) {
	if !e.Arrived && e.Fate != sim.Delivered {
		s.say("    on the wire: %v", e.Fate)
	}
}
