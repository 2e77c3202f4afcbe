package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tunstack/internal/trace"
)

// traceFlags are the flags of `tunstack trace`.
type traceFlags struct {
	conn, svg             string
	follow, mermaid, json bool
}

func (a *app) traceCommand() *cobra.Command {
	f := &traceFlags{}
	cmd := &cobra.Command{
		Use:   "trace [FILE]",
		Short: "Draw what TCP connections do",
		Long: `Draws each TCP connection of the running stack as a ladder: our end on the left, the peer's on
the right, an arrow for every segment in tcpdump's notation with relative numbers, and in the margin
the state we are in and what our program did. An arrow that ends in an x was lost on its way, or
dropped when it arrived, and why is said below it.

It records until the connections that it has seen have ended, or until Ctrl-C, and then draws them.
With --follow it draws as things happen, until Ctrl-C; what was lost is then only seen when it is
sent again. With FILE it draws a trace that --json has saved.`,
		Example: `  tunstack trace --follow
  tunstack trace --conn :1414                 the next knock-knock joke
  tunstack trace --conn 10.0.0.1:40000 --svg ladder.svg
  tunstack trace --json > joke.jsonl; tunstack trace joke.jsonl --mermaid`,
		Args: operands(0, 1, "at most a FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(args); err != nil {
				return err
			}
			return a.trace(cmd.Context(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.conn, "conn", "", "only connections with this `end`: ADDR:PORT, ADDR or :PORT")
	flags.BoolVarP(&f.follow, "follow", "f", false, "draw as things happen")
	flags.StringVar(&f.svg, "svg", "", "draw into `file`, as a picture")
	flags.BoolVar(&f.mermaid, "mermaid", false, "draw in Mermaid's language, for a page")
	flags.BoolVar(&f.json, "json", false, "print the records, one JSON object to the line, instead of drawing them")
	cmd.MarkFlagsMutuallyExclusive("svg", "mermaid", "json")
	return cmd
}

func (f *traceFlags) check(args []string) error {
	if _, err := trace.ParseMatch(f.conn); err != nil {
		return usage("--conn %w", err)
	}
	if f.follow && (f.svg != "" || f.mermaid) {
		return usage("trace: --follow draws text; --svg and --mermaid want the whole trace")
	}
	if f.follow && len(args) > 0 {
		return usage("trace: a FILE has nothing to follow")
	}
	return nil
}

// records is where records come from: the running stack, or a file. Next returns io.EOF after the last.
type records interface {
	Next() (trace.Record, error)
	Close() error
}

// openRecords opens a saved trace, or watches the running stack.
func (a *app) openRecords(ctx context.Context, conn string, args []string) (records, error) {
	if len(args) > 0 {
		return openTrace(args[0], conn)
	}
	live, err := a.client().Trace(ctx, conn)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(a.err, "tracing; Ctrl-C ends it")
	return live, nil
}

// eachRecord calls f with the records until they end or ctx does, neither of which is an error.
func eachRecord(ctx context.Context, in records, f func(trace.Record)) error {
	for {
		r, err := in.Next()
		switch {
		case err == io.EOF || ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		f(r)
	}
}

// lastWords is how long a trace goes on when all connections have ended: the final segment is yet to leave.
const lastWords = 100 * time.Millisecond

func (a *app) trace(ctx context.Context, f *traceFlags, args []string) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	in, err := a.openRecords(ctx, f.conn, args)
	if err != nil {
		return err
	}
	defer in.Close()
	var kept trace.Recording
	show := func(trace.Record) {}
	switch {
	case f.json:
		out := json.NewEncoder(a.out)
		show = func(r trace.Record) { out.Encode(r) } // fails only when nobody reads
	case f.follow:
		show = follower(a.out)
	}
	err = eachRecord(ctx, in, func(r trace.Record) {
		show(r)
		if f.follow {
			return
		}
		kept.Add(r)
		if len(args) == 0 && kept.Ended() {
			time.AfterFunc(lastWords, end)
		}
	})
	if err != nil || f.json || f.follow {
		return err
	}
	return a.draw(f, &kept)
}

// follower draws rungs as they come, with the two ends above them whenever it is another connection's turn.
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

// draw draws what was recorded.
func (a *app) draw(f *traceFlags, kept *trace.Recording) error {
	conns := kept.Connections()
	if len(conns) == 0 {
		return errors.New("no connection did anything")
	}
	if f.svg != "" {
		if len(conns) > 1 {
			return fmt.Errorf("%d connections do not fit into one picture; choose one with --conn", len(conns))
		}
		return writeFile(f.svg, func(w io.Writer) error { return trace.WriteSVG(w, trace.Draw(conns[0])) })
	}
	write := styleFor(a.out).Write
	if f.mermaid {
		write = trace.WriteMermaid
	}
	for i, records := range conns {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if err := write(a.out, trace.Draw(records)); err != nil {
			return err
		}
	}
	return nil
}

// writeFile makes a file of what write writes.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// savedTrace reads what --json has saved.
type savedTrace struct {
	*os.File
	in    *json.Decoder
	match trace.Match
}

func openTrace(name, conn string) (*savedTrace, error) {
	match, err := trace.ParseMatch(conn)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &savedTrace{f, json.NewDecoder(f), match}, nil
}

// Next implements records.
func (s *savedTrace) Next() (r trace.Record, err error) {
	for {
		switch err := s.in.Decode(&r); {
		case err == io.EOF:
			return r, io.EOF
		case err != nil:
			return r, fmt.Errorf("%s: not a trace that `tunstack trace --json` has saved: %w", s.Name(), err)
		case r.Kind == trace.Gap || s.match(r.Local, r.Remote):
			return r, nil
		}
		r = trace.Record{}
	}
}
