//go:build !linux

package ipv4

import "syscall"

const errNoNet = syscall.EHOSTUNREACH
