package loads

import (
	"errors"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"tunstack/bench/stacks"
	"tunstack/internal/checksum"
)

// resend is the time after which a datagram counts as lost.
const resend = 50 * time.Millisecond

func udpEcho(inFlight int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		fd, err := socket(t, unix.SOCK_DGRAM, 0)
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, sockaddr(t.Addr, stacks.EchoPort)); err != nil {
			return nil, os.NewSyscallError("connect", err)
		}
		return bounce(t, fd, make([]byte, 32), inFlight)
	}
}

// icmpFilter is ICMP_FILTER of linux/icmp.h, with a bit for each unwanted type.
const icmpFilter = 1

// ping sends echo requests as fast as replies arrive.
func ping(inFlight int) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		fd, request, err := pinger(t)
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, sockaddr(t.Addr, 0)); err != nil {
			return nil, os.NewSyscallError("connect", err)
		}
		return bounce(t, fd, request, inFlight)
	}
}

// pinger makes a raw socket that receives echo replies only, and an echo request.
func pinger(t Target) (fd int, request []byte, err error) {
	request = make([]byte, 64)
	if t.Addr.Is6() {
		fd, err = socket(t, unix.SOCK_RAW, unix.IPPROTO_ICMPV6)
		if err != nil {
			return -1, nil, err
		}
		request[0] = 128 // the kernel computes the checksum
		others := unix.ICMPv6Filter{Data: [8]uint32{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1 - 1<<1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1}}
		return fd, request, os.NewSyscallError("ICMP6_FILTER", unix.SetsockoptICMPv6Filter(fd, unix.SOL_ICMPV6, unix.ICMPV6_FILTER, &others))
	}
	fd, err = socket(t, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	if err != nil {
		return -1, nil, err
	}
	request[0] = 8
	checksum.Put(request[2:], ^checksum.Sum(request, 0))
	return fd, request, os.NewSyscallError("ICMP_FILTER", unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, ^1))
}

// bounce keeps inFlight datagrams in flight and counts the returned ones. A single thread does that with raw system calls.
func bounce(t Target, fd int, datagram []byte, inFlight int) (Result, error) {
	if err := setPatience(fd, resend); err != nil {
		return nil, err
	}
	b := bouncer{fd: fd, out: datagram, in: make([]byte, 2048), inFlight: inFlight}
	b.fill()
	b.run(t.Window / 4)
	b.back, b.lost = 0, 0
	cpu, begin := t.CPU(), time.Now()
	b.run(t.Window)
	seconds := time.Since(begin).Seconds()
	cpu = t.CPU() - cpu
	if b.back == 0 {
		return nil, errors.New("no datagram came back")
	}
	return Result{
		"rate": float64(b.back) / seconds, "lost": float64(b.lost) / float64(b.back+b.lost),
		"cpu": cpu.Seconds() * 1e6 / float64(b.back),
	}, nil
}

type bouncer struct {
	fd         int
	out, in    []byte
	inFlight   int
	back, lost int
}

func (b *bouncer) fill() {
	for range b.inFlight {
		b.send()
	}
}

func (b *bouncer) send() {
	unix.RawSyscall(unix.SYS_WRITE, uintptr(b.fd), uintptr(unsafe.Pointer(&b.out[0])), uintptr(len(b.out)))
}

func (b *bouncer) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		_, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(b.fd), uintptr(unsafe.Pointer(&b.in[0])), uintptr(len(b.in)))
		switch errno {
		case 0:
			b.back++
			b.send()
		case unix.EAGAIN: // all datagrams in flight are lost
			b.lost += b.inFlight
			b.fill()
		}
	}
}
