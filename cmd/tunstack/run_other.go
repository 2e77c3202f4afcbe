//go:build !linux

package main

import (
	"context"
	"errors"
)

// runProgram says that this system has no seccomp user notification.
func (a *app) runProgram(context.Context, []string, *runFlags) error {
	return errors.New("run: needs Linux, whose seccomp user notification hands a program's socket calls to another")
}
