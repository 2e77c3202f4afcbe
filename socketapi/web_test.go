package socketapi

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHTTPS runs net/http with crypto/tls and HTTP/2 between two stacks, unchanged.
func TestHTTPS(t *testing.T) {
	a, b := pair(t, nil)
	l, err := b.Stack.Listen("tcp", "10.0.0.2:443")
	require.NoError(t, err)
	body := bytes.Repeat([]byte("hello "), 100000)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		_, _ = w.Write(append([]byte(r.Proto+" "), sent...))
	}))
	require.NoError(t, server.Listener.Close())
	server.Listener, server.EnableHTTP2 = l, true
	server.StartTLS()
	defer server.Close()

	for _, http2 := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{
			DialContext: a.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2,
		}}
		for range 3 {
			r, err := client.Post("https://10.0.0.2/", "text/plain", bytes.NewReader(body))
			require.NoError(t, err)
			got, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.NoError(t, r.Body.Close())
			proto := map[bool]string{false: "HTTP/1.1 ", true: "HTTP/2.0 "}[http2]
			require.True(t, bytes.Equal(append([]byte(proto), body...), got))
		}
		client.CloseIdleConnections()
	}
}
