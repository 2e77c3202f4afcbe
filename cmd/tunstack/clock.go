package main

import (
	"context"
	"log/slog"

	"tunstack/internal/clock"
)

// startClock starts the stack's clock. It stands still while the process does if that is asked for, or a debugger is
// attached.
func (n *node) startClock(cfg upConfig, log *slog.Logger) {
	n.clock = clock.NewSteady(clock.NewReal())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if cfg.debugClock {
			n.clock.Run(ctx)
			return
		}
		clock.RunWhileDebugged(ctx, n.clock, func() { log.Warn("a debugger is attached: the stack's time stops whenever the process does") })
	}()
	n.onClose(func() error {
		cancel()
		<-done
		return nil
	})
}
