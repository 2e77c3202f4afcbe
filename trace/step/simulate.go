package step

import (
	"context"
	"net/netip"

	"tunstack/tcp/sim"
	"tunstack/trace"
	"tunstack/trace/scenario"
)

// Simulate goes through a scenario, whose Watch it sets, to its end, or until the user quits or ctx ends, and then returns
// ctx's error.
func Simulate(ctx context.Context, sc scenario.Config, cfg Config) error {
	s := newStepper(ctx, cfg, func(local netip.AddrPort) string {
		if local == scenario.Ends[0] {
			return "client"
		}
		return "server"
	})
	sc.Watch = func(_ int, r trace.Record) { s.show(&r) }
	world := scenario.New(sc)
	world.Hook = s.wire
	for range sc.MaxSteps() {
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
