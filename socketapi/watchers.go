package socketapi

import (
	"slices"
	"sync"
)

// watchers are the functions that follow events of one kind.
type watchers[Event any] struct {
	mu   sync.Mutex
	list []*func(Event)
}

// add adds a function until stop is called.
func (w *watchers[Event]) add(f func(Event)) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, &f)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.list = slices.DeleteFunc(w.list, func(other *func(Event)) bool { return other == &f })
	}
}

// tell calls the functions.
func (w *watchers[Event]) tell(e Event) {
	w.mu.Lock()
	list := slices.Clone(w.list)
	w.mu.Unlock()
	for _, f := range list {
		(*f)(e)
	}
}
