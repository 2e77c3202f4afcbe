package clock

import (
	"bytes"
	"os"
)

// debugged says whether another process traces this one.
func debugged() bool {
	status, _ := os.ReadFile("/proc/self/status") // without /proc nobody can tell
	_, after, ok := bytes.Cut(status, []byte("\nTracerPid:\t"))
	return ok && !bytes.HasPrefix(after, []byte("0\n"))
}
