package tun

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
)

// notes is an Observer that records its calls.
type notes struct{ lines []string }

func (n *notes) Arrived(queue int, p *packet.Buffer) {
	n.lines = append(n.lines, fmt.Sprintf("arrived %d %s", queue, p.Bytes()))
}
func (n *notes) Handled(queue int)     { n.lines = append(n.lines, fmt.Sprintf("handled %d", queue)) }
func (n *notes) Sent(p *packet.Buffer) { n.lines = append(n.lines, "sent "+string(p.Bytes())) }

// An observer is called for each packet before the packet is processed further, and for nothing else.
func TestObserve(t *testing.T) {
	a, peer := Pipe(1500, TUN, packet.Features{})
	var n notes
	d := Observe(a, &n)
	q := d.Queues()[0]
	require.NoError(t, peer.Queues()[0].Write(packet.From([]byte("one"))))
	p, err := q.TryRead()
	require.NoError(t, err)
	require.Equal(t, "one", string(p.Bytes()))
	require.NoError(t, q.Write(p))
	p, err = q.TryRead()
	require.NoError(t, err)
	require.Nil(t, p)
	require.Equal(t, []string{"handled 0", "arrived 0 one", "sent one", "handled 0"}, n.lines)
	p, err = peer.Queues()[0].TryRead()
	require.NoError(t, err)
	require.Equal(t, "one", string(p.Bytes()))
	p.Free()
	require.NoError(t, d.Close())
}
