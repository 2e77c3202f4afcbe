package tun

import "encoding/binary"

// vnetLen is the length of the virtio-net header in front of every packet of a device opened with IFF_VNET_HDR
// (struct virtio_net_hdr of linux/virtio_net.h; virtio 1.2 section 5.1.6). Its fields are in the host's byte order:
//
//	flags, gso_type uint8; hdr_len, gso_size, csum_start, csum_offset uint16
const vnetLen = 10

// Values of the fields, named as in linux/virtio_net.h.
const (
	vnetNeedsCsum = 1 // flags: VIRTIO_NET_HDR_F_NEEDS_CSUM
	vnetDataValid = 2 // flags: VIRTIO_NET_HDR_F_DATA_VALID

	vnetGSONone  = 0    // gso_type: VIRTIO_NET_HDR_GSO_NONE
	vnetGSOTCPv4 = 1    // gso_type: VIRTIO_NET_HDR_GSO_TCPV4
	vnetGSOTCPv6 = 4    // gso_type: VIRTIO_NET_HDR_GSO_TCPV6
	vnetGSOUDPL4 = 5    // gso_type: VIRTIO_NET_HDR_GSO_UDP_L4
	vnetGSOECN   = 0x80 // gso_type: VIRTIO_NET_HDR_GSO_ECN, a flag
)

// The fields of the headers behind a virtio-net header that it depends on.
const (
	tcpHeaderLen = 20
	udpHeaderLen = 8
	tcpCWR       = 0x80
)

// decodeVnet reads a virtio-net header. frame is the packet behind it, which starts with a link header of linkLen bytes. It ignores
// a checksum that does not fit the packet, and a super-packet of a kind that the stack does not support.
func decodeVnet(h []byte, frame []byte, linkLen int) Offload {
	var o Offload
	start := int(binary.NativeEndian.Uint16(h[6:]))
	offset := int(binary.NativeEndian.Uint16(h[8:]))
	switch {
	case h[0]&vnetNeedsCsum != 0 && start >= linkLen && start+offset+2 <= len(frame):
		o.Checksum, o.Start, o.Offset = ChecksumPartial, uint16(start-linkLen), uint16(offset)
	case h[0]&vnetDataValid != 0:
		o.Checksum = ChecksumValid
	}
	switch h[1] &^ vnetGSOECN {
	case vnetGSOTCPv4, vnetGSOTCPv6:
		o.Segmentation = SegmentTCP
	case vnetGSOUDPL4:
		o.Segmentation = SegmentUDP
	default:
		return o
	}
	o.Size = binary.NativeEndian.Uint16(h[4:])
	return o
}

// encodeVnet writes the virtio-net header for frame, the linear part of a packet with a link header of linkLen bytes.
func encodeVnet(h []byte, o Offload, frame []byte, linkLen int) {
	clear(h)
	if o.Checksum == ChecksumPartial {
		h[0] = vnetNeedsCsum
		binary.NativeEndian.PutUint16(h[6:], o.Start+uint16(linkLen))
		binary.NativeEndian.PutUint16(h[8:], o.Offset)
	}
	if o.Segmentation == SegmentNone {
		return
	}
	transport := linkLen + int(o.Start)
	headers := transport + udpHeaderLen
	h[1] = vnetGSOUDPL4
	if o.Segmentation == SegmentTCP {
		h[1] = vnetGSOTCPv4
		if len(frame) > linkLen && frame[linkLen]>>4 == 6 {
			h[1] = vnetGSOTCPv6
		}
		if len(frame) >= transport+tcpHeaderLen {
			headers = transport + int(frame[transport+12]>>4)*4
			if frame[transport+13]&tcpCWR != 0 {
				h[1] |= vnetGSOECN
			}
		}
	}
	binary.NativeEndian.PutUint16(h[2:], uint16(min(headers, len(frame))))
	binary.NativeEndian.PutUint16(h[4:], o.Size)
}
