package dns

import (
	"container/list"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// maxEntry is the size in bytes of the largest answer that is kept, so that the cache is bounded in bytes as well.
const maxEntry = 8 << 10

// anyType is the type under which the cache keeps that a name does not exist (RFC 2308 section 5).
const anyType dnsmessage.Type = 0

// cache keeps answers until their time ends. When it is full, the answer that was not used for longest makes room.
type cache struct {
	mu      sync.Mutex
	entries map[question]*list.Element
	recent  list.List // of *entry, the last used first
}

type entry struct {
	q       question
	answer  *Answer
	expires time.Duration
}

// get returns the answer to a question, if there is one that may be used. Below a name that does not exist is none either (RFC 8020),
// but only a verified answer says that: a forged one, or that of a server with this widespread fault, would hide a whole domain.
func (c *cache) get(q question, now time.Duration) (*Answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range [...]question{q, {q.name, anyType}} {
		if a := c.fresh(key, now); a != nil {
			return a, true
		}
	}
	for _, above, _ := strings.Cut(q.name, "."); above != ""; _, above, _ = strings.Cut(above, ".") {
		if a := c.fresh(question{above, anyType}, now); a != nil && a.Authentic {
			return a, true
		}
	}
	return nil, false
}

// fresh returns the answer that is kept for a key, unless its time has ended.
func (c *cache) fresh(key question, now time.Duration) *Answer {
	element, ok := c.entries[key]
	if !ok {
		return nil
	}
	if e := element.Value.(*entry); now < e.expires {
		c.recent.MoveToFront(element)
		return e.answer
	}
	c.remove(element)
	return nil
}

// put keeps an answer for its lifetime, bounded by most.
func (c *cache) put(q question, a *Answer, now time.Duration, size int, most time.Duration) {
	lifetime := min(a.lifetime, most)
	if len(a.Data()) == 0 {
		lifetime = min(lifetime, maxNegativeTTL)
	}
	if lifetime <= 0 || size <= 0 || a.size() > maxEntry {
		return
	}
	if a.RCode == dnsmessage.RCodeNameError && a.data == 0 {
		q.typ = anyType
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[q]; ok {
		c.remove(element)
	}
	for c.recent.Len() >= size {
		c.remove(c.recent.Back())
	}
	if c.entries == nil {
		c.entries = map[question]*list.Element{}
	}
	c.entries[q] = c.recent.PushFront(&entry{q, a, now + lifetime})
}

func (c *cache) remove(element *list.Element) {
	delete(c.entries, element.Value.(*entry).q)
	c.recent.Remove(element)
}

func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = nil
	c.recent.Init()
}

func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len()
}

// size estimates the memory of an answer in bytes.
func (a *Answer) size() int {
	size := 0
	for i := range a.Records {
		size += a.Records[i].size()
	}
	return size
}
