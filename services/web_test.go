package services

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
)

// get asks h for a page by the stack's address.
func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://10.0.0.2"+path, nil))
	return w
}

func TestPages(t *testing.T) {
	for path, want := range map[string]string{
		"/":        `<a href="/metrics">`,
		"/metrics": exposed,
	} {
		w := get(pages(observed{}), path)
		require.Equal(t, 200, w.Code, path)
		require.Contains(t, w.Body.String(), want, path)
	}
	require.Equal(t, 404, get(pages(observed{}), "/missing").Code)
}

// SEC-051: a page forbids content sniffing, all resources but its own style, and framing.
func TestPageHeaders(t *testing.T) {
	for _, path := range []string{"/", "/metrics", "/missing"} {
		h := get(pages(observed{}), path).Header()
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
	}
	w := get(pages(observed{}), "/")
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, ok := strings.Cut(rest, "</style>")
	require.True(t, ok)
	sum := sha256.Sum256([]byte(style))
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
}

// SEC-051: a foreign name that resolves to the stack's address (DNS rebinding) does not show the page.
func TestPageIsAskedForByAddress(t *testing.T) {
	for host, status := range map[string]int{
		"10.0.0.2": 200, "10.0.0.2:80": 200, "[fd00::2]": 200, "[fd00::2]:80": 200, "localhost:8080": 200, "": 200,
		"tunstack.internal": 200, "TunStack.Internal:80": 200, "tunstack.internal.": 200, "tunstack.local": 200,
		"tunstack.internal.example": 421, "x.tunstack.internal": 421, "other.local": 421,
		"rebound.example": 421, "rebound.example:80": 421, "10.0.0.2.example": 421, "localhost.example": 421,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		pages(observed{}).ServeHTTP(w, r)
		require.Equal(t, status, w.Code, host)
	}
}

// crowded is a stack with more sockets than the page shows.
type crowded struct{ observed }

// AllSockets implements Observed.
func (crowded) AllSockets(bool) iter.Seq[socketapi.SocketInfo] {
	row := socketapi.SocketInfo{Protocol: "tcp", State: "ESTAB", Local: netip.MustParseAddrPort("10.0.0.2:7")}
	return slices.Values(slices.Repeat([]socketapi.SocketInfo{row}, maxRows+7))
}

func TestPageOfManySockets(t *testing.T) {
	page := get(pages(crowded{}), "/").Body.String()
	require.Equal(t, maxRows, strings.Count(page, "<td>ESTAB</td>"))
	require.Contains(t, page, "<p>7 more are left out here;")
}

// slow is an http.ResponseWriter whose client does not read.
type slow struct {
	*httptest.ResponseRecorder
	began, read chan bool
}

// Write implements http.ResponseWriter.
func (s slow) Write(b []byte) (int, error) {
	select {
	case s.began <- true:
	default:
	}
	<-s.read
	return s.ResponseRecorder.Write(b)
}

// SEC-050: clients that do not read use no more than the allowed answers at once, and one source leaves some to the others.
func TestAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, read := pages(observed{}), make(chan bool)
		ask := func(w http.ResponseWriter, from string) {
			r := httptest.NewRequest("GET", "http://10.0.0.2/", nil)
			r.RemoteAddr = from
			h.ServeHTTP(w, r)
		}
		status := func(from string) int {
			w := httptest.NewRecorder()
			ask(w, from)
			return w.Code
		}
		for _, from := range []string{"10.0.0.1:1", "10.0.0.3:1", "10.0.0.4:1", "10.0.0.5:1"} {
			for range answers.Source {
				w := slow{httptest.NewRecorder(), make(chan bool, 1), read} // Write may come before the wait for it
				go ask(w, from)
				<-w.began
			}
			require.Equal(t, 503, status(from), "its share is taken")
		}
		require.Equal(t, 503, status("10.0.0.6:1"), "all are taken")
		close(read)
		synctest.Wait()
		require.Equal(t, 200, status("10.0.0.1:1"))
	})
}

// SEC-050: a connection beyond the limits is reset, and a seat is free again when its client has gone.
func TestPageConnectionsAreBounded(t *testing.T) {
	s := newStack(t)
	requireBounded(t, s, web(s), pageConns.Source, func(c net.Conn) error {
		if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
			return err
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r.Body)
		return err
	})
}
