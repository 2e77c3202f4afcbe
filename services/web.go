package services

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"iter"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tunstack/socketapi"
)

// Observed is the state of a stack that the web page and the metrics show. *socketapi.Stack implements it.
type Observed interface {
	Interfaces() []socketapi.InterfaceInfo
	AllSockets(info bool) iter.Seq[socketapi.SocketInfo]
	Counters() []socketapi.Counter
}

// Bounds on the resources of the page's clients. A client that does not read keeps its connection's send buffer full, and its
// request among the answers, until writeTimeout.
const (
	sendBuffer   = 64 << 10 // bytes
	writeTimeout = 30 * time.Second
	maxRows      = 1000 // sockets on the page
)

// answers bound the number of pages made at once, because each walks through all sockets.
var answers = Limits{Total: 16, Source: 4}

//go:embed web.html
var webPage string

// web serves one page about a stack, and the same data for Prometheus, with net/http just as over the kernel's sockets.
func web(of Observed) func(net.Listener) {
	return func(l net.Listener) {
		server := &http.Server{
			Handler:           pages(of),
			ReadHeaderTimeout: time.Minute, // a person may type the request
			ReadTimeout:       time.Minute,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       pageConns.Idle,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          log.New(io.Discard, "", 0), // clients' mistakes are not logged
		}
		server.Serve(seatedListener{l, NewSeats(pageConns), sendBuffer}) // until l is closed
		server.Close()
	}
}

// pages answers requests for the state of the stack.
func pages(of Observed) http.Handler {
	page := template.Must(template.New("page").Parse(webPage))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, newView(of)) // fails only when the client has gone
	})
	mux.Handle("GET /metrics", metricsHandler(of))
	return guarded(mux)
}

// view is the data that the page shows.
type view struct {
	Observed
	First []socketapi.SocketInfo // at most maxRows sockets
	More  int                    // sockets that First leaves out
}

func newView(of Observed) *view {
	v := &view{Observed: of}
	for s := range of.AllSockets(false) {
		if len(v.First) < maxRows {
			v.First = append(v.First, s)
		} else {
			v.More++
		}
	}
	return v
}

// policy lets the page use its own style sheet and nothing else (Content Security Policy Level 3).
var policy = func() string {
	_, rest, _ := strings.Cut(webPage, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// names are those of the stack. Nobody can have them in the public DNS: internal is for private use (ICANN), local for multicast DNS.
var names = []string{"", "localhost", Name, "tunstack.local"}

// guarded calls next for requests that name the stack by an address or one of names, and for a limited number at once. A web site in the
// browser of a user of this network cannot read the page: a host name that resolves to the stack (DNS rebinding) is refused.
func guarded(next http.Handler) http.Handler {
	seats := NewSeats(answers)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", policy)
		if !namesStack(r.Host) {
			http.Error(w, "ask for this page by an address, like http://10.0.0.2/, or as http://"+Name+"/", http.StatusMisdirectedRequest)
			return
		}
		client, _ := netip.ParseAddrPort(r.RemoteAddr) // without one all clients count together
		if !seats.Take(client.Addr()) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
			return
		}
		defer seats.Leave(client.Addr())
		next.ServeHTTP(w, r)
	})
}

// namesStack reports whether the Host of a request is an address or one of names, with or without a port, or absent (HTTP/1.0).
func namesStack(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	_, err = netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil || slices.Contains(names, strings.ToLower(strings.TrimSuffix(name, ".")))
}
