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

// configureHost sets the MTU, the host's addresses and the routes to their networks with the system's ifconfig and route. TUN
// interfaces of macOS are point-to-point: for IPv4 ifconfig takes the address of both ends.
func configureHost(name string, cfg Config) error {
	if err := run("ifconfig", name, "mtu", strconv.Itoa(cfg.MTU), "up"); err != nil {
		return err
	}
	for _, p := range cfg.Hosts {
		family, address := "inet", []string{p.String(), p.Addr().String()}
		if p.Addr().Is6() {
			family, address = "inet6", []string{p.Addr().String(), "prefixlen", strconv.Itoa(p.Bits())}
		}
		if err := run("ifconfig", append([]string{name, family}, address...)...); err != nil {
			return err
		}
		if err := run("route", "-q", "-n", "add", "-"+family, p.Masked().String(), "-interface", name); err != nil {
			return err
		}
	}
	return nil
}

// run executes a program. An error includes the program's output.
func run(program string, args ...string) error {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
