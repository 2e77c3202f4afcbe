package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"tunstack/trace"
)

// Frames of a step session.
const (
	frameWatching = 'W' // to the client: from here on nothing is missed
	frameRecord   = 'R' // to the client: a trace.Record in JSON, at which the stack holds
	frameGoOn     = 'G' // from the client: it may go on
)

var errStepping = errors.New("another `tunstack step` is stepping through this stack")

// step handles POST /step/END: at each record of what the connections do that trace.ParseMatch selects by END, the stack and
// its time hold until the client lets it go on, or hangs up. There is one such client at a time.
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

// stepSession is a client that steps.
type stepSession struct {
	stack  Stack
	framer *framer
	mu     sync.Mutex    // of the one who shows the client a record
	goOn   chan struct{} // the client's word
	gone   chan struct{} // closed when the client has hung up
}

// run lasts until the client hangs up. The client is listened to by a goroutine of its own, for whatever else there is may
// have to wait until it lets the stack go on: to begin watching, too, takes the locks of all connections.
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
		default: // it was told twice
		}
	}
}

// show shows the client a record and holds the connection, which is in the midst of it, and whoever else gets here, until the
// client lets it go on.
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

// Steps are the records that a Client's Step goes through. The stack holds at each until the next is asked for.
type Steps struct {
	conn *framer
	held bool
	stop func() bool
}

// Step goes through what the connections do that trace.ParseMatch selects by end. When it returns they are being watched; until
// Close, or the end of ctx, which makes Next fail. Then the stack goes on by itself.
func (c *Client) Step(ctx context.Context, end string) (*Steps, error) {
	conn, _, err := c.request(ctx, "/step/"+end, url.Values{})
	if err != nil {
		return nil, err
	}
	s := &Steps{conn: conn, stop: context.AfterFunc(ctx, func() { conn.Close() })}
	if _, err := conn.r.Peek(headerLen); err != nil { // the first frame, of either kind, says that it has begun
		s.Close()
		return nil, err
	}
	return s, nil
}

// Next lets the stack go on, and waits for what happens next. After an error, io.EOF if the stack has ended, there is no more.
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

// Close lets the stack go on by itself.
func (s *Steps) Close() error {
	s.stop()
	return s.conn.Close()
}
