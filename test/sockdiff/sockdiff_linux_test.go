package sockdiff

import (
	_ "embed"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
)

var (
	scripts = flag.Int("scripts", 2000, "how many random scripts to run")
	seed    = flag.Uint64("seed", 1, "the seed of the first script; the next has the number after it")
	reports = flag.Int("reports", 10, "how many differences to report before giving up")
)

func TestMain(m *testing.M) { netns.Main(m) }

//go:embed accepted.tsv
var acceptedList string

// accepted is a row of accepted.tsv: regular expressions for an earlier call of the script, the call, the kernel's result and
// the stack's result.
type accepted struct{ earlier, call, kernel, stack *regexp.Regexp }

func parseAccepted(t *testing.T) (list []accepted) {
	for _, line := range strings.Split(acceptedList, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		require.Len(t, f, 5, "earlier call, call, kernel, stack, reason: %q", line)
		require.NotEmpty(t, f[4], "no reason: %q", line)
		full := func(s string) *regexp.Regexp { return regexp.MustCompile("^(?:" + s + ")$") }
		list = append(list, accepted{full(f[0]), full(f[1]), full(f[2]), full(f[3])})
	}
	return list
}

// comparison runs scripts on the kernel and on stacks.
type comparison struct {
	t        *testing.T
	kernel   kernel
	timeout  string // of blocking calls, as in options; "": the sockets are non-blocking
	accepted []accepted
}

func newComparison(t *testing.T, timeout string) *comparison {
	netns.Need(t)
	runtime.LockOSThread() // and never unlocked: the thread's namespace is the test's own
	return &comparison{t: t, kernel: kernel{blocking: timeout != ""}, timeout: timeout, accepted: parseAccepted(t)}
}

func (c *comparison) onKernel(s script) []string {
	require.NoError(c.t, c.kernel.renew())
	return run(&c.kernel, s, c.timeout)
}

func (c *comparison) onStack(s script) (results []string) {
	if c.timeout == "" {
		return c.onNewStack(s)
	}
	synctest.Test(c.t, func(*testing.T) { results = c.onNewStack(s) })
	return results
}

func (c *comparison) onNewStack(s script) []string {
	st, err := newStack(c.timeout != "")
	require.NoError(c.t, err)
	defer st.Stack.Close()
	return run(st, s, c.timeout)
}

// differs returns the number of the first call whose results differ although no row accepts it; -1 when there is none. After an
// accepted difference it compares the results only if the call does not change the socket.
func (c *comparison) differs(s script, k, st []string) int {
	for i := range s {
		switch accepted := c.accepts(s[:i+1], k[i], st[i]); {
		case accepted && !s[i].observes():
			return -1
		case !accepted && k[i] != st[i]:
			return i
		}
	}
	return -1
}

// accepts reports whether a row accepts the results of the script's last call.
func (c *comparison) accepts(s script, k, st string) bool {
	last := len(s) - 1
	return slices.ContainsFunc(c.accepted, func(a accepted) bool {
		return a.call.MatchString(s[last].String()) && a.kernel.MatchString(k) && a.stack.MatchString(st) &&
			slices.ContainsFunc(s, func(o op) bool { return a.earlier.MatchString(o.String()) })
	})
}

// difference is a difference between the results of a script.
type difference struct {
	script        script // with the observing calls at the end, up to the call
	kernel, stack []string
}

// kind is equal for differences that probably have one reason: the last call, without the numbers of sockets, and its results.
func (d *difference) kind() string {
	i := len(d.script) - 1
	return slot.ReplaceAllString(d.script[i].String(), "#") + "\x00" + d.kernel[i] + "\x00" + d.stack[i]
}

// slot is a socket's number in the text of a call.
var slot = regexp.MustCompile(`\b[0-9]\b`)

// find runs a script and returns its first difference, if it is the same each time: the kernel may be busy once. nil: there is
// none.
func (c *comparison) find(s script) (d *difference) {
	full := s.observed()
	for range 3 {
		k, st := c.onKernel(full), c.onStack(full)
		at := c.differs(full, k, st) + 1
		if at == 0 {
			return nil
		}
		d = &difference{full[:at], k[:at], st[:at]}
	}
	return d
}

// shrink removes all calls that the difference does not need.
func (c *comparison) shrink(s script, d *difference) *difference {
	for size := len(s) / 2; size > 0; {
		smaller := false
		for from := 0; from+size <= len(s); {
			less := append(slices.Clone(s[:from]), s[from+size:]...)
			if found := c.find(less); found != nil && found.kind() == d.kind() {
				s, d, smaller = less, found, true
			} else {
				from++
			}
		}
		if !smaller || size > len(s) {
			size /= 2
		}
	}
	return d
}

// String prints the calls with their results.
func (d *difference) String() string {
	var b strings.Builder
	for i, o := range d.script {
		switch k, st := d.kernel[i], d.stack[i]; {
		case k == "" && st == "":
		case k == st:
			fmt.Fprintf(&b, "\t%-40s %s\n", o, k)
		default:
			fmt.Fprintf(&b, "\t%-40s kernel %s, stack %s\n", o, k, st)
		}
	}
	return b.String()
}

// compare runs random scripts and reports their differences.
func (c *comparison) compare(scripts int, g generator) {
	found := map[string]bool{} // by kind
	for i := range scripts {
		number := *seed + uint64(i)
		g := generator{Rand: rand.New(rand.NewPCG(number, 0)), ipv6: g.ipv6, blocking: g.blocking}
		s := g.script()
		d := c.find(s)
		if d == nil || found[d.kind()] {
			continue
		}
		found[d.kind()] = true
		c.t.Errorf("seed %d:\n%s", number, c.shrink(s, d))
		if len(found) == *reports {
			c.t.Fatalf("gave up after %d scripts", i+1)
		}
	}
}

func TestRandomScripts(t *testing.T) { // SOCK-073
	for name, ipv6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		t.Run(name, func(t *testing.T) { newComparison(t, "").compare(count(), generator{ipv6: ipv6}) })
	}
}

// The same with sockets that wait for 10 ms, which takes real time on the kernel.
func TestBlockingScripts(t *testing.T) {
	const tenMilliseconds = "x00000000000000001027000000000000" // a struct timeval
	newComparison(t, tenMilliseconds).compare(count()/20, generator{ipv6: true, blocking: true})
}

// count is the number of scripts: 25 times as many with TUNSTACK_LONG=1.
func count() int {
	if os.Getenv("TUNSTACK_LONG") == "1" {
		return *scripts * 25
	}
	return *scripts
}
