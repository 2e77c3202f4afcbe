package tun

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/packet"
)

// send writes a packet to the host's end of the device.
func send(t *testing.T, d Device, p *packet.Buffer) {
	t.Helper()
	if d.Kind() == TAP {
		ifce, err := net.InterfaceByName(d.Name())
		require.NoError(t, err)
		frame(p, ifce.HardwareAddr)
	}
	require.NoError(t, d.Queues()[0].Write(p))
}

// transport returns a matcher of packets by protocol and destination port.
func transport(protocol byte, port uint16) func(ip []byte) bool {
	return func(ip []byte) bool {
		return ip[9] == protocol && binary.BigEndian.Uint16(ip[ipv4HeaderLen+2:]) == port
	}
}

func TestFeatures(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		f := openTest(t, cfg).Features()
		if !cfg.Offload {
			require.Zero(t, f)
			return
		}
		require.True(t, f.Checksum)
		require.Equal(t, 65535, f.TSO)
	})
	for mtu, tso := range map[int]int{1500: 65535, 65535: 0} {
		t.Run(fmt.Sprintf("software/%d", mtu), func(t *testing.T) {
			d := openTest(t, Config{Driver: "water", MTU: mtu, Offload: true})
			require.Equal(t, packet.Features{TSO: tso}, d.Features())
		})
	}
}

// The host's SYN has a partial checksum if the device has checksum offload, and a full one otherwise.
func TestReceiveSYN(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		d := openTest(t, cfg)
		go func() {
			c, err := net.DialTimeout("tcp4", "10.9.0.2:7", time.Second)
			if err == nil {
				c.Close()
			}
		}()
		p := next(t, d, transport(protocolTCP, 7))
		defer p.Free()
		want := packet.ChecksumNone
		if cfg.Offload {
			want = packet.ChecksumPartial
			require.Equal(t, uint16(ipv4HeaderLen), p.Offload.Start)
			require.Equal(t, uint16(16), p.Offload.Offset)
		}
		require.Equal(t, want, p.Offload.Checksum)
		p.CompleteChecksum()
		verify(t, p)
	})
}

// A datagram of 30,000 bytes arrives as fragments on every device: there is no fragmentation offload.
func TestReceiveFragments(t *testing.T) {
	payload := randomBytes(30000)
	eachVariant(t, func(t *testing.T, cfg Config) {
		d := openTest(t, cfg)
		c, err := net.Dial("udp4", "10.9.0.2:9")
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Write(payload)
		require.NoError(t, err)
		var got []byte
		for more := true; more; {
			p := next(t, d, func(ip []byte) bool { return ip[9] == protocolUDP })
			field := binary.BigEndian.Uint16(p.Bytes()[6:])
			require.Equal(t, len(got), int(field&0x1fff)*8, "in order")
			require.Equal(t, packet.ChecksumNone, p.Offload.Checksum)
			got = append(got, p.Bytes()[ipv4HeaderLen:]...)
			more = field&0x2000 != 0
			p.Free()
		}
		requireSame(t, payload, got[udpHeaderLen:])
	})
}

// A program that sends with UDP_SEGMENT makes one super-packet of many datagrams where the device has USO.
func TestReceiveUDPSuperPacket(t *testing.T) {
	payload := randomBytes(3500)
	eachVariant(t, func(t *testing.T, cfg Config) {
		d := openTest(t, cfg)
		c, err := net.Dial("udp4", "10.9.0.2:9")
		require.NoError(t, err)
		defer c.Close()
		raw, err := c.(*net.UDPConn).SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			require.NoError(t, unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, 1000))
		}))
		_, err = c.Write(payload)
		require.NoError(t, err)
		if d.Features().USO == 0 {
			p := next(t, d, transport(protocolUDP, 9))
			requireSame(t, payload[:1000], verify(t, p)[udpHeaderLen:])
			return
		}
		p := next(t, d, transport(protocolUDP, 9))
		defer p.Free()
		require.Equal(t, packet.Offload{Checksum: packet.ChecksumPartial, Segmentation: packet.SegmentUDP, Size: 1000, Start: 20, Offset: 6}, p.Offload)
		requireSame(t, payload, p.Bytes()[ipv4HeaderLen+udpHeaderLen:])
	})
}

