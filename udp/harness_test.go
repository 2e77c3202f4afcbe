package udp

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
)

// host is a stack at 10.0.0.2/24, 10.0.0.3 and 2001:db8::2/64 with a wire, seen by the test from 10.0.0.1 and 2001:db8::1.
type host struct {
	t       testing.TB
	clock   clock.Virtual
	timers  timer.Queue
	wire    *wiretest.Wire
	ip      *ip.Stack
	tun     *ip.Interface
	udp     *Stack
	reports []ip.Error
}

// Report makes host the Reporter of its own stack.
func (h *host) Report(_ time.Duration, e ip.Error, _ *ip.Datagram, _ *packet.Buffer) {
	h.reports = append(h.reports, e)
}

func newHost(t testing.TB) *host { return newHostOn(t, 1500, packet.Features{}) }

func newHostOn(t testing.TB, mtu int, f packet.Features) *host {
	h := &host{t: t, wire: wiretest.New(mtu, f)}
	h.ip = ip.New(ip.Config{Timers: &h.timers})
	v4 := ipv4.New(h.ip, ipv4.Config{})
	h.udp = New(h.ip, Config{Clock: &h.clock, Rand: rand.NewChaCha8([32]byte{1})})
	v4.SetReporter(h)
	ipv6.New(h.ip, ipv6.Config{})
	var err error
	h.tun, err = h.ip.AddInterface("tun0", h.wire)
	require.NoError(t, err)
	require.NoError(t, h.tun.AddAddress(netip.MustParsePrefix("10.0.0.2/24")))
	require.NoError(t, h.tun.AddAddress(netip.MustParsePrefix("10.0.0.3/24")))
	require.NoError(t, h.tun.AddAddress(netip.MustParsePrefix("2001:db8::2/64")))
	return h
}

// bound returns a socket at an address.
func (h *host) bound(local string, change ...func(*Options)) *Socket {
	e := h.udp.NewSocket(ip.VersionOf(ap(local).Addr()))
	for _, c := range change {
		e.SetOptions(c)
	}
	require.NoError(h.t, e.Bind(ap(local)))
	return e
}

// receive is a datagram that comes in by the wire.
func (h *host) receive(from, to string, payload string) { h.input(build(h.t, from, to, payload)) }

func (h *host) input(b []byte) { h.tun.Input(h.clock.Now(), packet.From(b)) }

// last is the newest datagram on the wire, taken apart by a library that is not ours.
func (h *host) last() (*layers.IPv4, *layers.UDP) {
	require.NotEmpty(h.t, h.wire.Sent, "nothing was sent")
	return decode(h.t, h.wire.Last().Data)
}

// reads expects one datagram with a payload.
func (e *Socket) reads(t testing.TB, payload string) Datagram {
	t.Helper()
	b := make([]byte, 70000)
	n, d, err := e.Recv(b, false)
	require.NoError(t, err)
	require.Equal(t, payload, string(b[:n]))
	return d
}

// fails expects Recv to fail.
func (e *Socket) fails(t testing.TB, want error) {
	t.Helper()
	_, _, err := e.Recv(nil, false)
	require.Equal(t, want, err)
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
func addr(s string) netip.Addr   { return netip.MustParseAddr(s) }
func broadcast(o *Options)       { o.Broadcast = true }
func reuseAddr(o *Options)       { o.ReuseAddr = true }
func reusePort(o *Options)       { o.ReusePort = true }
func decode(t testing.TB, b []byte) (*layers.IPv4, *layers.UDP) {
	p := gopacket.NewPacket(b, layers.LayerTypeIPv4, gopacket.Default)
	ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	udp, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
	require.NotNil(t, ip)
	require.NotNil(t, udp)
	return ip, udp
}

// build makes a datagram with the library.
func build(t testing.TB, from, to string, payload string, change ...func(*layers.IPv4, *layers.UDP)) []byte {
	src, dst := ap(from), ap(to)
	if src.Addr().Is6() {
		return build6(t, src, dst, payload)
	}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
	udp := &layers.UDP{SrcPort: layers.UDPPort(src.Port()), DstPort: layers.UDPPort(dst.Port())}
	require.NoError(t, udp.SetNetworkLayerForChecksum(ip))
	for _, c := range change {
		c(ip, udp)
	}
	b := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	require.NoError(t, gopacket.SerializeLayers(b, options, ip, udp, gopacket.Payload(payload)))
	return b.Bytes()
}

func build6(t testing.TB, src, dst netip.AddrPort, payload string) []byte {
	ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
	udp := &layers.UDP{SrcPort: layers.UDPPort(src.Port()), DstPort: layers.UDPPort(dst.Port())}
	require.NoError(t, udp.SetNetworkLayerForChecksum(ip))
	b := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	require.NoError(t, gopacket.SerializeLayers(b, options, ip, udp, gopacket.Payload(payload)))
	return b.Bytes()
}

// sum16 is RFC 1071 in its plainest form.
func sum16(parts ...[]byte) uint16 {
	sum := 0
	for _, b := range parts {
		for i, v := range b {
			sum += int(v) << (8 * (1 - i%2))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// maxPayload is the largest payload of a datagram without IP options.
const maxPayload = 65535 - ipv4.HeaderLen - HeaderLen
