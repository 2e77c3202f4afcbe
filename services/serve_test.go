package services

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A UDP service answers from the address that was asked: a connected client receives from no other one.
func TestAnswersFromTheAddressThatWasAsked(t *testing.T) {
	s := newStack(t)
	running, err := Start(s, All(s))
	require.NoError(t, err)
	defer running.Close()
	for _, to := range []string{"127.0.0.1:7", "127.0.0.2:7", "[::1]:7"} {
		c, err := s.Dial("udp", to)
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(waitTime)))
		_, err = c.Write([]byte("hello"))
		require.NoError(t, err)
		b := make([]byte, 16)
		n, err := c.Read(b)
		require.NoError(t, err, to)
		require.Equal(t, "hello", string(b[:n]))
	}
}
