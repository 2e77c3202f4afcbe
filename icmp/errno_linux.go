package icmp

import "syscall"

// errNoNet is for "source host isolated", which only Linux has a number for.
const errNoNet = syscall.ENONET
