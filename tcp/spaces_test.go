package tcp

import (
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// firstSeqs are initial sequence numbers with which a number that was never set, or a wrong comparison, causes a failure.
var firstSeqs = [...]Seq{0, 1<<31 - 1, 1 << 31, 1<<32 - 1}

// space translates between the sequence numbers of scripts and those of the machine.
type space Seq // the difference of the machine's numbers from the script's

func (d space) wire(q Seq) Seq   { return q + Seq(d) }
func (d space) script(q Seq) Seq { return q - Seq(d) }

// The spaces of the two ends in the current run of the scripts.
var ours, theirs space

// scripts are the tests that use a script.
var scripts struct {
	sync.Mutex
	names []string
}

// scripted records that a test uses scripts.
func scripted(t *testing.T) {
	if ours != 0 {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("with ISS %d, and %d of the peer", ours.wire(testISS), theirs.wire(peerISS))
			}
		})
		return
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	scripts.Lock()
	defer scripts.Unlock()
	if !slices.Contains(scripts.names, name) {
		scripts.names = append(scripts.names, name)
	}
}

// TestMain runs all tests, and then those with scripts again in other sequence spaces: under -short in one that wraps at once.
func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	fuzzing := flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.fuzzworker").Value.String() == "true"
	if status != 0 || fuzzing || len(scripts.names) == 0 {
		os.Exit(status)
	}
	_, subtests, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	flag.Set("test.run", "^("+strings.Join(scripts.names, "|")+")$/"+subtests)
	flag.Set("test.bench", "")
	spaces := firstSeqs[:]
	if testing.Short() {
		spaces = spaces[len(spaces)-1:]
	}
	for _, first := range spaces {
		ours, theirs = space(first-testISS), space(first-peerISS)
		status = max(status, m.Run())
	}
	os.Exit(status)
}
