package services

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// queue is a listener that returns the connections put into it.
type queue chan net.Conn

func (q queue) Accept() (net.Conn, error) {
	if c, ok := <-q; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (q queue) Close() error   { return nil }
func (q queue) Addr() net.Addr { return nil }

// SEC-050: a client that is silent for half an hour is disconnected; a client that sends now and then is not.
func TestIdleClientsAreHungUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := make(queue)
		ended := make(chan struct{})
		go func() {
			EachConn(cheap, echo)(l)
			close(ended)
		}()
		dial := func() net.Conn {
			near, far := net.Pipe()
			l <- far
			return near
		}
		idle, busy := dial(), dial()
		begin := time.Now()
		go func() {
			b := []byte("x")
			for time.Since(begin) < 3*time.Hour {
				time.Sleep(cheap.Idle - 2*idleStep)
				busy.Write(b)
				if _, err := io.ReadFull(busy, b); err != nil {
					t.Error(err)
				}
			}
			close(l)
		}()
		_, err := idle.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		require.InDelta(t, cheap.Idle, time.Since(begin), float64(2*idleStep))
		<-ended
	})
}
