//go:build !linux

package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

var errUnsupported = fmt.Errorf("network namespaces need Linux: %w", errors.ErrUnsupported)

// Reexec returns a command that Run refuses.
func Reexec(args ...string) *exec.Cmd { return exec.Command(os.Args[0], args...) }

// Isolate returns a command that Run refuses.
func Isolate(cmd *exec.Cmd, _ ...Cover) *exec.Cmd { return cmd }

// Init does nothing.
func Init() {}

// Run returns an error: this system has no namespaces.
func Run(*exec.Cmd) (status int, err error) { return 0, errUnsupported }

// SetupLoopback returns an error: this system has no namespaces.
func SetupLoopback() error { return errUnsupported }

func prepare() error { return errUnsupported }
