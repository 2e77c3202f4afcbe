package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"tunstack/trace"
)

// traceQueue is the number of records queued for a client; further records are left out.
const traceQueue = 1 << 13

// trace handles GET /trace/END: it sends the records of the connections that match trace.ParseMatch of END, as consecutive JSON
// values, until the client closes the connection.
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
		if n := missing.Swap(0); n > 0 && out.Encode(trace.Record{Kind: trace.Gap, Bytes: int(n)}) != nil {
			return
		}
	}
}

// Records reads the records of a Client's Trace.
type Records struct {
	conn *framer
	in   *json.Decoder
	stop func() bool
}

// Trace watches the connections that match trace.ParseMatch of end. When Trace returns, it has begun to
// watch. Watching ends at Close, or at the end of ctx, which makes Next fail.
func (c *Client) Trace(ctx context.Context, end string) (*Records, error) {
	conn, response, err := c.request(ctx, http.MethodGet, "/trace/"+end, nil)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return &Records{conn, json.NewDecoder(response.Body), stop}, nil
}

// Next waits for a record. After an error no record follows; the error is io.EOF if the stack has ended.
func (r *Records) Next() (v trace.Record, err error) {
	if err = r.in.Decode(&v); errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return v, err
}

// Close ends watching.
func (r *Records) Close() error {
	r.stop()
	return r.conn.Close()
}
