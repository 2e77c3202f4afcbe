package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"tunstack/internal/trace"
)

// traceQueue is how many records wait for a client before some are left out.
const traceQueue = 1 << 13

// trace handles GET /trace/END: records of what the connections do that trace.ParseMatch selects by END, as JSON
// values one after the other, until the client hangs up.
func (s *Server) trace(w http.ResponseWriter, r *http.Request) {
	match, err := trace.ParseMatch(r.PathValue("end"))
	if err != nil {
		fail(w, err)
		return
	}
	if !s.track(nil) {
		return
	}
	defer s.forget(nil)
	records := make(chan trace.Record, traceQueue)
	var missing atomic.Int64
	stop := s.stack.Trace(match, func(r trace.Record) {
		select {
		case records <- r:
		default:
			missing.Add(1)
		}
	})
	defer stop()
	w.Header().Set("Content-Type", "application/jsonl")
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	for {
		if len(records) == 0 && flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case r := <-records:
			if out.Encode(r) != nil {
				return
			}
		}
		if n := missing.Swap(0); n > 0 && out.Encode(trace.Record{Kind: trace.Gap, Octets: int(n)}) != nil {
			return
		}
	}
}

// Trace calls f with the records of the connections that have the given end, as they come, until f returns false, ctx ends, or
// the stack does; the last two are errors.
func (c *Client) Trace(ctx context.Context, end string, f func(trace.Record) bool) error {
	conn, response, err := c.request(ctx, "/trace/"+end, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for in := json.NewDecoder(response.Body); ; {
		var r trace.Record
		err := in.Decode(&r)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("the stack has ended")
		case err != nil:
			return err
		case !f(r):
			return nil
		}
	}
}
