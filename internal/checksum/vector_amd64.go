package checksum

import "golang.org/x/sys/cpu"

// vectorBlock is the number of bytes that addVector adds at a time.
const vectorBlock = 128

var hasVector = cpu.X86.HasAVX2

// addVector adds p in 32-bit words of the machine's own order. The length of p must be a positive multiple of vectorBlock and
// below 2^32, because the sum could wrap otherwise.
//
//go:noescape
func addVector(p []byte) uint64
