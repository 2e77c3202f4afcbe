// Command tunstack runs a TCP/IP stack of its own on a TUN device, with small services to try it, and contains tools that use
// the stack: knock, echo, nc, ping, netstat, ifconfig, arp, route, trace and plot; and step, which needs no device.
package main

import (
	"io"
	"os"

	"tunstack/internal/netns"
)

func main() {
	netns.Init()
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are the standard streams of a command.
type streams struct {
	in       io.Reader
	out, err io.Writer
}
