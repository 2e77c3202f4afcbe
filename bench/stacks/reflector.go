package stacks

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reflector answers a client without a stack: it returns handshakes, echoes and data by rewriting headers, and copies, checks
// and stores only a few numbers per download. It shows the limit of the device and the client's kernel.
type reflector struct {
	fd     int
	vnet   bool
	header int // bytes of virtio-net header
	flows  map[uint16]*flow
	acks   []ack
	frame  []byte // for the packets of downloads, whose payload is zeros
	small  []byte // for packets without payload
}

// reflectBatch bounds the packets between acknowledgments of a flow.
const reflectBatch = 64

// stallTimeout is the time without a packet after which a download counts as stuck.
const stallTimeout = 100 // ms

// addressOf is the address of a slice's data, for a system call.
func addressOf[T any](s []T) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

func reflect(vnet bool) func(Spec) (network, error) {
	return func(spec Spec) (network, error) {
		fd, err := openTUN(spec, 1500, vnet)
		if err != nil {
			return nil, err
		}
		r := &reflector{fd: fd, vnet: vnet, flows: map[uint16]*flow{}, frame: make([]byte, 70<<10), small: make([]byte, 128)}
		if vnet {
			r.header = vnetHeaderLen
		}
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1) // for itself: raw system calls occupy it while they wait
		go r.run()
		return nil, nil
	}
}

// run answers packets until the device is closed.
func (r *reflector) run() {
	runtime.LockOSThread()
	b := make([]byte, r.header+65535)
	for {
		n := 0
		for ; n < reflectBatch; n++ {
			size, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(r.fd), addressOf(b), uintptr(len(b)))
			if errno == unix.EAGAIN {
				break
			}
			if errno != 0 && errno != unix.EINTR {
				return
			}
			if errno == 0 && int(size) >= r.header+ipLen {
				r.input(b[:size])
			}
		}
		r.flush()
		if n == 0 {
			r.wait()
		}
	}
}

// wait sleeps until there is a packet to read, and restarts stuck downloads.
func (r *reflector) wait() {
	fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
	n, _, _ := unix.RawSyscall(unix.SYS_POLL, addressOf(fds), 1, stallTimeout)
	if n == 0 {
		for port := range r.flows {
			r.flows[port].again(r)
		}
	}
}

// write sends one packet with its virtio-net header. A packet that the device refuses is lost.
func (r *reflector) write(b []byte) {
	unix.RawSyscall(unix.SYS_WRITE, uintptr(r.fd), addressOf(b), uintptr(len(b)))
}