// A UDP super-packet of ours reaches the host's program as datagrams, cut by the kernel or by us.
func TestSendUDPSuperPacket(t *testing.T) {
	payload := randomBytes(3500)
	eachVariant(t, func(t *testing.T, cfg Config) {
		d := openTest(t, cfg)
		l, err := net.ListenPacket("udp4", "10.9.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		port := uint16(l.LocalAddr().(*net.UDPAddr).Port)
		p := buildUDP(9, port, payload)
		p.Truncate(ipv4HeaderLen + udpHeaderLen)
		p.Borrow([2][]byte{payload[:1], payload[1:]})
		send(t, d, super(p, packet.SegmentUDP, 1000))

		require.NoError(t, l.SetDeadline(time.Now().Add(10*time.Second)))
		for want := payload; len(want) > 0; {
			got := make([]byte, 4000)
			n, _, err := l.ReadFrom(got)
			require.NoError(t, err)
			requireSame(t, want[:min(1000, len(want))], got[:n])
			want = want[n:]
		}
	})
}

// A TCP super-packet from the device reaches the host's program as a stream, and the host's stream arrives as super-packets
// if the device supports that.
func TestTCPSuperPackets(t *testing.T) {
	payload := randomBytes(30000)
	eachVariant(t, func(t *testing.T, cfg Config) {
		d := openTest(t, cfg)
		l, err := net.Listen("tcp4", "10.9.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		limit := time.Now().Add(10 * time.Second)
		require.NoError(t, l.(*net.TCPListener).SetDeadline(limit))
		received := make(chan []byte)
		go func() {
			defer close(received)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			c.SetDeadline(limit)
			got := make([]byte, len(payload))
			io.ReadFull(c, got)
			received <- got
			c.Write(payload)
		}()

		f := segmentFields{srcPort: 4000, dstPort: port, seq: 1000, flags: 0x02}
		send(t, d, buildTCP(f, nil))
		// The kernel may still repeat data of an earlier test's connection, from another port.
		answers := func(ip []byte) bool {
			return transport(protocolTCP, f.srcPort)(ip) && binary.BigEndian.Uint16(ip[ipv4HeaderLen:]) == port
		}
		p := next(t, d, answers)
		f.seq, f.ack, f.flags = 1001, binary.BigEndian.Uint32(p.Bytes()[ipv4HeaderLen+4:])+1, 0x10
		p.Free()
		data := buildTCP(f, payload)
		data.Truncate(ipv4HeaderLen + tcpHeaderLen)
		data.Borrow([2][]byte{payload[:10000], payload[10000:]})
		send(t, d, super(data, packet.SegmentTCP, 1460))
		requireSame(t, payload, <-received)

		p = next(t, d, func(ip []byte) bool {
			return answers(ip) && len(ip) > ipv4HeaderLen+tcpHeaderLen
		})
		defer p.Free()
		if !cfg.Offload {
			require.Equal(t, 576, p.Len(), "our SYN named no MSS")
			requireSame(t, payload[:536], verify(t, p)[tcpHeaderLen:])
			return
		}
		require.Greater(t, p.Len(), 1500)
		require.Equal(t, packet.SegmentTCP, p.Offload.Segmentation)
		require.Equal(t, uint16(536), p.Offload.Size)
		requireSame(t, payload[:p.Len()-40], p.Bytes()[40:])
	})
}

func TestQueues(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		if cfg.Driver == "water" {
			cfg.Queues = 2
			_, err := Open(cfg)
			require.EqualError(t, err, "tun: the water driver has one queue")
			return
		}
		cfg.Queues = 3
		d := openTest(t, cfg)
		require.Len(t, d.Queues(), 3)
		got := make(chan *packet.Buffer)
		for _, q := range d.Queues() {
			go func() {
				for q.Wait() == nil {
					if p, _ := q.TryRead(); p != nil {
						got <- p
					}
				}
			}()
		}
		// The kernel spreads flows over the queues by hash.
		seen := map[uint16]bool{}
		for range 64 {
			c, err := net.Dial("udp4", "10.9.0.2:9")
			require.NoError(t, err)
			_, err = c.Write([]byte("x"))
			require.NoError(t, err)
			seen[(<-got).Queue] = true
			c.Close()
		}
		require.Len(t, seen, 3)
		go func() {
			for range got {
			}
		}()
	})
}

func TestLinuxAllocatesNothing(t *testing.T) {
	eachVariant(t, func(t *testing.T, cfg Config) {
		d := openTest(t, cfg)
		q := d.Queues()[0]
		payload := make([]byte, 1000)
		t.Run("write", func(t *testing.T) {
			requireNoAllocs(t, func() {
				p := packet.New(100)
				h := p.Extend(100)
				clear(h)
				h[0] = 0x45 // a TUN device requires an IP version
				p.Borrow([2][]byte{payload[:300], payload[300:]})
				if err := d.Queues()[0].Write(p); err != nil {
					t.Error(err)
				}
			})
		})
		c, err := net.Dial("udp4", "10.9.0.2:9")
		require.NoError(t, err)
		defer c.Close()
		t.Run("read", func(t *testing.T) {
			requireNoAllocs(t, func() {
				if _, err := c.Write(payload); err != nil {
					t.Error(err)
				}
				if err := q.Wait(); err != nil {
					t.Error(err)
				}
				for p, _ := q.TryRead(); p != nil; p, _ = q.TryRead() {
					p.Free()
				}
			})
		})
	})
}
