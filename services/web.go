package services

import (
	_ "embed"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"tunstack/socketapi"
)

// Observed is what the web page and the metrics show of a stack. *socketapi.Stack is one.
type Observed interface {
	Interfaces() []socketapi.InterfaceInfo
	Sockets() []socketapi.SocketInfo
	Counters() []socketapi.Counter
}

//go:embed web.html
var webPage string

// web serves one page about a stack, and the same for Prometheus, with net/http just as over the kernel's sockets.
func web(of Observed) func(net.Listener) {
	return func(l net.Listener) {
		server := &http.Server{
			Handler:           pages(of),
			ReadHeaderTimeout: time.Minute, // somebody may type the request
			ReadTimeout:       2 * time.Minute,
			WriteTimeout:      2 * time.Minute,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          log.New(io.Discard, "", 0), // of clients' mistakes
		}
		server.Serve(l) // until l is closed
		server.Close()
	}
}

// pages answers requests for what there is of a stack to see.
func pages(of Observed) http.Handler {
	page := template.Must(template.New("page").Parse(webPage))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, of) // fails only when the client has gone
	})
	mux.Handle("GET /metrics", metricsHandler(of))
	return mux
}
