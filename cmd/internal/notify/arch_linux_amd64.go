package notify

import "golang.org/x/sys/unix"

const (
	arch         = unix.AUDIT_ARCH_X86_64
	foreignCalls = 0x4000_0000 // from here on call numbers are the x32 ABI's
)
