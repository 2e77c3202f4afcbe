package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"tunstack/trace"
)

// Frames of a step session.
const (
	frameWatching = 'W' // to the client: the server watches from here on
	frameRecord   = 'R' // to the client: a trace.Record in JSON, at which the stack holds
	frameGoOn     = 'G' // from the client: continue
)

var errStepping = errors.New("another `tunstack step` already uses this stack")

// step handles POST /step/END: at each record of the connections that match trace.ParseMatch of END, the stack and its time
// hold until the client continues it, or closes the stream. There is at most one such client.
func (s *Server) step(w http.ResponseWriter, r *http.Request) {
	match, err := trace.ParseMatch(r.PathValue("end"))
	if err == nil && !s.stepping.CompareAndSwap(false, true) {
		err = errStepping
	}
	if err != nil {
		fail(w, err)
		return
	}
	defer s.stepping.Store(false)
	s.upgrade(w, nil, nil, func() error { return nil }, func(f *framer) {
		session := &stepSession{stack: s.stack, framer: f, goOn: make(chan struct{}, 1), gone: make(chan struct{})}
		session.run(match)
	})
}

// stepSession is a stepping client.
type stepSession struct {
	stack  Stack
	framer *framer
	mu     sync.Mutex    // held while the client has a record
	goOn   chan struct{} // a value for each frameGoOn
	gone   chan struct{} // closed when the client has closed the stream
}

// run returns when the client closes the stream. A separate goroutine reads the client's frames, because every other call, even
// the start of the trace, takes connections' locks and may wait until the client continues the stack.
func (s *stepSession) run(match trace.Match) {
	go s.listen()
	stop := s.stack.Trace(match, s.show)
	defer stop()
	s.framer.send(frameWatching, nil) // fails only when the client has gone
	<-s.gone
}

func (s *stepSession) listen() {
	defer close(s.gone)
	for {
		kind, length, err := s.framer.next()
		if err != nil || kind != frameGoOn || length != 0 {
			return
		}
		select {
		case s.goOn <- struct{}{}:
		default: // a second frame for one record
		}
	}
}

// show sends the client a record, and holds the connection, whose lock the caller holds, and every other caller, until the
// client continues.
func (s *stepSession) show(r trace.Record) {
	s.stack.Hold()
	defer s.stack.Release()
	s.mu.Lock()
	defer s.mu.Unlock()
	b, _ := json.Marshal(r) // a Record always marshals
	if s.framer.send(frameRecord, b) != nil {
		return
	}
	select {
	case <-s.goOn:
	case <-s.gone:
	}
}

// Steps reads the records of a Client's Step. The stack holds at each until Next is called again.
type Steps struct {
	conn *framer
	held bool
	stop func() bool
}

// Step steps through the connections that match trace.ParseMatch of end. They are watched when it returns, until Close or the
// end of ctx, which makes Next fail. Then the stack continues.
func (c *Client) Step(ctx context.Context, end string) (*Steps, error) {
	conn, _, err := c.request(ctx, http.MethodPost, "/step/"+end, nil)
	if err != nil {
		return nil, err
	}
	s := &Steps{conn: conn, stop: context.AfterFunc(ctx, func() { conn.Close() })}
	if _, err := conn.r.Peek(headerLen); err != nil { // the first frame, of either kind, confirms the start
		s.Close()
		return nil, err
	}
	return s, nil
}

// Next continues the stack, and waits for the next record. After an error no record follows; the error is io.EOF if the stack
// has ended.
func (s *Steps) Next() (v trace.Record, err error) {
	if s.held && s.conn.send(frameGoOn, nil) != nil {
		return v, io.EOF
	}
	s.held = false
	for {
		kind, length, err := s.conn.next()
		if err != nil {
			return v, io.EOF
		}
		b, err := s.conn.payload(length)
		switch {
		case err != nil:
			return v, io.EOF
		case kind == frameWatching:
		case kind == frameRecord:
			s.held = true
			return v, json.Unmarshal(b, &v)
		default:
			return v, fmt.Errorf("control: unexpected frame %q", kind)
		}
	}
}

// Close continues the stack.
func (s *Steps) Close() error {
	s.stop()
	return s.conn.Close()
}
