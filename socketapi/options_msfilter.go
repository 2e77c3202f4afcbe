package socketapi

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"

	"tunstack/ip/dgram"
)

// Filter modes of IP_MSFILTER and MCAST_MSFILTER.
const (
	MCAST_EXCLUDE = 0
	MCAST_INCLUDE = 1
)

// IPMsfilter is the head of Linux's struct ip_msfilter, for IP_MSFILTER. In the value of the option Numsrc addresses of 4 bytes follow it.
// GetSockOpt takes the group and the interface from its []byte. It adds as many sources as Numsrc and the []byte allow, in the order of their
// addresses, and sets Numsrc to the number that there are.
type IPMsfilter struct {
	Multiaddr [4]byte // the group
	Interface [4]byte // as IPMreqn.Address
	Fmode     uint32  // MCAST_INCLUDE or MCAST_EXCLUDE
	Numsrc    uint32
}

// GroupFilter is the head of Linux's struct group_filter on 64-bit machines, for MCAST_MSFILTER. In the value of the option Numsrc structs
// SockaddrStorage follow it; GetSockOpt uses it as IPMsfilter. IPv6 has the same layout with structs SockaddrIn6 of 128 bytes.
type GroupFilter struct {
	GroupReq
	Fmode  uint32
	Numsrc uint32
}

// filterLayout is the layout of a source filter in memory: a head, which ends in the mode and the number of sources, and the sources.
type filterLayout struct {
	head   int // bytes
	size   int // of a source, in bytes
	group  func(optvalue, *Stack) (dgram.Source, error)
	source func(v optvalue, at int) (netip.Addr, error)
	put    func(b []byte, a netip.Addr)
}

var (
	ipMsfilter = filterLayout{binary.Size(IPMsfilter{}), 4, optvalue.msfilterGroup, optvalue.inAddr,
		func(b []byte, a netip.Addr) { copy(b, a.AsSlice()) }}
	groupFilter = filterLayout{binary.Size(GroupFilter{}), sizeofSockaddrStorage, optvalue.groupReq, optvalue.storageAddr,
		func(b []byte, a netip.Addr) { putStruct(b, SockaddrStorage{Family: AF_INET, Addr: a.As4()}) }}
	groupFilter6 = filterLayout{binary.Size(GroupFilter{}), sizeofSockaddrStorage, optvalue.groupReq6, optvalue.storageAddr6,
		func(b []byte, a netip.Addr) { putStruct(b, SockaddrIn6{Family: AF_INET6, Addr: a.As16()}) }}
)

// option is the option that reads and writes the filter of a group.
func (l *filterLayout) option() option { return option{query: l.get, set: l.set} }

func (l *filterLayout) set(so *socket, v optvalue) error {
	if len(v) < l.head {
		return syscall.EINVAL
	}
	mode, n := binary.NativeEndian.Uint32(v[l.head-8:]), binary.NativeEndian.Uint32(v[l.head-4:])
	if mode > MCAST_INCLUDE || int64(n) > int64(len(v)-l.head)/int64(l.size) {
		return syscall.EINVAL
	}
	s, err := l.group(v, so.stack)
	if err != nil {
		return err
	}
	sources := make([]netip.Addr, n)
	for i := range sources {
		if sources[i], err = l.source(v, l.head+i*l.size); err != nil {
			return err
		}
	}
	return so.datagrams().Groups().SetFilter(s, mode == MCAST_EXCLUDE, sources)
}

func (l *filterLayout) get(so *socket, v optvalue) (optvalue, error) {
	if len(v) < l.head {
		return nil, syscall.EINVAL
	}
	s, err := l.group(v, so.stack)
	if err != nil {
		return nil, err
	}
	f, err := so.datagrams().Groups().Filter(s)
	if err != nil {
		return nil, err
	}
	room := min(int64(binary.NativeEndian.Uint32(v[l.head-4:])), int64(len(v)-l.head)/int64(l.size), int64(len(f.Sources)))
	out := append(slices.Clone(v[:l.head]), make(optvalue, room*int64(l.size))...)
	binary.NativeEndian.PutUint32(out[l.head-8:], uint32(bit(!f.Exclude)))
	binary.NativeEndian.PutUint32(out[l.head-4:], uint32(len(f.Sources)))
	for i, a := range f.Sources[:room] {
		l.put(out[l.head+i*l.size:], a)
	}
	return out, nil
}

func (v optvalue) msfilterGroup(stack *Stack) (dgram.Source, error) {
	return stack.groupOn(&IPMreqn{Multiaddr: [4]byte(v), Address: [4]byte(v[4:])}), nil
}

func (v optvalue) inAddr(at int) (netip.Addr, error) { return netip.AddrFrom4([4]byte(v[at:])), nil }

func (v optvalue) storageAddr(at int) (netip.Addr, error) {
	var a SockaddrStorage
	if err := v[at:].decode(&a); err != nil {
		return netip.Addr{}, err
	}
	if a.Family != AF_INET {
		return netip.Addr{}, syscall.EADDRNOTAVAIL
	}
	return netip.AddrFrom4(a.Addr), nil
}

func (v optvalue) storageAddr6(at int) (netip.Addr, error) {
	a, err := v.sockaddr6(at)
	return netip.AddrFrom16(a.Addr), err
}

// putStruct writes a struct of fixed size in Linux's layout.
func putStruct(b []byte, s any) { copy(b, layout(s)) }
