package stacks

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"

	"tunstack/socketapi"
)

// Sampling of waits while profiling: one contention of a lock in mutexFraction, and one blocking event per blockRate
// nanoseconds. Higher rates would show in the CPU profile.
const (
	mutexFraction = 10
	blockRate     = 10_000_000
)

// startProfiles records CPU time in file, contention of locks in file.mutex and blocking events in file.block until save is
// called. Without a file it does nothing.
func startProfiles(file string) (save func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	runtime.SetMutexProfileFraction(mutexFraction)
	runtime.SetBlockProfileRate(blockRate)
	return func() error {
		pprof.StopCPUProfile()
		return errors.Join(f.Close(), saveProfile("mutex", file), saveProfile("block", file))
	}, nil
}

func saveProfile(name, file string) error {
	var b bytes.Buffer
	if err := pprof.Lookup(name).WriteTo(&b, 0); err != nil {
		return err
	}
	return os.WriteFile(file+"."+name, b.Bytes(), 0o644)
}

// saveCounters writes a stack's counters beside its profile.
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
