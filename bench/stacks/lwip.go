package stacks

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// lwip is lwIP in C, tuned, on its raw callbacks. It replaces the calling process.
func lwip(mtu int) func(Spec) (network, error) {
	return func(spec Spec) (network, error) {
		fd, err := openTUN(spec, mtu, false)
		if err != nil {
			return nil, err
		}
		if fd, err = unix.Dup(fd); err != nil { // without close-on-exec
			return nil, os.NewSyscallError("dup", err)
		}
		program := lwipProgram(spec.Peer)
		mask := net.IP(net.CIDRMask(spec.Host.Bits(), 32)).String()
		args := []string{program, strconv.Itoa(fd), spec.Addr.String(), mask, spec.Host.Addr().String()}
		return nil, os.NewSyscallError("exec", syscall.Exec(program, args, os.Environ()))
	}
}

// lwipProgram is the program that lwip/build builds.
func lwipProgram(peer string) string { return "lwip/out/" + peer }

// builtLwip returns an error if a stack of lwIP's is not built.
func builtLwip(peer string) error {
	if _, err := os.Stat(lwipProgram(peer)); err != nil {
		return fmt.Errorf("not built: run lwip/build in bench, which needs gcc and Debian's sources")
	}
	return nil
}
