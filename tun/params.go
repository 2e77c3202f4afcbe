package tun

// traits are what the queues of a device have in common.
type params struct {
	kind     Kind
	mtu      int
	vnet     int      // octets of virtio-net header in front of every packet: vnetLen with offload, else 0
	software bool     // offload is ours: TCP segments are joined as they are read and cut as they are written
	features Features // of the kernel's side
	readers  int      // of its queues
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

// frameLen is how much one packet can be, without offload. Four octets are for a VLAN tag.
func (t *params) frameLen() int { return min(t.mtu+t.kind.headerLen()+4, MaxPacket) }

// newBuffer returns a buffer whose linear part is room for one packet behind its virtio-net header. The kernel cuts off
// what does not fit, which happens to no packet within the MTU, and with offload to none at all.
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
