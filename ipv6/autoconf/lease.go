package autoconf

import (
	"slices"
	"time"

	"tunstack/ip"
)

// lease is a thing that a router advertises for some time.
type lease[K comparable, V any] struct {
	key   K
	value V
	until time.Duration // ip.Forever: without an end
}

// leases is a bounded table of leases, in the order in which they came.
type leases[K comparable, V any] struct {
	max  int
	list []lease[K, V]
}

// get returns the lease of a key; nil: there is none.
func (l *leases[K, V]) get(key K) *lease[K, V] {
	if at := l.index(key); at >= 0 {
		return &l.list[at]
	}
	return nil
}

func (l *leases[K, V]) index(key K) int {
	return slices.IndexFunc(l.list, func(e lease[K, V]) bool { return e.key == key })
}

// set adds or renews a lease. It returns false for a new one if the table is full: a flood of advertisements displaces nothing that the
// host knows.
func (l *leases[K, V]) set(key K, value V, until time.Duration) bool {
	if e := l.get(key); e != nil {
		e.value, e.until = value, until
		return true
	}
	if len(l.list) >= l.max {
		return false
	}
	l.list = append(l.list, lease[K, V]{key, value, until})
	return true
}

// remove removes a lease, and reports whether there was one.
func (l *leases[K, V]) remove(key K) bool {
	at := l.index(key)
	if at >= 0 {
		l.list = slices.Delete(l.list, at, at+1)
	}
	return at >= 0
}

// expire removes and returns the leases that have ended.
func (l *leases[K, V]) expire(now time.Duration) (ended []lease[K, V]) {
	l.list = slices.DeleteFunc(l.list, func(e lease[K, V]) bool {
		if e.until <= now {
			ended = append(ended, e)
		}
		return e.until <= now
	})
	return ended
}

// next is when the first lease ends; ip.Forever: never.
func (l *leases[K, V]) next() time.Duration {
	at := ip.Forever
	for _, e := range l.list {
		at = min(at, e.until)
	}
	return at
}

// keys lists the keys in the order of the table.
func (l *leases[K, V]) keys() (list []K) {
	for _, e := range l.list {
		list = append(list, e.key)
	}
	return list
}
