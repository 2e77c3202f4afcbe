package stacks

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"

	"tunstack/internal/services"
	"tunstack/socketapi"
)

// Serve is the process under test: it runs the stack and its services until its standard input ends. It says "ready"
// once it answers, and "done" after each command it reads. The one command is "collect": give unused memory back.
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
	stop, err := profile(spec.Profile)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Println("ready")
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		runtime.GC() // twice, for what a sync.Pool still holds
		debug.FreeOSMemory()
		fmt.Println("done")
	}
	return saveCounters(spec.Profile, n)
}

// saveCounters writes what a stack has counted beside its profile.
func saveCounters(profile string, n network) error {
	s, ok := n.(*socketapi.Stack)
	if !ok || profile == "" {
		return nil
	}
	var b bytes.Buffer
	for _, c := range s.Counters() {
		if c.Value > 0 {
			fmt.Fprintln(&b, c.Name, c.Value)
		}
	}
	return os.WriteFile(profile+".counters", b.Bytes(), 0o644)
}

// profile records the CPU's time in file until stop is called.
func profile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

// startServices serves what the loads need, with the same code on every stack.
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

// held are accepted connections with nobody to read them, so that what they cost is the stack's alone.
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
