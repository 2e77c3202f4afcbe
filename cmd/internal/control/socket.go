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

// DefaultPath is the path of the control socket for `tunstack up` and the client commands unless --control is given: the value
// of $TUNSTACK_CONTROL, else tunstack.sock in $XDG_RUNTIME_DIR, for root in /run, else in a directory of the user's own in
// /tmp.
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

// maxPath is the longest path in the address of a Unix socket, on every system.
const maxPath = 103

// Listen opens the control socket at path, for its user alone (mode 0600). It replaces a socket that a crashed stack left
// behind; a socket that answers is an error, and so is any other file at path.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("control socket %s: the path is longer than %d bytes", path, maxPath)
	}
	if dir := filepath.Dir(path); dir == privateDir() {
		if err := makePrivate(dir); err != nil {
			return nil, err
		}
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	old := syscall.Umask(0o177) // so that the socket is never open to others
	defer syscall.Umask(old)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return l, nil
}

// removeStale removes a socket at path if no process listens on it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("control socket %s: a file of that name exists", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("another tunstack uses %s; select another socket with --control PATH", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("control socket: %w", err)
	}
	return os.Remove(path)
}

// makePrivate makes dir for this user alone. In a directory such as /tmp another user may have created a directory or a link of
// that name before: that is an error.
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
		return fmt.Errorf("control socket: %s is not a directory that only this user can access", dir)
	}
	return nil
}
