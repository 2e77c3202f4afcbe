package host

import (
	"context"
	"crypto/sha256"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/socketapi"
	"tunstack/tcp"
	"tunstack/tun"
)

func TestEchoCommand(t *testing.T) {
	n := up(t)
	serve(t, "tcp", 7, command(t, "socat", "-b4096", "TCP-LISTEN:7,reuseaddr,fork", "PIPE"))
	require.Equal(t, "hello world\n", n.succeed("", "echo", hostIP, "hello", "world"))
	require.Equal(t, "one\ntwo", n.succeed("one\ntwo", "echo", hostIP))
}

// A file sent to a server through nc comes back the same.
func TestNetcatCommand(t *testing.T) {
	n := up(t)
	serve(t, "tcp", 5000, command(t, "socat", "-b4096", "-t10", "TCP-LISTEN:5000", "PIPE"))
	cmd := n.command("nc", hostIP, "5000")
	sent, received := sha256.New(), sha256.New()
	cmd.Stdin, cmd.Stdout = io.TeeReader(stream(1, total()), sent), received
	require.NoError(t, cmd.Run())
	require.Equal(t, sent.Sum(nil), received.Sum(nil))
}

// The host's nc connects to the stack's: each side receives the other's input, also after the stack's side has sent its FIN.
func TestNetcatCommandListens(t *testing.T) {
	n := up(t)
	server := talkTo(t, n.command("nc", "-l", "5000"))
	wait(t, "the stack listens", func() bool { return strings.Contains(n.succeed("", "netstat"), ":5000") })
	client := talkTo(t, command(t, "nc", "-N", stackIP, "5000"))
	server.say("from the stack")
	client.hear("from the stack")
	server.bye()
	client.say("from the host")
	server.hear("from the host")
	client.bye()
	require.Zero(t, server.end())
	require.Zero(t, client.end())
}

func TestNetcatCommandUDP(t *testing.T) {
	n := up(t)
	serve(t, "udp", 5000, command(t, "socat", "UDP-RECVFROM:5000,fork", "EXEC:tr a-z A-Z"))
	require.Equal(t, "HELLO\n", n.succeed("hello\n", "nc", "-u", hostIP, "5000"))
}

// The host refuses a connection; no host has the other address.
func TestConnectFails(t *testing.T) {
	n := up(t)
	out, status := run(t, n.command("nc", hostIP, "9"))
	require.Equal(t, 1, status)
	require.Contains(t, out, "connection refused")

	cmd := talkTo(t, n.command("nc", "10.0.0.77", "9"))
	wait(t, "a SYN is sent", func() bool { return strings.Contains(n.succeed("", "netstat"), "SYN-SENT") })
	require.NoError(t, cmd.cmd.Process.Signal(unix.SIGINT))
	require.NotZero(t, cmd.end())
	wait(t, "the attempt is given up", func() bool { return !strings.Contains(n.succeed("", "netstat"), "SYN-SENT") })
}

// An address without a host: the SYNs or the caller time out.
func TestConnectTimesOut(t *testing.T) {
	s := newStack(t, variants[0], 1500, tcp.Config{InitialRTO: 20 * time.Millisecond, SynRetries: 3})
	_, err := s.Dial("tcp", "10.0.0.77:9")
	require.ErrorIs(t, err, unix.ETIMEDOUT)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = s.DialContext(ctx, "tcp", "10.0.0.77:9")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// On Ethernet ARP fails long before the SYNs time out.
func TestConnectUnreachable(t *testing.T) {
	s := newStack(t, variant{tun.TAP, "linux", true}, 1500, tcp.Config{})
	_, err := s.Dial("tcp", "10.0.0.77:9")
	require.ErrorIs(t, err, unix.EHOSTUNREACH)
}

// An error that the host's ICMP reports reaches a UDP socket of the stack.
func TestUDPRefused(t *testing.T) {
	s := plain(t)
	c, err := s.Dial("udp", hostIP+":9")
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = c.Write([]byte("anybody?"))
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	require.IsType(t, &net.OpError{}, err)
	require.IsType(t, &socketapi.PacketConn{}, c)
}
