//go:build !race

package packet

// Live is the number of Buffers in use. Only builds with the race detector count them: here it is 0.
func Live() int { return 0 }

func (b *Buffer) begin()  {}
func (b *Buffer) finish() {}
