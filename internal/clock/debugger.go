package clock

import (
	"context"
	"time"
)

// debuggerBeat is the time between two checks for a debugger.
const debuggerBeat = time.Second

// RunWhileDebugged runs c while a debugger is attached to the process, until ctx ends, and calls attached each time it finds a
// debugger. It can find one only while the process runs: c counts the stop by which the debugger attaches.
func RunWhileDebugged(ctx context.Context, c *Steady, attached func()) {
	beat := time.NewTicker(debuggerBeat)
	defer beat.Stop()
	stop := func() {}
	defer func() { stop() }()
	for running := false; ; {
		switch here := debugged(); {
		case here && !running:
			attached()
			stop = start(ctx, c)
			running = true
		case !here && running:
			stop()
			stop, running = func() {}, false
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
	}
}

// start runs c until stop is called; stop returns when c has ended.
func start(ctx context.Context, c *Steady) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
