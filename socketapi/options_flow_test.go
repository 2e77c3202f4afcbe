package socketapi

import (
	"encoding/binary"
	"math"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The values of the options that bound a stream are those of Linux.
func TestFlowOptionValues(t *testing.T) { // SOCK-071
	h := alone(t)
	fd := h.socket(SOCK_STREAM, 0)
	for _, o := range []struct{ level, name, set, get int }{
		{SOL_SOCKET, SO_RCVLOWAT, 0, 1}, {SOL_SOCKET, SO_RCVLOWAT, -1, math.MaxInt32}, {SOL_SOCKET, SO_RCVLOWAT, 1000, 1000},
		{IPPROTO_TCP, TCP_LINGER2, 0, 60}, {IPPROTO_TCP, TCP_LINGER2, 1000, 120}, {IPPROTO_TCP, TCP_LINGER2, -7, -1},
		{IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, 1}, {IPPROTO_TCP, TCP_DEFER_ACCEPT, 5, 7}, {IPPROTO_TCP, TCP_DEFER_ACCEPT, 1000, 1087}, {IPPROTO_TCP, TCP_DEFER_ACCEPT, -1, 0},
		{IPPROTO_TCP, TCP_WINDOW_CLAMP, 1, 1152}, {IPPROTO_TCP, TCP_WINDOW_CLAMP, 9000, 9000}, {IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, 0},
		{IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1000, 1000}, {IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1, -1}, {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, 0},
		{IPPROTO_TCP, TCP_SAVE_SYN, 1, 1}, {IPPROTO_TCP, TCP_INQ, 1, 1},
	} {
		h.set(fd, o.level, o.name, o.set)
		require.Equal(t, o.get, h.get(fd, o.level, o.name), "%+v", o)
	}
	require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_TCP, TCP_INQ, 2))
	require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_TCP, TCP_SAVE_SYN, 2))
}

// SO_MAX_PACING_RATE has eight bytes, and takes four.
func TestPacingRateOption(t *testing.T) { // SOCK-071
	h := alone(t)
	for _, fd := range []int{h.socket(SOCK_STREAM, 0), h.socket(SOCK_DGRAM, 0)} {
		var rate uint64
		read := func() uint64 {
			n, err := h.GetSockOpt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate)
			require.NoError(t, err)
			require.Equal(t, 8, n)
			return rate
		}
		require.EqualValues(t, uint64(math.MaxUint64), read())
		h.set(fd, SOL_SOCKET, SO_MAX_PACING_RATE, uint64(5e9))
		require.EqualValues(t, uint64(5e9), read())
		h.set(fd, SOL_SOCKET, SO_MAX_PACING_RATE, 1000)
		require.EqualValues(t, 1000, read())
		h.set(fd, SOL_SOCKET, SO_MAX_PACING_RATE, -1)
		require.EqualValues(t, uint64(math.MaxUint64), read())
	}
}

// A stream is not readable below SO_RCVLOWAT, except at its end, and a call that may not wait returns the available bytes.
func TestReceiveLowat(t *testing.T) { // SOCK-071
	p := newTCPPair(t)
	client, server := p.connect()
	p.b.set(server, SOL_SOCKET, SO_RCVLOWAT, 10)
	p.a.send(client, "12345")
	p.after(time.Second)
	require.Zero(t, p.b.events(server, POLLIN))
	p.a.send(client, "67890")
	p.after(time.Second)
	require.Equal(t, POLLIN, p.b.events(server, POLLIN))
	p.b.receives(server, "1234567890")
	p.a.send(client, "abc")
	p.after(time.Second)
	p.b.receives(server, "abc")
	p.a.send(client, "end")
	require.NoError(t, p.a.Shutdown(client, SHUT_WR))
	p.after(time.Second)
	require.Equal(t, POLLIN, p.b.events(server, POLLIN))

	blockingPair(t, func(t *testing.T, a, b host, client, server int) {
		b.set(server, SOL_SOCKET, SO_RCVLOWAT, 4)
		got := make(chan string)
		go func() {
			text, _ := b.recv(server, 100, 0)
			got <- text
		}()
		a.send(client, "abc")
		synctest.Wait()
		a.send(client, "de")
		require.Equal(t, "abcde", <-got)
	})
}

