package main

import (
	"context"
	"log/slog"

	"tunstack/internal/clock"
)

// startClock starts the stack's clock. With --debug-clock, or while a debugger is attached, it stands still while the process
// is stopped.
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
