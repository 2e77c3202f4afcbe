package main

import (
	"os"
	"runtime"
)

// useProcessors makes Go use one processor for each queue of the device, unless GOMAXPROCS says otherwise. The stack does
// its work on the thread that reads the queue, and so do the services it wakes; a second thread would take turns with
// the first, which costs more than it brings (docs/performance.md).
func useProcessors(queues int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(queues)
	}
}
