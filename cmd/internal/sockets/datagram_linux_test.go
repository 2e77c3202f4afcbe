package sockets

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/poll"
)

// message is a datagram behind its header.
func message(h Header, payload string) string { return string(append(h.Append(nil), payload...)) }

// Datagrams go both ways with their addresses, by a call or by the pair.
func TestDatagram(t *testing.T) {
	l := newLab(t)
	peer, err := l.stack.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer peer.Close()
	p := l.datagram()
	h := Header{Peer: netip.MustParseAddrPort(peer.LocalAddr().String()), TOS: -1, TTL: -1}
	require.Equal(t, 5, p.must(Request{Op: OpSend, Data: []byte(message(h, "hello"))}).N)
	p.write(message(h, "world"))
	b := make([]byte, 100)
	var from net.Addr
	for _, want := range []string{"hello", "world"} {
		var n int
		n, from, err = peer.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, want, string(b[:n]))
	}
	for _, text := range []string{"answer", ""} {
		_, err = peer.WriteTo([]byte(text), from)
		require.NoError(t, err)
		got, err := p.read()
		require.NoError(t, err)
		received, payload, err := ParseHeader([]byte(got))
		require.NoError(t, err)
		require.Equal(t, text, string(payload))
		require.Equal(t, h.Peer, received.Peer)
		require.EqualValues(t, 1, received.Interface)
	}
}

// An error of the network comes as a header, or as the error of the next call.
func TestDatagramRefused(t *testing.T) {
	p := newLab(t).datagram()
	p.must(Request{Op: OpConnect, Addr: netip.MustParseAddrPort("127.0.0.1:1")})
	p.write(message(Header{TOS: -1, TTL: -1}, "hello"))
	got, err := p.read()
	require.NoError(t, err)
	h, _, err := ParseHeader([]byte(got))
	require.NoError(t, err)
	require.Equal(t, unix.ECONNREFUSED, h.Errno)
}

// The error queue has the datagram that failed, its destination and the reason.
func TestDatagramErrorQueue(t *testing.T) {
	p := newLab(t).datagram()
	p.must(Request{Op: OpSetOption, Args: [3]int{unix.IPPROTO_IP, unix.IP_RECVERR}, Data: layout(1)})
	_, err := p.do(Request{Op: OpReceiveError})
	require.Equal(t, unix.EAGAIN, err)
	to := netip.MustParseAddrPort("127.0.0.1:1")
	p.write(message(Header{Peer: to, TOS: -1, TTL: -1}, "hello"))
	_, err = p.read()
	require.NoError(t, err)
	r := p.must(Request{Op: OpReceiveError})
	h, payload, err := ParseHeader(r.Data)
	require.NoError(t, err)
	require.Equal(t, "hello", string(payload))
	require.Equal(t, to, h.Peer)
	require.EqualValues(t, unix.ECONNREFUSED, r.Error.Errno)
	require.EqualValues(t, unix.SO_EE_ORIGIN_ICMP, r.Error.Origin)
	require.Equal(t, "127.0.0.1", r.Addr.Addr().String())
}

// The close of the program's end frees the port.
func TestDatagramCloses(t *testing.T) {
	l := newLab(t)
	p := l.datagram()
	p.must(Request{Op: OpBind, Addr: netip.MustParseAddrPort("127.0.0.1:4444")})
	require.NoError(t, unix.Close(p.end))
	l.empty()
}

// A program that does not read loses datagrams, and no others.
func TestDatagramsThatNobodyReads(t *testing.T) {
	l := newLab(t)
	p := l.datagram()
	p.must(Request{Op: OpBind, Addr: netip.MustParseAddrPort("127.0.0.1:4444")})
	c, err := l.stack.Dial("udp", "127.0.0.1:4444")
	require.NoError(t, err)
	defer c.Close()
	big := make([]byte, 30000)
	for range 100 {
		_, err := c.Write(big)
		require.NoError(t, err)
	}
	p.poll(poll.In)
	_, err = c.Write([]byte("small"))
	require.NoError(t, err)
	whole := 0
	for got := ""; len(got) != HeaderLen+5; whole++ {
		require.Contains(t, []int{0, HeaderLen + len(big)}, len(got))
		got, err = p.read()
		require.NoError(t, err)
	}
	require.Less(t, whole, 100)
}

// Malformed messages end the session, and calls of sockets that do not exist or that do not have the call fail.
func TestMalformedMessages(t *testing.T) {
	l := newLab(t)
	for _, r := range []Request{
		{Op: OpName, Socket: 99},
		{Op: OpAttach, Socket: 99},
		{Op: OpSocket, Args: [3]int{99, unix.SOCK_STREAM}},
		{Op: OpSocket, Args: [3]int{unix.AF_INET, unix.SOCK_DGRAM}}, // without a descriptor
		{Op: OpListen, Socket: l.datagram().id},
		{Op: OpSend, Socket: l.datagram().id, Data: []byte("short")},
		{Op: OpAttach, Socket: l.stream().id},
		{Op: OpUnaccept, Socket: l.stream().id, Args: [3]int{99}},
	} {
		_, err := l.client.Do(r, -1)
		if r.Op != OpUnaccept {
			require.Error(t, err, r.Op)
		}
	}
	server, err := NewServer(l.stack)
	require.NoError(t, err)
	defer server.Close()
	good := frame(nil, (&Request{Op: OpSocket}).append)
	for name, b := range map[string][]byte{
		"a length of nearly 4 GiB": {0xff, 0xff, 0xff, 0xff, 0},
		"a short frame":            {1, 0, 0, 0, 0},
		"an unknown call":          frame(nil, (&Request{Op: ops}).append),
		"a missing descriptor":     frame(nil, (&Request{Op: OpAttach, File: true}).append),
		"half a frame":             good[:len(good)/2],
	} {
		near, far := unixPair(t)
		_, err := near.Write(b)
		require.NoError(t, err)
		require.NoError(t, near.CloseWrite())
		require.Error(t, server.Serve(far), name)
		near.Close()
	}
}

// A client that reads no answers does not hold the server, which ends its session.
func TestClientThatDoesNotRead(t *testing.T) {
	near, far := unixPair(t)
	defer near.Close()
	o := outbox{conn: far}
	big := Response{Data: make([]byte, 1<<20)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 8 {
			o.put(&big)
		}
	}()
	<-done
	require.NoError(t, near.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 1<<16)
	for {
		if _, err := near.Read(b); err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			break
		}
	}
}

// A header is what was encoded.
func TestHeader(t *testing.T) {
	for _, h := range []Header{
		{},
		{
			Errno: unix.EHOSTUNREACH, Peer: netip.MustParseAddrPort("[fe80::1%a-long-name-15c]:53"), Local: netip.MustParseAddr("10.0.0.1"),
			Interface: 7, TOS: 0xb8, TTL: -1, Size: 1472, Time: time.Unix(0, 1234567890),
		},
		{Peer: netip.MustParseAddrPort("[::ffff:10.0.0.1]:1")},
	} {
		got, payload, err := ParseHeader(h.Append(nil))
		require.NoError(t, err)
		require.Empty(t, payload)
		require.Equal(t, h, got)
	}
	_, _, err := ParseHeader(make([]byte, HeaderLen-1))
	require.Error(t, err)
}
