package stacks

import (
	"encoding/binary"

	"tunstack/internal/checksum"
)

// flow is a download: endless zeros, as fast as the client's window allows. After a loss it sends again from the lost byte on.
type flow struct {
	ip         [ipLen]byte // of the client's SYN
	ports      [4]byte
	ack        uint32 // acknowledgment number
	una, next  uint32
	window     uint32
	shift      uint8
	duplicates int
}

const (
	flowMSS = 1460
	// flowSuper is the payload of a super-packet: whole segments that fit an IP datagram.
	flowSuper = (65535 - ipLen - tcpLen) / flowMSS * flowMSS
	// flowLimit bounds the bytes in flight, so that they stay in the processor's cache.
	flowLimit = 1 << 20
)

func newFlow(ip []byte, seq uint32) *flow {
	tcp := ip[ipLen:]
	f := &flow{ip: [ipLen]byte(ip), ports: [4]byte(tcp), ack: seq, una: firstSeq + 1, next: firstSeq + 1}
	for o := tcp[tcpLen : int(tcp[12]>>4)*4]; len(o) > 2 && o[0] != 0; {
		switch {
		case o[0] == 1:
			o = o[1:]
			continue
		case o[0] == 3:
			f.shift = o[2]
		case o[1] < 2 || int(o[1]) > len(o):
			return f
		}
		o = o[o[1]:]
	}
	return f
}

// input takes an acknowledgment and sends the segments that it allows.
func (f *flow) input(r *reflector, tcp []byte) {
	ack := binary.BigEndian.Uint32(tcp[8:])
	f.window = min(uint32(binary.BigEndian.Uint16(tcp[14:]))<<f.shift, flowLimit)
	switch advance := int32(ack - f.una); {
	case advance > 0:
		f.una, f.duplicates = ack, 0
		if int32(f.next-ack) < 0 {
			f.next = ack
		}
	case advance == 0 && f.next != f.una:
		if f.duplicates++; f.duplicates == 3 {
			f.next = f.una
		}
	}
	f.push(r)
}

// again sends from the first unacknowledged byte on.
func (f *flow) again(r *reflector) {
	f.next, f.duplicates = f.una, 0
	f.push(r)
}

func (f *flow) push(r *reflector) {
	largest := flowMSS
	if r.vnet {
		largest = flowSuper
	}
	for {
		size := min(int(int32(f.una+f.window-f.next)), largest)
		if size < flowMSS {
			return
		}
		size -= size % flowMSS
		f.send(r, size)
		f.next += uint32(size)
	}
}

// send sends size bytes of zeros, whose sum is zero.
func (f *flow) send(r *reflector, size int) {
	b := r.frame[:r.header+ipLen+tcpLen+size]
	p := b[r.header:]
	putHeaders(p, f.ip[:], f.ports[:], f.next, f.ack, tcpAck|tcpPsh, nil)
	sum := pseudo(p, tcpLen+size)
	if !r.vnet {
		checksum.Put(p[ipLen+16:], ^checksum.Sum(p[ipLen:ipLen+tcpLen], sum))
		r.write(b)
		return
	}
	checksum.Put(p[ipLen+16:], sum)
	copy(b, []byte{1, 0}) // the device must complete the checksum
	binary.NativeEndian.PutUint16(b[2:], ipLen+tcpLen)
	binary.NativeEndian.PutUint16(b[4:], 0)
	binary.NativeEndian.PutUint16(b[6:], ipLen)
	binary.NativeEndian.PutUint16(b[8:], 16)
	if size > flowMSS {
		b[1] = 1 // super-packet: TCP over IPv4
		binary.NativeEndian.PutUint16(b[4:], flowMSS)
	}
	r.write(b)
}
