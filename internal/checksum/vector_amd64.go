package checksum

import "golang.org/x/sys/cpu"

// vectorBlock is what addVector adds at a time.
const vectorBlock = 128

var hasVector = cpu.X86.HasAVX2

// addVector adds p in 32-bit words of the machine's own order. The length of p is a multiple of vectorBlock, not zero, and
// below 2^32, or the sum could wrap.
//
//go:noescape
func addVector(p []byte) uint64
