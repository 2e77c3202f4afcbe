package control

import (
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/capture"
	"tunstack/capture/filter"
)

// A stack without a device has nothing to capture, and returns an error.
func TestCaptureWithoutDevice(t *testing.T) {
	c, _, _ := serve(t)
	_, err := c.Capture(t.Context(), "tcp")
	require.EqualError(t, err, "this stack has no device to capture from")
}

// Packets beyond a slow client's queue are left out, and the comment of its next packet has their number.
func TestPacketQueueIsBounded(t *testing.T) {
	all, err := filter.Parse("less 70000")
	require.NoError(t, err)
	q := &packetQueue{filter: all, source: capture.Source{Link: layers.LinkTypeRaw}, ready: make(chan struct{}, 1)}
	big := &capture.Packet{Data: make([]byte, 60000), Comment: "big"}
	n := captureRoom / len(big.Data)
	for range n + 3 {
		q.put([]*capture.Packet{big, {Data: make([]byte, 80000)}})
	}
	<-q.ready
	require.Len(t, q.take(), n)
	q.put([]*capture.Packet{big, {Data: []byte{1}}})
	got := q.take()
	require.Equal(t, "3 packets are missing before this one, big", got[0].Comment)
	require.Empty(t, got[1].Comment)
	require.Equal(t, "big", big.Comment, "others have it too")
	require.Empty(t, q.take())
}
