package dns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// askAt asks for A of each name at a time since the start, and returns the number of queries so far.
type cacheTest struct {
	*testing.T
	n *fakeNet
	r *Resolver
}

func (c cacheTest) ask(at time.Duration, name string) (queries int) {
	time.Sleep(at - time.Since(c.n.start))
	_, _ = c.r.Query(background, name, dnsmessage.TypeA) // the answer may be negative
	return len(c.n.queries())
}

// An answer is kept until its TTL ends, at most for MaxTTL; the lowest TTL of a set and of its chain counts; one of zero, or with the
// top bit set, is not kept. DNS-012, DNS-013, DNS-014.
func TestPositiveCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", func(q *sent) [][]byte {
			name := q.name()
			return map[string][][]byte{
				"ten.test.":   {q.reply(t, "ten.test. 100 A 10.0.0.8", "ten.test. 10 A 10.0.0.9")},
				"chain.test.": {q.reply(t, "chain.test. 10 CNAME end.test.", "end.test. 100 A 10.0.0.9")},
				"zero.test.":  {q.reply(t, "zero.test. 0 A 10.0.0.9")},
				"top.test.":   {q.reply(t, "top.test. 0x80000001 A 10.0.0.9")},
				"long.test.":  {q.reply(t, "long.test. 1000000 A 10.0.0.9")},
			}[name]
		})
		c := cacheTest{t, n, n.resolver(Config{MaxTTL: time.Hour}, "10.0.0.1")}
		s := time.Second
		require.Equal(t, 1, c.ask(0, "ten.test."))
		require.Equal(t, 1, c.ask(9*s, "TEN.test"))
		require.Equal(t, 2, c.ask(10*s, "ten.test."))
		require.Equal(t, 3, c.ask(20*s, "chain.test."))
		require.Equal(t, 3, c.ask(29*s, "chain.test."))
		require.Equal(t, 4, c.ask(30*s, "chain.test."))
		for _, name := range []string{"zero.test.", "top.test."} {
			before := c.ask(40*s, name)
			require.Equal(t, before+1, c.ask(40*s, name))
		}
		before := c.ask(100*s, "long.test.")
		require.Equal(t, before, c.ask(100*s+59*time.Minute, "long.test."))
		require.Equal(t, before+1, c.ask(100*s+time.Hour, "long.test."))
	})
}

// That a name does not exist is kept for all its types, that it has no record of a type for this type, for the lower of the SOA's
// TTL and minimum, at most an hour; without SOA it is not kept. DNS-015.
func TestNegativeCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", func(q *sent) [][]byte {
			name := q.name()
			return map[string][][]byte{
				"gone.test.":   {q.deny(t, dnsmessage.RCodeNameError, 30, 10)},
				"nodata.test.": {q.deny(t, dnsmessage.RCodeSuccess, 10, 30)},
				"nosoa.test.":  {q.deny(t, dnsmessage.RCodeNameError, -1, 0)},
				"long.test.":   {q.deny(t, dnsmessage.RCodeNameError, 1000000, 1000000)},
				"alias.test.":  {q.deny(t, dnsmessage.RCodeNameError, 30, 30, "alias.test. 10 CNAME gone.test.")},
			}[name]
		})
		c := cacheTest{t, n, n.resolver(Config{}, "10.0.0.1")}
		s := time.Second
		require.Equal(t, 1, c.ask(0, "gone.test."))
		_, err := c.r.Query(background, "gone.test.", dnsmessage.TypeTXT)
		require.ErrorIs(t, err, ErrNoName)
		require.Equal(t, 1, c.ask(9*s, "gone.test."))
		require.Equal(t, 2, c.ask(10*s, "gone.test."))
		require.Equal(t, 3, c.ask(20*s, "nodata.test."))
		require.Equal(t, 3, c.ask(29*s, "nodata.test."))
		_, err = c.r.Query(background, "nodata.test.", dnsmessage.TypeTXT)
		require.ErrorIs(t, err, ErrNoData)
		require.Len(t, n.queries(), 4)
		require.Equal(t, 5, c.ask(30*s, "nodata.test."))
		require.Equal(t, 6, c.ask(40*s, "nosoa.test."))
		require.Equal(t, 7, c.ask(40*s, "nosoa.test."))
		require.Equal(t, 8, c.ask(50*s, "alias.test."))
		_, err = c.r.Query(background, "alias.test.", dnsmessage.TypeCNAME)
		require.NoError(t, err)
		before := c.ask(59*s, "alias.test.")
		require.Equal(t, before+1, c.ask(60*s, "alias.test."))
		before = c.ask(100*s, "long.test.")
		require.Equal(t, before+1, c.ask(100*s+time.Hour, "long.test."))
	})
}

