package dns

import (
	"context"

	"golang.org/x/net/dns/dnsmessage"
)

// Query looks up the records of one type that a name has, without the search list and the hosts file. The answer is shared with
// other callers: its Records must not be changed. Errors are *net.DNSError; ErrNoName and ErrNoData come with the answer that says so.
func (r *Resolver) Query(ctx context.Context, name string, typ dnsmessage.Type) (*Answer, error) {
	if !validName(name) {
		return nil, failure(name, ErrBadName)
	}
	a, err := r.resolve(ctx, question{fold(name), typ})
	if err == nil {
		err = a.err()
	}
	return a, failure(name, err)
}

// err is the error that a negative answer stands for.
func (a *Answer) err() error {
	switch {
	case a.RCode == dnsmessage.RCodeNameError:
		return ErrNoName
	case len(a.Data()) == 0:
		return ErrNoData
	}
	return nil
}

// resolve finds the answer to a question: without a server, in the cache, or from the servers.
func (r *Resolver) resolve(ctx context.Context, q question) (*Answer, error) {
	if a, ok := special(q); ok {
		return a, nil
	}
	r.stats.Lookups.Inc()
	if a, ok := r.cache.get(q, r.cfg.Now()); ok {
		r.stats.CacheHits.Inc()
		return a, nil
	}
	call := r.join(q, func(ctx context.Context) (*Answer, error) { return r.recurse(ctx, q) })
	defer r.flights.leave(q, call)
	select {
	case <-call.done:
		return call.answer, call.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// recurse asks the servers for q, and then for the end of a CNAME chain that they do not follow. It keeps the answer.
func (r *Resolver) recurse(ctx context.Context, q question) (*Answer, error) {
	s := r.settings.Load()
	a := &Answer{Name: q.name, Authentic: s.TrustAD}
	for open := true; open; {
		m, err := r.ask(ctx, s, question{a.Name, q.typ})
		if err != nil {
			return nil, err
		}
		if open, err = a.merge(m, q.typ); err != nil {
			return nil, err
		}
		a.deny(m)
		a.Authentic = a.Authentic && m.authentic
	}
	if r.settings.Load() == s { // the servers are still the same
		r.cache.put(q, a, r.cfg.Now(), r.cfg.CacheSize, r.cfg.MaxTTL)
	}
	return a, nil
}

// result is the outcome of one of several questions.
type result struct {
	answer *Answer
	err    error
}

// all asks for several types of records of a name, at the same time unless the settings say SingleRequest.
func (r *Resolver) all(ctx context.Context, name string, types []dnsmessage.Type) []result {
	results := make([]result, len(types))
	done := make(chan struct{}, len(types))
	for i, t := range types {
		ask := func() {
			results[i].answer, results[i].err = r.resolve(ctx, question{name, t})
			done <- struct{}{}
		}
		if last := i == len(types)-1; last || r.settings.Load().SingleRequest {
			ask()
		} else {
			go ask()
		}
	}
	for range types {
		<-done
	}
	return results
}

// search looks up the types of records of the names that a user's name can stand for, until one has a record. It returns the
// answers about that name, of which at least one has data.
func (r *Resolver) search(ctx context.Context, name string, types ...dnsmessage.Type) ([]*Answer, error) {
	if !validName(name) {
		return nil, ErrBadName
	}
	var worst error
	for _, candidate := range r.settings.Load().candidates(name) {
		answers, err := found(r.all(ctx, candidate, types))
		if err == nil {
			return answers, nil
		}
		worst = moreTelling(worst, err)
		if servers, ok := err.(ServersError); ok && servers.silent() || ctx.Err() != nil || err == ErrNoServer {
			return nil, err
		}
	}
	return nil, worst
}

// found returns the answers with data, or the error that tells most.
func found(results []result) (answers []*Answer, worst error) {
	for _, r := range results {
		err := r.err
		if err == nil {
			err = r.answer.err()
		}
		if err != nil {
			worst = moreTelling(worst, err)
			continue
		}
		answers = append(answers, r.answer)
	}
	if len(answers) > 0 {
		return answers, nil
	}
	return nil, worst
}

// moreTelling is the error to report of two: failures rather than missing records, and those rather than missing names, as in glibc.
func moreTelling(a, b error) error {
	rank := func(err error) int {
		switch err {
		case nil:
			return 0
		case ErrNoName:
			return 1
		case ErrNoData:
			return 2
		}
		return 3
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}