// TCP_NOTSENT_LOWAT: a stream is writable only while few bytes wait to be sent for the first time.
func TestNotsentLowat(t *testing.T) { // SOCK-071
	p := newTCPPair(t)
	p.b.set(p.listener, SOL_SOCKET, SO_RCVBUF, 5000)
	client, server := p.connect()
	p.a.set(client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000)
	unsent := func() int {
		var i TCPInfo
		_, err := p.a.GetSockOpt(client, IPPROTO_TCP, TCP_INFO, &i)
		require.NoError(t, err)
		return int(i.NotsentBytes)
	}
	n, err := p.a.Send(client, make([]byte, 200000), 0)
	require.NoError(t, err)
	require.Equal(t, 64<<10, n, "a super-segment")
	for turns := 0; p.a.events(client, POLLOUT) == 0; turns++ {
		require.GreaterOrEqual(t, 2*unsent(), 4000)
		if unsent() >= 4000 {
			_, err = p.a.Send(client, []byte("x"), 0)
			require.Equal(t, syscall.EAGAIN, err)
		}
		_, _ = p.b.recv(server, 2000, 0)
		p.after(time.Second)
		require.Less(t, turns, 100)
	}
	require.Less(t, 2*unsent(), 4000)
}

// TCP_WINDOW_CLAMP bounds the window that the peer sees.
func TestWindowClamp(t *testing.T) { // SOCK-071
	p := newTCPPair(t)
	p.b.set(p.listener, IPPROTO_TCP, TCP_WINDOW_CLAMP, 3072)
	client, server := p.connect()
	p.b.send(server, "x")
	p.after(time.Second)
	var i TCPInfo
	_, err := p.a.GetSockOpt(client, IPPROTO_TCP, TCP_INFO, &i)
	require.NoError(t, err)
	require.LessOrEqual(t, i.SndWnd, uint32(3072))
	require.Equal(t, syscall.EINVAL, p.b.SetSockOpt(server, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0))
}

// TCP_LINGER2 bounds how long a closed socket waits for the peer's FIN.
func TestLinger2(t *testing.T) { // SOCK-071
	for seconds, stays := range map[int]time.Duration{0: 60 * time.Second, 5: 5 * time.Second, -1: 0} {
		p := newTCPPair(t)
		client, _ := p.connect()
		p.a.set(client, IPPROTO_TCP, TCP_LINGER2, seconds)
		require.NoError(t, p.a.Close(client))
		p.after(time.Second)
		if stays > 0 {
			require.Len(t, p.a.Sockets(), 1)
			p.after(stays - 2*time.Second)
			require.Len(t, p.a.Sockets(), 1)
		}
		p.after(2 * time.Second)
		require.Empty(t, p.a.Sockets())
	}
}

// TCP_DEFER_ACCEPT: a connection is accepted when its data arrives, or when the time is up.
func TestDeferAccept(t *testing.T) { // SOCK-071
	p := newTCPPair(t)
	p.b.set(p.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3)
	client := p.dial()
	p.a.dial2(t)
	p.after(100 * time.Millisecond)
	require.Zero(t, p.b.events(p.listener, POLLIN))
	p.a.send(client, "request")
	p.after(100 * time.Millisecond)
	p.b.receives(p.accept(), "request")
	require.Zero(t, p.b.events(p.listener, POLLIN), "the other one is silent")
	p.after(5 * time.Second)
	p.accept()
}

// dial2 starts another connection to 10.0.0.2:7.
func (h host) dial2(t *testing.T) {
	require.Equal(t, syscall.EINPROGRESS, h.Connect(h.socket(SOCK_STREAM|SOCK_NONBLOCK, 0), ap("10.0.0.2:7")))
}

// TCP_SAVE_SYN keeps the headers of the peer's SYN, which TCP_SAVED_SYN returns once.
func TestSavedSyn(t *testing.T) { // SOCK-071
	p := newTCPPair(t)
	p.b.set(p.listener, IPPROTO_TCP, TCP_SAVE_SYN, 1)
	client, server := p.connect()
	b := make([]byte, 100)
	n, err := p.b.GetSockOpt(server, IPPROTO_TCP, TCP_SAVED_SYN, b)
	require.NoError(t, err)
	require.Equal(t, byte(0x45), b[0])
	require.Equal(t, addrA.AsSlice(), b[12:16])
	require.Equal(t, p.a.name(client).Port(), binary.BigEndian.Uint16(b[20:]))
	require.Equal(t, byte(2), b[33], "SYN")
	require.Equal(t, 20+int(b[32]>>4)*4, n)
	n, err = p.b.GetSockOpt(server, IPPROTO_TCP, TCP_SAVED_SYN, b)
	require.NoError(t, err)
	require.Zero(t, n)
}

