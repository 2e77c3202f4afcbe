package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"tunstack/cmd/internal/control"
)

// command is the program to run in the sandbox: args, or the user's shell. The stack's messages go to out. For a
// given command out is standard error, because standard output is the command's.
func (a *app) command(args []string) (child *exec.Cmd, out io.Writer, err error) {
	out = a.err
	if len(args) == 0 {
		args = []string{cmp.Or(os.Getenv("SHELL"), "/bin/sh")}
		out = a.out
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return nil, nil, err
	}
	child = exec.Command(path, args[1:]...)
	child.Args[0] = args[0]
	child.Stdin, child.Stdout, child.Stderr = a.in, a.out, a.err
	return child, out, nil
}

// equip sets the environment of the sandbox's command so that the client commands work in it: the control socket's path, and
// this program's directory in PATH, because go run builds the program in a temporary directory.
func equip(socket string) error {
	self, err := os.Executable()
	if err == nil {
		err = os.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+filepath.Dir(self))
	}
	return errors.Join(err, os.Setenv(control.Env, socket))
}

// exit returns the error that makes this program exit with the status of a command.
func exit(status int, err error) error {
	if err == nil && status != 0 {
		err = exitStatus(status)
	}
	return err
}

// explain adds a remedy if the privilege to create an interface is missing.
func explain(err error, cfg upConfig) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	self, _ := os.Executable()
	return fmt.Errorf("no permission to create %s (%w): use sudo, or give the program the capability (sudo setcap cap_net_admin+ep %s), or try --sandbox",
		cfg.dev.Name, err, self)
}

// explainInside is explain for a sandbox, in which the program has every privilege except access to the device file.
func explainInside(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w: use --driver veth, or allow the user of the sandbox to open that file (sudo chmod 0666 /dev/net/tun)", err)
}
