package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// netstat returns the counters of the client's kernel: TcpRetransSegs, TcpExtTCPTimeouts and so on.
func netstat() map[string]int {
	counts := map[string]int{}
	for _, file := range []string{"/proc/self/net/snmp", "/proc/self/net/netstat"} {
		b, _ := os.ReadFile(file) // the kernel may lack it
		lines := strings.Split(string(b), "\n")
		for i := 0; i+1 < len(lines); i += 2 { // a line of names and a line of values
			names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
			for j := 1; j < min(len(names), len(values)); j++ {
				counts[strings.TrimSuffix(names[0], ":")+names[j]], _ = strconv.Atoi(values[j])
			}
		}
	}
	return counts
}

// saveNetstat writes the changes of the client's counters.
func saveNetstat(file string, before map[string]int) error {
	var b strings.Builder
	for name, n := range netstat() {
		if n != before[name] {
			fmt.Fprintln(&b, name, n-before[name])
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
