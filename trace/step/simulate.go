package step

import (
	"context"
	"net/netip"

	"tunstack/tcp/sim"
	"tunstack/trace"
	"tunstack/trace/scenario"
)

// Simulate steps through a scenario, whose Watch it sets, until its end or until the user quits. If ctx ends it returns the error of
// ctx.
func Simulate(ctx context.Context, sc scenario.Config, cfg Config) error {
	s := newStepper(ctx, cfg, func(local netip.AddrPort) string {
		if local == sc.Ends()[0] {
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

// wire prints the effect of the wire on a segment.
func (s *stepper) wire(e sim.Event) {
	if !e.Arrived && e.Fate != sim.Delivered {
		s.say("    on the wire: %v", e.Fate)
	}
}
