package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Env is the environment variable that names the control socket for the client commands.
const Env = "TUNSTACK_CONTROL"

// DefaultPath is where `tunstack up` listens and the client commands look unless they are told otherwise: the value of
// $TUNSTACK_CONTROL, else tunstack.sock in $XDG_RUNTIME_DIR, for root in /run, else in a directory of the user's own in /tmp.
func DefaultPath() string {
	if path := os.Getenv(Env); path != "" {
		return path
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "tunstack.sock")
	}
	if os.Getuid() == 0 {
		return "/run/tunstack.sock"
	}
	return filepath.Join(privateDir(), "tunstack.sock")
}

func privateDir() string { return fmt.Sprintf("/tmp/tunstack-%d", os.Getuid()) }

// maxPath is what fits into a Unix socket's address, on every system.
const maxPath = 103

// Listen opens the control socket at path, for its user alone (mode 0600). It takes the place of a socket that a crashed stack
// left behind; one that answers is an error, and so is anything else at path.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("control socket %s: a path of more than %d characters", path, maxPath)
	}
	if dir := filepath.Dir(path); dir == privateDir() {
		if err := makePrivate(dir); err != nil {
			return nil, err
		}
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	old := syscall.Umask(0o177) // never, not even for an instant, open to others
	defer syscall.Umask(old)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return l, nil
}

// removeStale clears path of a socket that nobody listens at.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("control socket %s: there is a file of that name", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("another tunstack answers at %s; give this one --control PATH", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("control socket: %w", err)
	}
	return os.Remove(path)
}

// makePrivate makes dir for this user alone. In a directory such as /tmp somebody else may have been there first,
// with a directory or a link of that name: that is an error.
func makePrivate(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(stat.Uid) != os.Getuid() {
		return fmt.Errorf("control socket: %s is not a directory of this user alone", dir)
	}
	return nil
}
