package tcp

import (
	"fmt"
	"testing"
)

// A segment from half the sequence space before the window does not contain the window, although comparing its end with the right edge
// of the window wraps (RFC 9293 sections 3.4 and 3.10.7.4, first).
func TestOldSegmentDoesNotWrapIntoWindow(t *testing.T) {
	for _, back := range []Seq{1 << 31, 1<<31 - 1, 1<<31 - 100, 1<<31 - 60000} {
		seq := 5001 - back
		newScript(t).established("").
			recv(fmt.Sprintf(". seq %d:%d(10) ack 1001 win 64240", seq, seq+10)).
			sends(". seq 1001 ack 5001 win 65535")
	}
}
