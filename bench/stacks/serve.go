package stacks

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"tunstack/services"
	"tunstack/socketapi"
)

// Serve is the process under test: it runs the stack and its services until its standard input ends. It prints "ready" when it
// answers, and then reads commands: "collect" makes it release unused memory and print "done", "count" print its number of
// connections (countConnections), and namesCommand with a Names in JSON measure its resolver.
func Serve(spec Spec) error {
	peer, ok := Find(spec.Peer)
	if !ok {
		return fmt.Errorf("unknown stack %q", spec.Peer)
	}
	n, err := peer.serve(spec)
	if err != nil {
		return fmt.Errorf("%s: %w", spec.Peer, err)
	}
	if n != nil {
		if err := startServices(n); err != nil {
			return err
		}
	}
	saveProfiles, err := startProfiles(spec.Profile)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		names, ask := strings.CutPrefix(commands.Text(), namesCommand)
		switch {
		case commands.Text() == "collect":
			runtime.GC() // twice, to empty each sync.Pool
			debug.FreeOSMemory()
			fmt.Println("done")
		case commands.Text() == "count":
			fmt.Println(countConnections(n))
		case ask:
			fmt.Println(measureNames(n, names))
		}
	}
	return errors.Join(saveProfiles(), saveCounters(spec.Profile, n))
}

const namesCommand = "names "

// countConnections is a stack's number of TCP connections outside TIME-WAIT; negative if it is unknown.
func countConnections(n network) int {
	switch n := n.(type) {
	case *socketapi.Stack:
		open := 0
		for s := range n.AllSockets(false) {
			if s.Protocol == "tcp" && s.State != "LISTEN" && s.State != "TIME-WAIT" {
				open++
			}
		}
		return open
	case gvisorNet:
		return int(n.s.Stats().TCP.CurrentConnected.Value())
	}
	return -1
}

// startServices starts the services for the loads, with the same code on every stack.
func startServices(n network) error {
	chosen, err := services.Pick(services.All(nil), "echo,discard,chargen")
	if err != nil {
		return err
	}
	if _, err := services.Start(n, chosen); err != nil {
		return err
	}
	l, err := n.Listen("tcp", fmt.Sprintf(":%d", HoldPort))
	if err != nil {
		return err
	}
	go hold(l)
	return nil
}

// held are accepted connections without a reader, so that only the stack's memory is measured.
var held struct {
	sync.Mutex
	conns []net.Conn
}

func hold(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		held.Lock()
		held.conns = append(held.conns, c)
		held.Unlock()
	}
}
