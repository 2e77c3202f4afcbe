package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
)

// protocol is the name of the upgraded connection.
const protocol = "tunstack-stream"

// Client sends requests to a running `tunstack up` through its control socket.
type Client struct{ Path string }

// Each calls f with each row of a table. Its memory does not grow with the number of rows. An error of f ends it and is
// returned.
func Each[T any](ctx context.Context, c *Client, table string, f func(T) error) error {
	conn, response, err := c.request(ctx, http.MethodGet, "/"+table, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	d := json.NewDecoder(response.Body)
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		var row T
		if err := d.Decode(&row); err != nil {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
	_, err = d.Token() // without the closing bracket rows are missing
	return err
}

// Get decodes one of the tables into v: interfaces, routes, neighbors, sockets, details, counters, nameservers.
func (c *Client) Get(ctx context.Context, table string, v any) error {
	return c.get(ctx, "/"+table, nil, v)
}

// get decodes the answer to a GET into v.
func (c *Client) get(ctx context.Context, path string, query url.Values, v any) error {
	f, response, err := c.request(ctx, http.MethodGet, path, query)
	if err != nil {
		return err
	}
	defer f.Close()
	return json.NewDecoder(response.Body).Decode(v)
}

// DialContext connects from the stack. network is tcp, udp or ip4:icmp; the stack resolves names in address. Errors are the
// stack's: syscall.ECONNREFUSED and the like.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.open(ctx, "/dial", network, address)
}

// Listen opens a port of the stack. The net.Listener returned accepts one connection; over UDP its peer is the sender of the
// first datagram.
func (c *Client) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	conn, err := c.open(ctx, "/listen", network, address)
	if err != nil {
		return nil, err
	}
	return &listener{conn: conn}, nil
}

// open asks for a stream and returns it upgraded.
func (c *Client) open(ctx context.Context, path, network, addr string) (*Conn, error) {
	query := url.Values{"network": {network}, "address": {addr}}
	f, response, err := c.request(ctx, http.MethodPost, path, query)
	if err != nil {
		return nil, err
	}
	return &Conn{
		framer: framer{Conn: f.Conn, r: f.r},
		local:  address{network, response.Header.Get("Local-Address")},
		remote: address{network, response.Header.Get("Remote-Address")},
	}, nil
}

// Stream opens the connection that the server's Stream of that name serves. The caller owns it.
func (c *Client) Stream(ctx context.Context, name string) (net.Conn, error) {
	f, _, err := c.request(ctx, http.MethodPost, "/"+name, nil)
	if err != nil {
		return nil, err
	}
	return f.Conn, nil
}

// request sends one request over a new connection, which the caller owns unless there is an error. A POST requests an upgrade.
func (c *Client) request(ctx context.Context, method, path string, query url.Values) (*framer, *http.Response, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	f := &framer{Conn: conn, r: bufio.NewReaderSize(conn, maxFrame)}
	response, err := roundTrip(f, method, path, query)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return f, response, nil
}

func roundTrip(f *framer, method, path string, query url.Values) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "tunstack", Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequest(method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", protocol)
	}
	if err := r.Write(f.Conn); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(f.r, r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	var failure Failure
	if err := json.NewDecoder(response.Body).Decode(&failure); err != nil {
		return nil, fmt.Errorf("control: %s", response.Status)
	}
	return nil, failure.Err()
}

// connect connects to the control socket; its errors include the remedy.
func (c *Client) connect(ctx context.Context) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.Path)
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("no stack is running behind %s; start one with `tunstack up`, or name its socket with --control", c.Path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the stack behind %s belongs to another user; try sudo", c.Path)
	}
	return nil, err
}

// listener returns the one connection of a Client's Listen.
type listener struct {
	conn     *Conn
	accepted sync.Once
}

// Accept waits for the connection. A second call fails with net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) {
	err := net.ErrClosed
	l.accepted.Do(func() { err = l.accept() })
	if err != nil {
		return nil, err
	}
	return l.conn, nil
}

func (l *listener) accept() error {
	kind, length, err := l.conn.next()
	if err != nil {
		return err
	}
	if kind == frameFailure {
		return l.conn.failure(length)
	}
	peer, err := l.conn.payload(length)
	l.conn.remote.text = string(peer)
	return err
}

// Close closes the port, and the connection if it was accepted.
func (l *listener) Close() error { return l.conn.Close() }

// Addr is the port.
func (l *listener) Addr() net.Addr { return l.conn.local }
