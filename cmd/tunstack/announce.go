package main

import (
	"fmt"
	"io"
)

// announce prints the ready line and commands to try. tools says where the client commands can be run, and last is the last
// line.
func (n *node) announce(w io.Writer, cfg upConfig, tools, last string) {
	for _, s := range n.services {
		fmt.Fprintln(w, s)
	}
	if n.addr.IsValid() {
		fmt.Fprintf(w, "ready %s: the stack is %s", n.dev, n.addr)
	} else {
		fmt.Fprintf(w, "ready %s: the stack has no address yet", n.dev)
	}
	if cfg.host.IsValid() {
		fmt.Fprintf(w, ", the host %s\n\nTry:\n", cfg.host)
		n.suggest(w, cfg)
		fmt.Fprintf(w, "%s:\n  tunstack ping %s\n  tunstack netstat\n", tools, cfg.host)
	}
	fmt.Fprintf(w, "\n%s\n", last)
}

// suggest prints commands for the host.
func (n *node) suggest(w io.Writer, cfg upConfig) {
	stack := n.addr.Addr()
	fmt.Fprintf(w, "  ping %s\n  traceroute %s\n", stack, stack)
	hints := map[string]string{
		"echo":  "telnet %s 7\n",
		"http":  "curl http://%s/\n",
		"knock": "telnet %s 1414        and say: Knock knock\n",
	}
	for _, s := range n.services {
		if hint, ok := hints[s.Name]; ok {
			fmt.Fprintf(w, "  "+hint, stack)
		}
	}
}
