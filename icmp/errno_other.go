//go:build !linux

package icmp

import "syscall"

const errNoNet = syscall.EHOSTUNREACH
