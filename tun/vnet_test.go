package tun

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
)

// vnetHeader builds a header field by field, in the order of struct virtio_net_hdr.
func vnetHeader(flags, gsoType byte, fields ...uint16) []byte {
	h := []byte{flags, gsoType}
	for _, f := range fields {
		h = binary.NativeEndian.AppendUint16(h, f)
	}
	return h
}

func TestDecodeVnet(t *testing.T) {
	tcp := packet.Offload{Checksum: packet.ChecksumPartial, Start: 20, Offset: 16}
	tso := tcp
	tso.Segmentation, tso.Size = packet.SegmentTCP, 1460
	tso6 := tso
	tso6.Start = 40
	for name, c := range map[string]struct {
		header  []byte
		linkLen int
		want    packet.Offload
	}{
		"nothing":          {vnetHeader(0, 0, 0, 0, 0, 0), 0, packet.Offload{}},
		"verified":         {vnetHeader(2, 0, 0, 0, 0, 0), 0, packet.Offload{Checksum: packet.ChecksumValid}},
		"partial on TUN":   {vnetHeader(1, 0, 0, 0, 20, 16), 0, tcp},
		"partial on TAP":   {vnetHeader(1, 0, 0, 0, 34, 16), 14, tcp},
		"TSO":              {vnetHeader(1, 1, 40, 1460, 20, 16), 0, tso},
		"TSO with CWR":     {vnetHeader(1, 0x81, 40, 1460, 20, 16), 0, tso},
		"USO":              {vnetHeader(0, 5, 28, 1200, 0, 0), 0, packet.Offload{Segmentation: packet.SegmentUDP, Size: 1200}},
		"TSO over IPv6":    {vnetHeader(1, 4, 60, 1460, 40, 16), 0, tso6},
		"start in link":    {vnetHeader(1, 0, 0, 0, 13, 0), 14, packet.Offload{}},
		"field beyond end": {vnetHeader(1, 0, 0, 0, 90, 9), 0, packet.Offload{}},
		"field at the end": {vnetHeader(1, 0, 0, 0, 90, 8), 0, packet.Offload{Checksum: packet.ChecksumPartial, Start: 90, Offset: 8}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, decodeVnet(c.header, make([]byte, 100), c.linkLen))
		})
	}
}

func TestEncodeVnet(t *testing.T) {
	syn := buildTCP(segmentFields{flags: 0x02}, nil)
	cwr := super(buildTCP(segmentFields{flags: tcpCWR}, make([]byte, 4000)), packet.SegmentTCP, 1460)
	data := super(buildTCP(segmentFields{}, make([]byte, 4000)), packet.SegmentTCP, 1460)
	data6 := packet.From(append([]byte{6 << 4}, make([]byte, 4059)...))
	data6.Bytes()[52] = 5 << 4
	data6.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Segmentation: packet.SegmentTCP, Size: 1440, Start: 40, Offset: 16}
	udp := super(buildUDP(1, 2, make([]byte, 4000)), packet.SegmentUDP, 1200)
	for name, c := range map[string]struct {
		p    *packet.Buffer
		kind Kind
		want []byte
	}{
		"complete":       {packet.From(make([]byte, 60)), TUN, vnetHeader(0, 0, 0, 0, 0, 0)},
		"partial on TUN": {syn.Clone(), TUN, vnetHeader(1, 0, 0, 0, 20, 16)},
		"partial on TAP": {frame(syn.Clone(), nil), TAP, vnetHeader(1, 0, 0, 0, 34, 16)},
		"TSO on TUN":     {data.Clone(), TUN, vnetHeader(1, 1, 40, 1460, 20, 16)},
		"TSO on TAP":     {frame(data.Clone(), nil), TAP, vnetHeader(1, 1, 54, 1460, 34, 16)},
		"TSO with CWR":   {cwr, TUN, vnetHeader(1, 0x81, 40, 1460, 20, 16)},
		"TSO over IPv6":  {data6, TUN, vnetHeader(1, 4, 60, 1440, 40, 16)},
		"USO":            {udp, TUN, vnetHeader(1, 5, 28, 1200, 20, 6)},
	} {
		t.Run(name, func(t *testing.T) {
			got := make([]byte, vnetLen)
			encodeVnet(got, c.p.Offload, c.p.Bytes(), c.kind.headerLen())
			require.Equal(t, c.want, got)
		})
	}
}

func FuzzVnet(f *testing.F) {
	f.Add(vnetHeader(1, 1, 40, 1460, 20, 16), make([]byte, 60), false)
	f.Add(vnetHeader(1, 0x85, 40, 1460, 34, 6), make([]byte, 60), true)
	f.Add(vnetHeader(2, 0, 0, 0, 0, 0), []byte{}, false)
	f.Fuzz(func(t *testing.T, header, frame []byte, tap bool) {
		if len(header) < vnetLen || len(frame) > packet.MaxSize {
			t.Skip()
		}
		linkLen := 0
		if tap {
			linkLen = etherHeaderLen
		}
		first := decodeVnet(header, frame, linkLen)
		if first.Checksum == packet.ChecksumValid {
			first.Checksum = packet.ChecksumNone // this value occurs only on receive
		}
		again := make([]byte, vnetLen)
		encodeVnet(again, first, frame, linkLen)
		require.Equal(t, first, decodeVnet(again, frame, linkLen))
	})
}