// That a name does not exist holds for the names below it if the servers have verified it. DNS-016.
func TestNothingBelow(t *testing.T) {
	for _, trust := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			n.add("10.0.0.1", func(q *sent) [][]byte {
				var m dnsmessage.Message
				require.NoError(t, m.Unpack(q.deny(t, dnsmessage.RCodeNameError, 60, 60)))
				m.AuthenticData = true
				return [][]byte{pack(t, &m)}
			})
			c := cacheTest{t, n, n.resolver(Config{Settings: Settings{TrustAD: trust}}, "10.0.0.1")}
			var queries []int
			for _, name := range []string{"gone.test.", "a.gone.test.", "b.a.gone.test.", "xgone.test."} {
				queries = append(queries, c.ask(0, name))
				_, err := c.r.Query(background, name, dnsmessage.TypeA)
				require.ErrorIs(t, err, ErrNoName)
			}
			want := []int{1, 2, 3, 4}
			if trust {
				want = []int{1, 1, 1, 2}
			}
			require.Equal(t, want, queries)
		})
	}
}

// The cache has a bound in entries, of which the last used stay, and large answers are not kept.
func TestCacheBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", func(q *sent) [][]byte {
			if q.name() == "large.test." {
				var records []string
				for i := range 20 {
					records = append(records, fmt.Sprintf("large.test. 60 TXT %d%s", i, strings.Repeat(strings.Repeat("x", 250)+" ", 2)))
				}
				if q.proto == "udp" {
					m := q.base()
					m.Truncated = true
					return [][]byte{pack(t, &m)}
				}
				return [][]byte{q.reply(t, records...)}
			}
			return [][]byte{q.reply(t, q.name()+" 60 A 10.0.0.9")}
		})
		c := cacheTest{t, n, n.resolver(Config{CacheSize: 3}, "10.0.0.1")}
		for _, name := range []string{"a.", "b.", "c.", "a.", "d."} {
			c.ask(0, name)
		}
		require.Equal(t, 3, c.r.cache.len())
		require.Len(t, n.queries(), 4)
		require.Equal(t, 4, c.ask(0, "a."))
		require.Equal(t, 5, c.ask(0, "b."))
		_, err := c.r.LookupTXT(background, "large.test.")
		require.NoError(t, err)
		_, found := c.r.cache.get(question{"large.test.", dnsmessage.TypeTXT}, 0)
		require.False(t, found)

		none := n.resolver(Config{CacheSize: -1}, "10.0.0.1")
		_, err = none.Query(background, "a.", dnsmessage.TypeA)
		require.NoError(t, err)
		require.Zero(t, none.cache.len())
	})
}

// Other servers can have other answers, so new servers empty the cache.
func TestConfigureForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		one := n.add("10.0.0.1", zone(t, "host.test. 60 A 10.0.0.8"))
		two := n.add("10.0.0.2", zone(t, "host.test. 60 A 10.0.0.9"))
		r := n.resolver(Config{}, "10.0.0.1")
		for _, c := range []struct {
			s    Settings
			want string
		}{
			{Settings{Servers: []netip.AddrPort{one}}, "10.0.0.8"},
			{Settings{Servers: []netip.AddrPort{one}, Search: []string{"x"}}, "10.0.0.8"},
			{Settings{Servers: []netip.AddrPort{two}}, "10.0.0.9"},
		} {
			r.Configure(c.s)
			got, err := r.Query(background, "host.test.", dnsmessage.TypeA)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Records[0].Text())
		}
		require.Len(t, n.queries(), 2)
	})
}

// The same question is asked once, however many callers wait; one that gives up does not end it for the others.
func TestJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", func(q *sent) [][]byte {
			time.Sleep(time.Second)
			return [][]byte{q.reply(t, "host.test. 0 A 10.0.0.9")}
		})
		r := n.resolver(Config{}, "10.0.0.1")
		hasty, cancel := context.WithTimeout(background, time.Second/2)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := r.Query(hasty, "host.test.", dnsmessage.TypeA)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				_, err := r.Query(background, "host.test.", dnsmessage.TypeA)
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Len(t, n.queries(), 1)
		require.Equal(t, time.Second, time.Since(n.start))
		require.EqualValues(t, 100, r.Stats().Joined.Value())
	})
}

// A burst of names uses a bounded number of sockets at a time.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		var mu sync.Mutex
		open, most := 0, 0
		n.add("10.0.0.1", func(q *sent) [][]byte {
			mu.Lock()
			open++
			most = max(most, open)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			open--
			mu.Unlock()
			return [][]byte{q.reply(t, q.name()+" 60 A 10.0.0.9")}
		})
		r := n.resolver(Config{}, "10.0.0.1")
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				_, err := r.Query(background, fmt.Sprintf("h%d.test.", i), dnsmessage.TypeA)
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, maxQueries, most)
		require.Equal(t, 4*time.Second, time.Since(n.start))
	})
}

// A lookup in the cache.
func BenchmarkCached(b *testing.B) {
	r := New(Config{Settings: Settings{Servers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")}}})
	defer r.Close()
	for _, typ := range r.addressTypes("ip") {
		a := &Answer{Name: "host.test.", lifetime: time.Hour}
		a.Records = []Record{{Name: a.Name, Type: typ, TTL: time.Hour, Data: &dnsmessage.AResource{A: [4]byte{10, 0, 0, 9}}}}
		r.cache.put(question{a.Name, typ}, a, 0, 10, time.Hour)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.LookupNetIP(background, "ip", "host.test"); err != nil {
			b.Fatal(err)
		}
	}
}
