//go:build !race

package packet

// Live is how many Buffers are in use, but only the race detector's builds count: here it is 0.
func Live() int { return 0 }

func (b *Buffer) begin()  {}
func (b *Buffer) finish() {}
