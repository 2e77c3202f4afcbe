package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/google/pprof/profile"
)

// slowPaths are functions that the compiler must not find hot, as it would in a profile of a busy machine: it would inline them into their
// callers, the fast paths of a Mutex, and these would be too large to be inlined into theirs.
var slowPaths = regexp.MustCompile(`^internal/sync\.\(\*Mutex\)\.(lock|unlock)Slow$`)

// savePGO merges the CPU profiles in dir into one file for the compiler (go build -pgo). It removes the paths of the build, because the
// compiler uses the names of functions and relative lines, and the samples in slowPaths.
func savePGO(dir, file string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.pprof"))
	if err != nil {
		return err
	}
	var profiles []*profile.Profile
	for _, name := range names {
		p, err := readProfile(name)
		if err != nil {
			return err
		}
		profiles = append(profiles, p)
	}
	if len(profiles) == 0 {
		return fmt.Errorf("no profiles in %s", dir)
	}
	merged, err := profile.Merge(profiles)
	if err != nil {
		return err
	}
	merged.FilterSamplesByName(nil, slowPaths, nil, nil)
	for _, m := range merged.Mapping {
		m.File, m.BuildID = "", ""
	}
	for _, f := range merged.Function {
		f.Filename = ""
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(merged.Write(out), out.Close())
}

func readProfile(name string) (*profile.Profile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return profile.Parse(f)
}
