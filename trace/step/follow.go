package step

import (
	"context"
	"io"
	"net/netip"

	"tunstack/trace"
)

// Source reads records of a running stack. Next returns io.EOF when the stack has ended. A stack that holds at each record continues when
// Next is called again.
type Source interface {
	Next() (trace.Record, error)
}

// Follow steps through the records of a running stack. It returns nil when the stack ends, the user quits or ctx ends.
func Follow(ctx context.Context, in Source, cfg Config) error {
	f := &follower{stepper: newStepper(ctx, cfg, func(netip.AddrPort) string { return "stack" })}
	next := make(chan event, 1)
	for !f.quit {
		go func() {
			r, err := in.Next()
			next <- event{r, err}
		}()
		switch e := f.await(next); {
		case f.quit || e.err == io.EOF || ctx.Err() != nil:
			return nil
		case e.err != nil:
			return e.err
		default:
			f.show(&e.record)
		}
	}
	return nil
}

// event is the result of Next.
type event struct {
	record trace.Record
	err    error
}

// follower is a stepper through the records of a stack.
type follower struct {
	*stepper
	turn end // the end of the last record
}

// await waits for the next event, and executes the commands of the user.
func (f *follower) await(next <-chan event) event {
	for !f.quit {
		select {
		case e := <-next:
			return e
		case line, more := <-f.Lines:
			f.obey(line, more, f.turn)
		case <-f.ctx.Done():
			f.quit = true
		}
	}
	return event{}
}

// show prints the ends of the connection if it is not that of the last record, and then the record.
func (f *follower) show(r *trace.Record) {
	if r.Kind == trace.Gap {
		f.say("    %d records are missing: too much happened at once", r.Bytes)
		return
	}
	if f.turn == (end{}) {
		f.start = r.At
	}
	if e := endOf(r); e != f.turn {
		f.turn = e
		f.say("\n=== %v with %v", e.local, e.remote)
	}
	f.stepper.show(r)
}
