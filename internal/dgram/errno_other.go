//go:build !linux

package dgram

import "syscall"

const errNoNet = syscall.EHOSTUNREACH
