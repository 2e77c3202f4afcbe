package netns

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const self = "/proc/self/exe"

// Reexec returns a command, not yet started, that runs this program with args in a new user and network namespace. It is root
// there, with the standard streams of this process. If the caller is root, all its user ids are mapped, so that programs which
// change theirs work; any other user has a single id.
func Reexec(args ...string) *exec.Cmd {
	cmd := exec.Command(self, args...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", insideEnv, os.Getpid()))
	root := os.Geteuid() == 0
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		GidMappingsEnableSetgroups: root,
		Pdeathsig:                  unix.SIGKILL,
	}
	if root {
		cmd.SysProcAttr.UidMappings = allIDs("/proc/self/uid_map")
		cmd.SysProcAttr.GidMappings = allIDs("/proc/self/gid_map")
	}
	return cmd
}

// allIDs maps every id of this process's user namespace, as listed in file, to itself.
func allIDs(file string) []syscall.SysProcIDMap {
	f, err := os.Open(file)
	if err != nil {
		return nil // starting the command returns the error
	}
	defer f.Close()
	var ids []syscall.SysProcIDMap
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var inside, outside, size int
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &size); err == nil {
			ids = append(ids, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: size})
		}
	}
	return ids
}

// SetupLoopback brings the namespace's loopback interface up.
func SetupLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("bring up the loopback: %w", err)
	}
	return nil
}

// prepare makes the namespace ready for tests; its error names the missing part.
func prepare() error {
	if err := SetupLoopback(); err != nil {
		return err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	return unix.Close(fd)
}

// explainStart adds a hint to an error of creating namespaces if the system may have disabled them.
func explainStart(cmd *exec.Cmd, err error) error {
	if cmd.SysProcAttr == nil || cmd.SysProcAttr.Cloneflags == 0 {
		return err
	}
	switches := []string{"user.max_user_namespaces", "kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns"}
	return fmt.Errorf("create a namespace: %w (see sysctl %s; a container may need --privileged)",
		err, strings.Join(switches, ", "))
}
