//go:build !linux

package tun

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

const bestDriver = "water"

func openLinux(Config) (Device, error) {
	return nil, fmt.Errorf("the linux driver needs Linux: %w", errors.ErrUnsupported)
}

func openVeth(Config) (Device, error) {
	return nil, fmt.Errorf("the veth driver needs Linux: %w", errors.ErrUnsupported)
}

// checkFree does nothing: the system itself refuses a name that exists.
func checkFree(name, driver string) error { return nil }

// configureHost sets the MTU, the host's address and the route to its network with the system's ifconfig and route. TUN
// interfaces of macOS are point-to-point: ifconfig takes the address of both ends.
func configureHost(name string, cfg Config) error {
	mtu := strconv.Itoa(cfg.MTU)
	if !cfg.Host.IsValid() {
		return run("ifconfig", name, "mtu", mtu, "up")
	}
	host := cfg.Host.Addr().String()
	if err := run("ifconfig", name, "inet", cfg.Host.String(), host, "mtu", mtu, "up"); err != nil {
		return err
	}
	return run("route", "-q", "-n", "add", "-inet", cfg.Host.Masked().String(), "-interface", name)
}

// run executes a program. An error includes the program's output.
func run(program string, args ...string) error {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
