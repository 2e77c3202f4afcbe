// Package requirements checks the project against its table of requirements, docs/requirements.tsv: a test that names its id
// shows each MUST and SHOULD, or the table's last column has a reason. docs/requirements.md is the account for readers, written
// from the table and the tests by
//
//	go generate ./test/requirements
package requirements

//go:generate go run ./gen

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Paths in the module.
const (
	TablePath    = "docs/requirements.tsv"
	DocumentPath = "docs/requirements.md"
)

// An Account is the table next to the tests.
type Account struct {
	rows  []Row
	tests map[string][]Test // by id
}

// Read reads the table and the tests of the module whose root is given.
func Read(module fs.FS) (*Account, error) {
	in, err := module.Open(TablePath)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	a := &Account{}
	if a.rows, err = parseTable(in); err != nil {
		return nil, fmt.Errorf("%s: %w", TablePath, err)
	}
	a.tests, err = scanTests(module, a.prefixes())
	return a, err
}

func (a *Account) prefixes() []string {
	var p []string
	for i := range a.rows {
		p = append(p, a.rows[i].prefix())
	}
	return slices.Compact(p)
}

// Problems lists the problems, one line each: rows without test and reason, rows with a test and a reason, ids that are not in
// the table.
func (a *Account) Problems() []string {
	var problems []string
	unknown := maps.Clone(a.tests)
	for i := range a.rows {
		r := &a.rows[i]
		delete(unknown, r.ID)
		switch shown := a.tests[r.ID]; {
		case r.required() && r.Reason == "" && len(shown) == 0:
			problems = append(problems, fmt.Sprintf("%s (%s) has neither a test nor a reason: %s", r.ID, r.Level, r.Text))
		case r.Reason != "" && len(shown) > 0:
			problems = append(problems, fmt.Sprintf("%s has a reason, but %s names it", r.ID, shown[0].Name))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(unknown)) {
		problems = append(problems, fmt.Sprintf("%s names %s, which the table does not have", a.tests[id][0].Name, id))
	}
	return problems
}
