package stacks

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// gvisorVnet is gVisor's netstack wired by hand to the offloads of a TUN device, with 8 MiB buffers and CUBIC.
func gvisorVnet(spec Spec) (network, error) {
	fd, err := openTUN(spec, 1500, true)
	if err != nil {
		return nil, err
	}
	link, err := newVnetLink(fd)
	if err != nil {
		return nil, err
	}
	s, err := newGvisor(spec, link)
	if err != nil {
		return nil, err
	}
	cubic := tcpip.CongestionControlOption("cubic")
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	for _, o := range []tcpip.SettableTransportProtocolOption{
		&tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: 4 << 20, Max: 8 << 20},
		&tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: 4 << 20, Max: 8 << 20},
		&cubic, &moderate,
	} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return nil, fmt.Errorf("option %T: %v", o, err)
		}
	}
	return gvisorNet{s, protocolOf(spec.Addr)}, nil
}

// vnetHeaderLen is the length of struct virtio_net_hdr.
const vnetHeaderLen = 10

// vnetLink is a stack.LinkEndpoint on a TUN file with virtio-net headers.
type vnetLink struct {
	fd         int
	file       *os.File
	raw        syscall.RawConn
	dispatcher stack.NetworkDispatcher
	running    sync.WaitGroup
}

func newVnetLink(fd int) (*vnetLink, error) {
	file := os.NewFile(uintptr(fd), "tun")
	raw, err := file.SyscallConn()
	return &vnetLink{fd: fd, file: file, raw: raw}, err
}

// read passes packets up. Reads do not block; the goroutine uses the poller only if there is no packet. A large packet keeps
// its buffer; a small one is copied, and the buffer is reused.
func (l *vnetLink) read() {
	view := buffer.NewViewSize(vnetHeaderLen + 65535)
	l.raw.Read(func(uintptr) bool {
		for {
			n, err := unix.Read(l.fd, view.AsSlice())
			if err != nil {
				return err != unix.EAGAIN
			}
			packet := view
			if n > 16<<10 {
				packet.CapLength(n)
				view = buffer.NewViewSize(vnetHeaderLen + 65535)
			} else {
				packet = buffer.NewViewWithData(view.AsSlice()[:n])
			}
			packet.TrimFront(vnetHeaderLen)
			l.deliver(packet)
		}
	})
}

func (l *vnetLink) deliver(v *buffer.View) {
	protocol := tcpip.NetworkProtocolNumber(ipv4.ProtocolNumber)
	if v.AsSlice()[0]>>4 == 6 {
		protocol = ipv6.ProtocolNumber
	}
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
	defer p.DecRef()
	l.dispatcher.DeliverNetworkPacket(protocol, p)
}

// WritePackets implements stack.LinkWriter.
func (l *vnetLink) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	sent := 0
	for _, p := range list.AsSlice() {
		if err := l.write(p); err != nil {
			return sent, err
		}
		sent++
	}
	return sent, nil
}

func (l *vnetLink) write(p *stack.PacketBuffer) tcpip.Error {
	var h [vnetHeaderLen]byte
	if o := p.GSOOptions; o.Type != stack.GSONone && o.NeedsCsum {
		h[0] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
		binary.NativeEndian.PutUint16(h[2:], uint16(p.HeaderSize()))
		binary.NativeEndian.PutUint16(h[6:], o.L3HdrLen)
		binary.NativeEndian.PutUint16(h[8:], o.CsumOffset)
		if p.Data().Size() > int(o.MSS) {
			if h[1] = unix.VIRTIO_NET_HDR_GSO_TCPV4; o.Type == stack.GSOTCPv6 {
				h[1] = unix.VIRTIO_NET_HDR_GSO_TCPV6
			}
			binary.NativeEndian.PutUint16(h[4:], o.MSS)
		}
	}
	var array [16]unix.Iovec
	vec := array[:0]
	for _, b := range append([][]byte{h[:]}, p.AsSlices()...) {
		if len(b) > 0 {
			vec = append(vec, unix.Iovec{Base: &b[0], Len: uint64(len(b))})
		}
	}
	_, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(l.fd), addressOf(vec), uintptr(len(vec)))
	if errno != 0 {
		return tcpip.TranslateErrno(errno)
	}
	return nil
}

// Attach implements stack.NetworkLinkEndpoint.
func (l *vnetLink) Attach(d stack.NetworkDispatcher) {
	l.dispatcher = d
	if d != nil {
		l.running.Go(l.read)
	}
}

// The rest of stack.LinkEndpoint and stack.GSOEndpoint.

func (l *vnetLink) MTU() uint32                      { return 1500 }
func (l *vnetLink) SetMTU(uint32)                    {}
func (l *vnetLink) MaxHeaderLength() uint16          { return 0 }
func (l *vnetLink) LinkAddress() tcpip.LinkAddress   { return "" }
func (l *vnetLink) SetLinkAddress(tcpip.LinkAddress) {}
func (l *vnetLink) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}
func (l *vnetLink) IsAttached() bool                        { return l.dispatcher != nil }
func (l *vnetLink) Wait()                                   { l.running.Wait() }
func (l *vnetLink) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (l *vnetLink) AddHeader(*stack.PacketBuffer)           {}
func (l *vnetLink) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (l *vnetLink) Close()                                  {}
func (l *vnetLink) SetOnCloseAction(func())                 {}
func (l *vnetLink) GSOMaxSize() uint32                      { return 65535 }
func (l *vnetLink) SupportedGSO() stack.SupportedGSO        { return stack.HostGSOSupported }
