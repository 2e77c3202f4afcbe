package clock

import (
	"bytes"
	"os"
)

// debugged reports whether another process traces this one.
func debugged() bool {
	status, _ := os.ReadFile("/proc/self/status") // without /proc there is no way to tell
	_, after, ok := bytes.Cut(status, []byte("\nTracerPid:\t"))
	return ok && !bytes.HasPrefix(after, []byte("0\n"))
}
