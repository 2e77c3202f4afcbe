// Package control gives other processes access to a running stack: tables in JSON over HTTP on a Unix socket, and upgraded HTTP
// connections that carry a connection of the stack, so that a client program speaks its protocol as if it ran on the stack
// itself.
//
//	GET  /interfaces /routes /neighbors /counters /nameservers
//	     /sockets /details (with TCP's variables)             JSON arrays
//	GET  /lookup?network=ip&host=localhost                    answers of the stack's resolver in JSON
//	     /names?addr=10.0.0.1
//	GET  /trace/ADDR:PORT                                     records of connections as JSON values, until one side closes
//	GET  /capture/FILTER                                      packets as pcapng, until one side closes
//	POST /step/ADDR:PORT                                      101, then records; the stack holds at each until the client continues
//	POST /dial?network=tcp&address=10.0.0.1:80                101 once connected
//	POST /listen?network=udp&address=:5000                    101 once the port is open
//	POST /sockets                                             101, then the protocol of package sockets
//
// Errors are a Failure in JSON. Networks are tcp, udp and ip4:icmp.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/capture"
	"tunstack/dns"
	"tunstack/trace"
)

// Stack is the part of a stack that a Server uses.
type Stack interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
	Lookup(ctx context.Context, network, host string) (dns.Host, error)
	Resolver() *dns.Resolver
	Trace(match func(local, remote netip.AddrPort) bool, f func(trace.Record)) (stop func())
	// Capture records the packets; nil: there is no device.
	Capture() *capture.Capture
	// Hold stops the stack's time until Release has been called as often as Hold.
	Hold()
	Release()
	// Tables are the functions behind GET, by name; each returns rows that marshal to JSON.
	Tables() map[string]func() iter.Seq[any]
}

// Server serves the clients of the control socket.
type Server struct {
	stack    Stack
	mux      *http.ServeMux
	http     http.Server
	stepping atomic.Bool // a client is stepping

	mu      sync.Mutex
	streams map[net.Conn]bool // upgraded
	closed  bool
	wg      sync.WaitGroup
}

// NewServer returns a Server for stack.
func NewServer(stack Stack, log *slog.Logger) *Server {
	mux := http.NewServeMux()
	s := &Server{stack: stack, mux: mux, streams: map[net.Conn]bool{}}
	for name, table := range stack.Tables() {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			writeRows(w, table())
		})
	}
	mux.HandleFunc("GET /lookup", s.lookup)
	mux.HandleFunc("GET /names", s.names)
	mux.HandleFunc("GET /trace/{end...}", s.trace)
	mux.HandleFunc("GET /capture/{filter...}", s.capture)
	mux.HandleFunc("POST /step/{end...}", s.step)
	mux.HandleFunc("POST /dial", s.dial)
	mux.HandleFunc("POST /listen", s.listen)
	s.http = http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// Stream makes POST /name an upgraded connection that serve speaks its own protocol on, until it returns. The client speaks first. Close closes the
// connection and waits for serve. Stream is called before Serve.
func (s *Server) Stream(name string, serve func(net.Conn)) {
	s.mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, _ *http.Request) {
		s.upgrade(w, nil, nil, func() error { return nil }, func(f *framer) { serve(f.Conn) })
	})
}

// Rows converts an iterator for Tables.
func Rows[T any](rows iter.Seq[T]) iter.Seq[any] {
	return func(yield func(any) bool) {
		for row := range rows {
			if !yield(row) {
				return
			}
		}
	}
}

// writeRows writes a JSON array, row by row, until the client has gone.
func writeRows(w io.Writer, rows iter.Seq[any]) {
	e, separator := json.NewEncoder(w), "["
	for row := range rows {
		if _, err := io.WriteString(w, separator); err != nil || e.Encode(row) != nil {
			return
		}
		separator = ","
	}
	if separator == "[" {
		io.WriteString(w, separator)
	}
	io.WriteString(w, "]\n")
}

// Serve answers the clients of l until Close; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends Serve and all streams, and returns when their goroutines have ended.
func (s *Server) Close() error {
	err := s.http.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.streams {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// dial handles POST /dial.
func (s *Server) dial(w http.ResponseWriter, r *http.Request) {
	network := r.FormValue("network")
	c, err := s.stack.DialContext(r.Context(), network, r.FormValue("address"))
	if err != nil {
		fail(w, err)
		return
	}
	s.upgrade(w, c.LocalAddr(), c.RemoteAddr(), c.Close, func(f *framer) { relay(f, c, datagrams(network)) })
}

// listen handles POST /listen.
func (s *Server) listen(w http.ResponseWriter, r *http.Request) {
	network := r.FormValue("network")
	l, err := s.open(network, r.FormValue("address"))
	if err != nil {
		fail(w, err)
		return
	}
	s.upgrade(w, l.Addr(), nil, l.Close, func(f *framer) { acceptOne(f, l, datagrams(network)) })
}

// open opens a port of the stack.
func (s *Server) open(network, address string) (net.Listener, error) {
	if !datagrams(network) {
		return s.stack.Listen(network, address)
	}
	p, err := s.stack.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return &packetListener{PacketConn: p}, nil
}

// fail answers with an error of the stack.
func fail(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadGateway)
	json.NewEncoder(w).Encode(failureOf(err)) // fails only when the client has gone
}

// upgrade makes a stream of the HTTP connection and runs serve on it. The answer has the ends of the stack's connection, if
// there is one. If the upgrade fails it calls abandon.
func (s *Server) upgrade(w http.ResponseWriter, local, remote net.Addr, abandon func() error, serve func(*framer)) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		abandon()
		fail(w, err)
		return
	}
	defer conn.Close()
	if !s.track(conn) {
		abandon()
		return
	}
	defer s.forget(conn)
	answer := http.Response{StatusCode: http.StatusSwitchingProtocols, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {protocol},
	}}
	for name, addr := range map[string]net.Addr{"Local-Address": local, "Remote-Address": remote} {
		if addr != nil {
			answer.Header.Set(name, addr.String())
		}
	}
	if answer.Write(conn) != nil {
		abandon()
		return
	}
	serve(&framer{Conn: conn, r: rw.Reader})
}

// track registers a stream, or for nil a request, so that Close waits for its forget. It returns false after Close.
func (s *Server) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if c != nil {
		s.streams[c] = true
	}
	s.wg.Add(1)
	return true
}

func (s *Server) forget(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, c)
	s.wg.Done()
}
