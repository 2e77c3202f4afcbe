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

// resolve finds the answer to a question.
func (r *Resolver) resolve(ctx context.Context, q question) (*Answer, error) {
	if a, ok := r.known(q); ok {
		return a, nil
	}
	return r.await(ctx, q)
}

// known finds an answer for which no server has to be asked.
func (r *Resolver) known(q question) (*Answer, bool) {
	if a, ok := special(q); ok {
		return a, true
	}
	r.stats.Lookups.Inc()
	a, ok := r.cache.get(q, r.cfg.Now())
	if ok {
		r.stats.CacheHits.Inc()
	}
	return a, ok
}

// await asks the servers, or waits for the answer if another caller has asked.
func (r *Resolver) await(ctx context.Context, q question) (*Answer, error) {
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

// resultOf is the result of a question; a negative answer is an error.
func resultOf(a *Answer, err error) result {
	if err == nil {
		err = a.err()
	}
	return result{a, err}
}

// all asks for several types of records of a name, at the same time unless the settings say SingleRequest. It calls each with every
// answer that has data, as soon as it has come.
func (r *Resolver) all(ctx context.Context, name string, types []dnsmessage.Type, each func(*Answer)) []result {
	results := make([]result, len(types))
	done := make(chan int, len(types))
	report := func(i int) {
		if results[i].err == nil {
			each(results[i].answer)
		}
	}
	single := len(types) == 1 || r.settings.Load().SingleRequest
	waiting := 0
	for i, t := range types {
		q := question{name, t}
		if a, ok := r.known(q); ok {
			results[i] = resultOf(a, nil)
			report(i)
		} else if single {
			results[i] = resultOf(r.await(ctx, q))
			report(i)
		} else {
			waiting++
			go func() {
				results[i] = resultOf(r.await(ctx, q))
				done <- i
			}()
		}
	}
	for range waiting {
		report(<-done)
	}
	return results
}

// search looks up the types of records of the names that a user's name can stand for, until one has a record. It returns the
// answers about that name that have data, at least one.
func (r *Resolver) search(ctx context.Context, name string, types ...dnsmessage.Type) ([]*Answer, error) {
	return r.searchEach(ctx, name, func(*Answer) {}, types...)
}

// searchEach is search that calls each with an answer that has data as soon as it has come.
func (r *Resolver) searchEach(ctx context.Context, name string, each func(*Answer), types ...dnsmessage.Type) ([]*Answer, error) {
	if !validName(name) {
		return nil, ErrBadName
	}
	var worst error
	for _, candidate := range r.settings.Load().candidates(name) {
		answers, err := withData(r.all(ctx, candidate, types, each))
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

// withData returns the answers with data, or the error that tells most.
func withData(results []result) (answers []*Answer, worst error) {
	for _, r := range results {
		if r.err != nil {
			worst = moreTelling(worst, r.err)
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
