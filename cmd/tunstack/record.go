package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"tunstack/trace"
	"tunstack/trace/scenario"
)

// records reads records from the running stack, a file or a simulation. Next returns io.EOF after the last.
type records interface {
	Next() (trace.Record, error)
	Close() error
}

// source is where a command takes its records from: a simulation, a file, or the running stack.
type source struct {
	conn string // only connections that match it (trace.ParseMatch)
	file string
	sim  *scenario.Config // nil: no simulation
}

// live reports whether the source is the running stack.
func (s source) live() bool { return s.file == "" && s.sim == nil }

// sourcesOf returns the sources that the flags and the operand, a file, name: one, or one per simulation.
func sourcesOf(conn string, sim *simulation, args []string) []source {
	if !sim.on {
		return []source{{conn: conn, file: strings.Join(args, "")}}
	}
	var list []source
	for _, cfg := range sim.scenarios() {
		list = append(list, source{sim: &cfg})
	}
	return list
}

// openRecords opens a source.
func (a *app) openRecords(ctx context.Context, s source) (records, error) {
	switch {
	case s.file != "":
		return openTrace(s.file, s.conn)
	case !s.live():
		return simulate(*s.sim)
	}
	live, err := a.client().Trace(ctx, s.conn)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(a.err, "tracing; Ctrl-C ends it")
	return live, nil
}

// eachRecord calls f with the records until they end or ctx does, neither of which is an error.
func (a *app) eachRecord(ctx context.Context, s source, f func(trace.Record)) error {
	in, err := a.openRecords(ctx, s)
	if err != nil {
		return err
	}
	defer in.Close()
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

// closingTime is the time for which a recording continues after all connections have ended: a connection records its last state before it
// sends its last segment.
const closingTime = 100 * time.Millisecond

// record collects records and calls show with each. From the running stack it collects until all connections that it has seen have ended or
// ctx ends; from another source it collects all records.
func (a *app) record(ctx context.Context, s source, show func(trace.Record)) (*trace.Recording, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	kept := new(trace.Recording)
	return kept, a.eachRecord(ctx, s, func(r trace.Record) {
		show(r)
		kept.Add(r)
		if s.live() && kept.Ended() {
			time.AfterFunc(closingTime, end)
		}
	})
}

// only returns the records of the connection if there is exactly one.
func only(kept *trace.Recording) ([]trace.Record, error) {
	switch conns := kept.Connections(); len(conns) {
	case 0:
		return nil, errors.New("no connection in the trace")
	case 1:
		return conns[0], nil
	default:
		return nil, fmt.Errorf("the trace has %d connections; select one with --conn", len(conns))
	}
}

// savedTrace reads what `tunstack trace --json` has saved.
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
func (s *savedTrace) Next() (trace.Record, error) {
	for {
		var r trace.Record
		switch err := s.in.Decode(&r); {
		case err == io.EOF:
			return r, io.EOF
		case err != nil:
			return r, fmt.Errorf("%s: not a trace that `tunstack trace --json` has saved: %w", s.Name(), err)
		case r.Kind == trace.Gap || s.match(r.Local, r.Remote):
			return r, nil
		}
	}
}
