package link

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/internal/stats"
)

func TestTun(t *testing.T) {
	dev, h := &device{features: packet.Features{TSO: 65535}}, &handler{}
	l := NewTun(dev)
	l.SetHandler(h)
	require.Equal(t, 1500, l.MTU())
	require.Equal(t, dev.features, l.Features())

	ip := bytesOf(datagram(hostIP, myIP, "x"))
	l.Input(time.Second, packet.From(ip))
	require.Equal(t, []received{{time.Second, ip, packet.Unicast}}, h.in)
	l.Input(0, packet.From([]byte{0x60, 0, 0, 0})) // any version: package ip checks it
	require.Len(t, h.in, 2)
	require.EqualValues(t, 2, stats.Count("link.in.packets", l.Stats()))

	for queue := range uint16(3) { // there are two
		p := packet.From(ip)
		p.Queue = queue
		require.NoError(t, l.Output(0, p, hostIP))
		require.Equal(t, sent{int(queue % 2), ip}, dev.sent[queue])
	}
	require.EqualValues(t, 3*len(ip), stats.Count("link.out.bytes", l.Stats()))
}

func TestTunAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	l := NewTun(&device{discard: true})
	l.SetHandler(&handler{input: func(now time.Duration, p *packet.Buffer) { _ = l.Output(now, p, hostIP) }})
	ip := bytesOf(datagram(hostIP, myIP, "x"))
	require.Zero(t, testing.AllocsPerRun(100, func() { l.Input(0, packet.From(ip)) }))
}

func TestCallback(t *testing.T) {
	var out []received
	l := NewCallback(1280, func(now time.Duration, d []byte) { out = append(out, received{now, bytes.Clone(d), 0}) })
	h := &handler{}
	l.SetHandler(h)
	require.Equal(t, 1280, l.MTU())
	require.Zero(t, l.Features())

	ip := bytesOf(datagram(hostIP, myIP, "x"))
	l.Inject(time.Second, ip)
	require.Equal(t, []received{{time.Second, ip, packet.Unicast}}, h.in)
	l.Inject(0, make([]byte, 65536))
	require.Len(t, h.in, 1)
	require.EqualValues(t, 1, stats.Count("link.drop.too_long", l.Stats()))

	p := datagram(myIP, hostIP, "a")
	p.Borrow([2][]byte{[]byte("b"), []byte("c")})
	require.NoError(t, l.Output(2*time.Second, p, hostIP))
	require.Equal(t, []received{{2 * time.Second, bytesOf(datagram(myIP, hostIP, "abc")), 0}}, out)
	require.EqualValues(t, 1, stats.Count("link.out.packets", l.Stats()))
}

// Answers sent while a packet is processed are sent before Inject returns.
func TestInjectReturnsWhenProcessed(t *testing.T) {
	var out int
	l := NewCallback(1500, func(time.Duration, []byte) { out++ })
	l.SetHandler(&handler{input: func(now time.Duration, p *packet.Buffer) { _ = l.Output(now, p, hostIP) }})
	l.Inject(0, bytesOf(datagram(hostIP, myIP, "x")))
	require.Equal(t, 1, out)
}
