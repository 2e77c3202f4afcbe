package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tunstack/trace"
)

// traceFlags are the flags of `tunstack trace`.
type traceFlags struct {
	conn, svg             string
	follow, mermaid, json bool
	sim                   *simulation
}

func (a *app) traceCommand() *cobra.Command {
	f := &traceFlags{}
	cmd := &cobra.Command{
		Use:   "trace [FILE]",
		Short: "Draw TCP connections as ladders",
		Long: `Draws each TCP connection of the running stack as a ladder: the stack's end on the left, the peer's on
the right, an arrow for every segment in tcpdump's notation with relative numbers, and in the margin
the state of the stack's end and the calls of its program. An arrow that ends in an x is a segment that was lost on
its way, or dropped when it arrived; the line below gives the reason.

It records until all connections that it has seen have ended, or until Ctrl-C, and then draws them.
With --follow it draws events as they happen, until Ctrl-C; a lost segment then shows only when it is
retransmitted. With FILE it draws a trace that --json has saved.

With --sim it draws a knock-knock joke, or with --transfer a download, between two of our TCP machines over a
simulated wire, as the server saw it.`,
		Example: `  tunstack trace --follow
  tunstack trace --conn :1414                 the next knock-knock joke
  tunstack trace --conn 10.0.0.1:40000 --svg ladder.svg
  tunstack trace --sim --drop 5               no device, no root
  tunstack trace --json > joke.jsonl; tunstack trace joke.jsonl --mermaid`,
		Args: operands(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd, args); err != nil {
				return err
			}
			from := sourcesOf(f.conn, f.sim, args)[0]
			if f.svg != "" {
				return fill(f.svg, func() (func(io.Writer) error, error) { return a.ladder(cmd.Context(), from) })
			}
			return a.trace(cmd.Context(), f, from)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.conn, "conn", "", "only connections with this `end`: ADDR:PORT, ADDR or :PORT")
	flags.BoolVarP(&f.follow, "follow", "f", false, "draw events as they happen")
	flags.StringVar(&f.svg, "svg", "", "draw into `file`, as SVG")
	flags.BoolVar(&f.mermaid, "mermaid", false, "draw in Mermaid's language")
	flags.BoolVar(&f.json, "json", false, "print the records as JSON, one object per line, instead of drawing them")
	f.sim = simulationFlags(cmd)
	cmd.MarkFlagsMutuallyExclusive("svg", "mermaid", "json")
	return cmd
}

func (f *traceFlags) check(cmd *cobra.Command, args []string) error {
	if _, err := trace.ParseMatch(f.conn); err != nil {
		return usage("--conn: %w", err)
	}
	if f.follow && (f.svg != "" || f.mermaid) {
		return usage("trace: --follow draws text; --svg and --mermaid need the whole trace")
	}
	if f.follow && (f.sim.on || len(args) > 0) {
		return usage("trace: only the running stack can be followed")
	}
	return checkSource(cmd, f.sim, args, 1)
}

// ladder records a connection, and returns a function that writes its ladder as SVG.
func (a *app) ladder(ctx context.Context, from source) (func(io.Writer) error, error) {
	kept, err := a.record(ctx, from, func(trace.Record) {})
	if err != nil {
		return nil, err
	}
	records, err := only(kept)
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error { return trace.WriteSVG(w, trace.Draw(records)) }, nil
}

func (a *app) trace(ctx context.Context, f *traceFlags, from source) error {
	show := func(trace.Record) {}
	switch {
	case f.json:
		out := json.NewEncoder(a.out)
		show = func(r trace.Record) { out.Encode(r) } // fails only if nobody reads the output
	case f.follow:
		show = follower(a.out)
	}
	if f.follow {
		return a.eachRecord(ctx, from, show)
	}
	kept, err := a.record(ctx, from, show)
	if err != nil || f.json {
		return err
	}
	return a.draw(f, kept)
}

// follower draws rungs as records arrive, with a header whenever the connection changes.
func follower(w io.Writer) func(trace.Record) {
	style := styleFor(w)
	pens := map[string]*trace.Pen{}
	last := ""
	return func(r trace.Record) {
		local, remote := r.Local.String(), r.Remote.String()
		key := local + " " + remote
		pen := pens[key]
		if pen == nil {
			pen = &trace.Pen{}
			pens[key] = pen
		}
		rung, ok := pen.Rung(&r)
		if !ok {
			return
		}
		if key != last {
			io.WriteString(w, style.Header(local, remote))
			last = key
		}
		io.WriteString(w, style.Rung(&rung))
		if r.Kind == trace.State && r.Vars.State == "CLOSED" {
			delete(pens, key)
		}
	}
}

// draw draws the recorded connections as text.
func (a *app) draw(f *traceFlags, kept *trace.Recording) error {
	write := styleFor(a.out).Write
	if f.mermaid {
		write = trace.WriteMermaid
	}
	for i, records := range kept.Connections() {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if err := write(a.out, trace.Draw(records)); err != nil {
			return err
		}
	}
	return nil
}
