package host

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
)

// dialer has the calls that the stack and package net have in common.
type dialer interface {
	Dial(network, address string) (net.Conn, error)
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

type kernelDialer struct{}

func (kernelDialer) Dial(network, address string) (net.Conn, error) {
	return net.Dial(network, address)
}

func (kernelDialer) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

func (kernelDialer) ListenPacket(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}

// random are n bytes that depend on a seed.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// eachWay runs a test on each kind of device twice: with the stack as the server and the kernel as the client, and with the roles
// exchanged. hosts are the server's addresses of both families as the client dials them.
func eachWay(t *testing.T, test func(t *testing.T, server, client dialer, hosts []string)) {
	eachDevice6(t, func(t *testing.T, _ variant, stack *socketapi.Stack, device string) {
		succeed(t, "ip", "-6", "addr", "replace", "fe80::1/64", "dev", device, "nodad")
		awaitHost6(t, "fe80::1", device)
		i, err := net.InterfaceByName(device)
		require.NoError(t, err)
		zone := strconv.Itoa(i.Index) // package net keeps the names of a device that has gone
		t.Run("stack serves", func(t *testing.T) { test(t, stack, kernelDialer{}, []string{stackIP, stackIP6, "fe80::2%" + zone}) })
		t.Run("kernel serves", func(t *testing.T) { test(t, kernelDialer{}, stack, []string{hostIP, hostIP6, "fe80::1%" + device}) })
	})
}

// One listener without a host serves clients of both families, with bulk data both ways.
func TestDualStackListeners(t *testing.T) { // SOCK6-002, TCP6-001, TCP6-003
	eachWay(t, func(t *testing.T, server, client dialer, hosts []string) {
		l, err := server.Listen("tcp", ":0")
		require.NoError(t, err)
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		for i, host := range hosts {
			near, err := client.Dial("tcp", net.JoinHostPort(host, port))
			require.NoError(t, err, host)
			far, err := l.Accept()
			require.NoError(t, err)
			require.Equal(t, near.LocalAddr().(*net.TCPAddr).Port, far.RemoteAddr().(*net.TCPAddr).Port)
			require.True(t, near.LocalAddr().(*net.TCPAddr).IP.Equal(far.RemoteAddr().(*net.TCPAddr).IP))
			bothWays(t, near, far, byte(2*i))
			require.NoError(t, near.Close())
			require.NoError(t, far.Close())
		}
	})
}

// bothWays sends 4 MiB each way between the ends of a connection at the same time.
func bothWays(t *testing.T, a, b net.Conn, seed byte) {
	t.Helper()
	const size = 4 << 20
	errs := make(chan error, 4)
	for i, way := range [2][2]net.Conn{{a, b}, {b, a}} {
		from, to, data := way[0], way[1], random(seed+byte(i), size)
		require.NoError(t, from.SetDeadline(time.Now().Add(patience)))
		go func() {
			_, err := from.Write(data)
			errs <- err
		}()
		go func() {
			got := make([]byte, size)
			_, err := io.ReadFull(to, got)
			if err == nil && !bytes.Equal(data, got) {
				err = errors.New("other bytes arrived than were sent")
			}
			errs <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-errs)
	}
}

// One UDP socket without a host exchanges datagrams with peers of both families, whole and in fragments.
func TestDualStackDatagrams(t *testing.T) { // SOCK6-002, UDP6-001, UDP6-005
	eachWay(t, func(t *testing.T, server, client dialer, hosts []string) {
		far, err := server.ListenPacket("udp", ":0")
		require.NoError(t, err)
		defer far.Close()
		_, port, err := net.SplitHostPort(far.LocalAddr().String())
		require.NoError(t, err)
		for _, host := range hosts {
			near, err := client.Dial("udp", net.JoinHostPort(host, port))
			require.NoError(t, err)
			for _, size := range []int{0, 1, 1200, 1452, 1453, 3000, 65507} {
				data, got := random(byte(size), size), make([]byte, 1<<16)
				require.NoError(t, far.SetReadDeadline(time.Now().Add(patience)))
				require.NoError(t, near.SetReadDeadline(time.Now().Add(patience)))
				_, err = near.Write(data)
				require.NoError(t, err, "%s %d", host, size)
				n, from, err := far.ReadFrom(got)
				require.NoError(t, err, "%s %d", host, size)
				require.True(t, bytes.Equal(data, got[:n]))
				_, err = far.WriteTo(got[:n], from)
				require.NoError(t, err)
				n, err = near.Read(got)
				require.NoError(t, err, "%s %d", host, size)
				require.True(t, bytes.Equal(data, got[:n]))
			}
			require.NoError(t, near.Close())
		}
	})
}