// With TCP_INQ each receive returns the number of bytes that are left.
func TestInq(t *testing.T) { // SOCK-071
	p := newTCPPair(t)
	client, server := p.connect()
	p.b.set(server, IPPROTO_TCP, TCP_INQ, 1)
	p.a.send(client, strings.Repeat("x", 100))
	p.after(time.Second)
	_, m, err := p.b.RecvMsg(server, make([]byte, 30), 0)
	require.NoError(t, err)
	require.Equal(t, 70, m.Inq)
}

// An accepted socket begins with the options of its listener.
func TestAcceptedInherits(t *testing.T) { // SOCK-071
	p := newTCPPair(t)
	p.b.set(p.listener, SOL_SOCKET, SO_MARK, 7)
	p.b.set(p.listener, SOL_SOCKET, SO_RCVTIMEO, NewTimeval(time.Second))
	p.b.set(p.listener, IPPROTO_IP, IP_TOS, 0x10)
	_, server := p.connect()
	require.Equal(t, 7, p.b.get(server, SOL_SOCKET, SO_MARK))
	require.Equal(t, 6, p.b.get(server, SOL_SOCKET, SO_PRIORITY))
	var tv Timeval
	_, err := p.b.GetSockOpt(server, SOL_SOCKET, SO_RCVTIMEO, &tv)
	require.NoError(t, err)
	require.Equal(t, NewTimeval(time.Second), tv)
	require.NotEqual(t, p.b.cookie(p.listener), p.b.cookie(server))
}

func (h host) cookie(fd int) (v uint64) {
	_, err := h.GetSockOpt(fd, SOL_SOCKET, SO_COOKIE, &v)
	require.NoError(h.t, err)
	return v
}

// SO_TIMESTAMP and SO_TIMESTAMPNS turn each other off, and each makes messages carry the time of their arrival.
func TestTimestamp(t *testing.T) { // SOCK-071
	var clk VirtualClock
	a, b := pair(t, &clk)
	fd := b.bound(SOCK_DGRAM, "10.0.0.2:7")
	receive := func() Message {
		_, err := a.SendTo(a.socket(SOCK_DGRAM, 0), []byte("x"), 0, ap("10.0.0.2:7"))
		require.NoError(t, err)
		rest(clk.Now(), a, b)
		clk.Set(clk.Now() + time.Hour)
		_, m, err := b.RecvMsg(fd, make([]byte, 1), 0)
		require.NoError(t, err)
		return m
	}
	clk.Set(time.Minute)
	require.Zero(t, receive().Time)
	b.set(fd, SOL_SOCKET, SO_TIMESTAMP, 1)
	at := clk.Now()
	require.True(t, time.Unix(0, int64(at)).Equal(receive().Time))
	b.set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)
	require.Zero(t, b.get(fd, SOL_SOCKET, SO_TIMESTAMP))
	require.Equal(t, 1, b.get(fd, SOL_SOCKET, SO_TIMESTAMPNS))
	require.NotZero(t, receive().Time)
}

// With SO_PEEK_OFF a peek continues where the last one ended, over several datagrams.
func TestPeekOffset(t *testing.T) { // SOCK-071
	h := alone(t)
	fd := h.bound(SOCK_DGRAM, "127.0.0.1:7")
	require.Equal(t, -1, h.get(fd, SOL_SOCKET, SO_PEEK_OFF))
	h.set(fd, SOL_SOCKET, SO_PEEK_OFF, 0)
	for _, text := range []string{"abcd", "efgh"} {
		_, err := h.SendTo(fd, []byte(text), 0, ap("127.0.0.1:7"))
		require.NoError(t, err)
	}
	peeks := func(size int, want string) {
		t.Helper()
		got, err := h.recv(fd, size, MSG_PEEK|MSG_DONTWAIT)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for h.get(fd, SOL_SOCKET, SO_PEEK_OFF) == 0 { // the loopback delivers in a goroutine of its own
		require.Equal(t, POLLIN, h.pollFor(fd, POLLIN))
		peeks(3, "abc")
	}
	peeks(3, "d")
	h.receives(fd, "abcd")
	require.Equal(t, 0, h.get(fd, SOL_SOCKET, SO_PEEK_OFF))
	require.Equal(t, POLLIN, h.pollFor(fd, POLLIN))
	peeks(10, "efgh")
	_, err := h.recv(fd, 1, MSG_PEEK|MSG_DONTWAIT)
	require.Equal(t, syscall.EAGAIN, err)
	h.set(fd, SOL_SOCKET, SO_PEEK_OFF, -1)
	peeks(10, "efgh")
}

// pollFor waits for events.
func (h host) pollFor(fd int, want Events) Events {
	fds := []PollFd{{Fd: fd, Events: want}}
	_, err := h.Poll(fds, -1)
	require.NoError(h.t, err)
	return fds[0].Revents
}
