//go:build !amd64

package checksum

const vectorBlock = 1

var hasVector = false

func addVector([]byte) uint64 { panic("checksum: no vector instructions") }
