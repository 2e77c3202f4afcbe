package main

import (
	"os"
	"runtime"
)

// useProcessors makes Go use one processor for each queue of the device, unless GOMAXPROCS is set. The stack works on the
// thread that reads the queue, and so do the services that it wakes; a second thread would alternate with the first, which
// costs more than it gains (docs/performance.md).
func useProcessors(queues int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(queues)
	}
}
