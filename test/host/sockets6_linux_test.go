package host

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tun"
)

// addresses6 are addresses of the stack as the kernel dials them, and of the kernel as the stack does, in both families. The kernel gets a
// link-local address for it.
func addresses6(t *testing.T, device string) (ofStack, ofKernel []string) {
	succeed(t, "ip", "-6", "addr", "replace", "fe80::1/64", "dev", device, "nodad")
	awaitHost6(t, "fe80::1", device)
	i, err := net.InterfaceByName(device)
	require.NoError(t, err)
	zone := strconv.Itoa(i.Index) // package net keeps the names of a device that has gone
	return []string{stackIP, stackIP6, "fe80::2%" + zone}, []string{hostIP, hostIP6, "fe80::1%" + device}
}

// eachDual runs a test on each kind of TUN device.
func eachDual(t *testing.T, test func(t *testing.T, stack dialer, kernel dialer, device string)) {
	for _, v := range variants {
		if v.kind == tun.TUN {
			t.Run(v.String(), func(t *testing.T) {
				s, device := dualStack(t, v)
				test(t, s, kernelDialer{}, device)
			})
		}
	}
}

// dialer is what the stack and package net have in common.
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

// One listener without a host serves clients of both families, on either side, with bulk data both ways.
func TestDualStackListeners(t *testing.T) { // SOCK6-002, TCP6-001, TCP6-003
	const size = 4 << 20
	eachDual(t, func(t *testing.T, stack, kernel dialer, device string) {
		ofStack, ofKernel := addresses6(t, device)
		for i, c := range []struct {
			server, client dialer
			addresses      []string
		}{{stack, kernel, ofStack}, {kernel, stack, ofKernel}} {
			l, err := c.server.Listen("tcp", ":0")
			require.NoError(t, err)
			defer l.Close()
			_, port, err := net.SplitHostPort(l.Addr().String())
			require.NoError(t, err)
			for j, host := range c.addresses {
				client, err := c.client.Dial("tcp", net.JoinHostPort(host, port))
				require.NoError(t, err, host)
				server, err := l.Accept()
				require.NoError(t, err)
				require.Equal(t, client.LocalAddr().(*net.TCPAddr).Port, server.RemoteAddr().(*net.TCPAddr).Port)
				require.True(t, client.LocalAddr().(*net.TCPAddr).IP.Equal(server.RemoteAddr().(*net.TCPAddr).IP))
				one, two := random(byte(16*i+j), size), random(byte(128+16*i+j), size)
				sums := make(chan [32]byte, 2)
				errs := make(chan error, 4)
				for conn, data := range map[net.Conn][]byte{client: one, server: two} {
					require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
					go func() {
						_, err := conn.Write(data)
						errs <- err
					}()
					go func() {
						got := make([]byte, size)
						_, err := io.ReadFull(conn, got)
						sums <- sha256.Sum256(got)
						errs <- err
					}()
				}
				for range 4 {
					require.NoError(t, <-errs)
				}
				require.ElementsMatch(t, [][32]byte{sha256.Sum256(one), sha256.Sum256(two)}, [][32]byte{<-sums, <-sums})
				require.NoError(t, client.Close())
				require.NoError(t, server.Close())
			}
		}
	})
}

// One UDP socket without a host exchanges datagrams with peers of both families, whole and in fragments.
func TestDualStackDatagrams(t *testing.T) { // SOCK6-002, UDP6-001, UDP6-005
	eachDual(t, func(t *testing.T, stack, kernel dialer, device string) {
		ofStack, ofKernel := addresses6(t, device)
		for _, c := range []struct {
			server, client dialer
			addresses      []string
		}{{stack, kernel, ofStack}, {kernel, stack, ofKernel}} {
			server, err := c.server.ListenPacket("udp", ":0")
			require.NoError(t, err)
			defer server.Close()
			_, port, err := net.SplitHostPort(server.LocalAddr().String())
			require.NoError(t, err)
			for _, host := range c.addresses {
				client, err := c.client.Dial("udp", net.JoinHostPort(host, port))
				require.NoError(t, err)
				for _, size := range []int{0, 1, 1200, 1452, 1453, 3000, 65507} {
					data, got := random(byte(size), size), make([]byte, 1<<16)
					require.NoError(t, server.SetReadDeadline(time.Now().Add(patience)))
					require.NoError(t, client.SetReadDeadline(time.Now().Add(patience)))
					_, err = client.Write(data)
					require.NoError(t, err, "%s %d", host, size)
					n, from, err := server.ReadFrom(got)
					require.NoError(t, err, "%s %d", host, size)
					require.True(t, bytes.Equal(data, got[:n]))
					_, err = server.WriteTo(got[:n], from)
					require.NoError(t, err)
					n, err = client.Read(got)
					require.NoError(t, err, "%s %d", host, size)
					require.True(t, bytes.Equal(data, got[:n]))
				}
				require.NoError(t, client.Close())
			}
		}
	})
}
