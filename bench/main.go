// Command bench measures tunstack beside its peers with the host kernel as the client, as docs/performance.md describes:
//
//	go -C bench run .          about half an hour; -quick: three minutes
//
// It needs no privilege, because it runs in a new network namespace. Linux only.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"tunstack/bench/loads"
	"tunstack/bench/stacks"
	"tunstack/internal/netns"
)

// options are the flags.
type options struct {
	rounds  int
	window  time.Duration
	rows    string
	stacks  string
	out     string
	profile string
	pgo     string
	list    bool
	smoke   bool
	six     bool
}

// smokeStacks are the stacks of -smoke: our drivers with offload, the limit of the device, and the kernel.
const smokeStacks = "tunstack-vnet,tunstack-veth,tunstack-bbr,kernel,reflector-vnet"

func main() {
	var o options
	var serve string
	seconds := flag.Float64("seconds", 1, "`seconds` per measurement")
	quick := flag.Bool("quick", false, "one round of half a second each")
	smoke := flag.Bool("smoke", false, "find out in a minute whether each row can still be measured: one short round on few stacks, without a report")
	flag.IntVar(&o.rounds, "rounds", 3, "measurements per cell")
	flag.StringVar(&o.rows, "rows", "", "only these loads: `names` with commas between, or prefixes of names")
	flag.StringVar(&o.stacks, "stacks", "", "only these stacks: `names` with commas between, or prefixes of names")
	flag.StringVar(&o.out, "out", "results", "`directory` for the report; empty: no report")
	flag.StringVar(&o.profile, "profile", "", "`directory` for the profiles of the stacks under test: CPU, mutex and block")
	flag.StringVar(&o.pgo, "pgo", "", "`file` for a merged CPU profile of all stacks under test (for go build -pgo); with -profile")
	flag.BoolVar(&o.six, "6", false, "measure each load also over IPv6, in the same rounds; the columns have names that end in "+sixSuffix)
	flag.BoolVar(&o.list, "list", false, "list loads and stacks")
	flag.StringVar(&serve, "serve", "", "run as the stack under test (internal)")
	flag.Parse()
	o.window = time.Duration(*seconds * float64(time.Second))
	if *quick {
		o.rounds, o.window = 1, time.Second/2
	}
	if *smoke {
		o.rounds, o.window, o.stacks, o.out, o.smoke = 1, time.Second/5, smokeStacks, "", true
	}
	if err := start(o, serve); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// start does the work of this process: the user starts it, it starts itself in the namespace, and that starts each stack under
// test.
func start(o options, serve string) error {
	switch {
	case serve != "":
		var spec stacks.Spec
		if err := json.Unmarshal([]byte(serve), &spec); err != nil {
			return err
		}
		return stacks.Serve(spec)
	case o.pgo != "" && o.profile == "":
		return errors.New("-pgo merges the profiles of -profile: it needs -profile DIRECTORY")
	case o.list:
		list()
		return nil
	case o.rounds < 1 || !(o.window > 0):
		return errors.New("-rounds and -seconds must be more than 0")
	case !netns.Inside():
		status, err := netns.Run(netns.Reexec(os.Args[1:]...))
		if err == nil {
			os.Exit(status)
		}
		return err
	}
	if err := prepareOutput(o); err != nil {
		return err
	}
	if err := loads.PrepareNamespace(); err != nil {
		return err
	}
	debug.SetGCPercent(-1) // a collection would delay the load generator's threads, which allocate little
	return run(o)
}

// prepareOutput checks before the measurements that their results can be written.
func prepareOutput(o options) error {
	for _, dir := range []string{o.out, o.profile} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		probe, err := os.CreateTemp(dir, ".writable")
		if err != nil {
			return err
		}
		if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
			return err
		}
	}
	if o.pgo == "" {
		return nil
	}
	f, err := os.OpenFile(o.pgo, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func list() {
	for _, l := range loads.All() {
		fmt.Printf("load   %-14s %s\n", l.Name, l.Doc)
	}
	for _, p := range stacks.Peers() {
		fmt.Printf("stack  %-14s %s\n", p.Name, p.Doc)
	}
}

// chosen reports whether a list of names or prefixes matches name; an empty list matches all.
func chosen(list, name string) bool {
	if list == "" {
		return true
	}
	for prefix := range strings.SplitSeq(list, ",") {
		if strings.HasPrefix(name, strings.TrimSpace(prefix)) {
			return true
		}
	}
	return false
}
