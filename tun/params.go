package tun

// params are the parameters of a device, which its queues share.
type params struct {
	kind     Kind
	mtu      int
	vnet     int      // length of the virtio-net header before each packet: vnetLen with offload, otherwise 0
	software bool     // TCP segments are joined when they are read, and super-packets segmented when they are written
	features Features // offloads of the kernel
	readers  int      // how many queues are read
}

func (t *params) Kind() Kind { return t.kind }
func (t *params) MTU() int   { return t.mtu }

func (t *params) Features() Features {
	f := t.features
	if t.software {
		f.TSO = maxMTU
	}
	return f
}

// frameLen is the size in bytes of the largest packet without offload. Four bytes are for a VLAN tag.
func (t *params) frameLen() int { return min(t.mtu+t.kind.headerLen()+4, MaxPacket) }

// newBuffer returns a Packet whose linear part has room for a virtio-net header and the packet that is to be read. The kernel truncates
// packets that do not fit. Packets within the MTU fit; with offload every packet fits.
func (t *params) newBuffer() *Packet {
	size := t.frameLen()
	if t.vnet != 0 || t.software {
		size = MaxPacket
	}
	b := NewPacket(size)
	b.Prepend(t.vnet)
	b.Extend(size)
	return b
}
