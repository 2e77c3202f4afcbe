package requirements

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Test is a Test, Fuzz or Example function.
type Test struct {
	Name string // with its package's directory, such as tcp.TestPassiveOpen
	File string // its path in the module, with slashes
}

// A scanner collects the ids that tests name.
type scanner struct {
	pattern *regexp.Regexp    // an id, or a range of ids
	tests   map[string][]Test // by id, in the order of files and lines
}

// scanTests finds the ids with one of the prefixes in the tests of a module. A test names an id in its doc comment, in a
// comment inside it or in a string inside it; "IP-017 to IP-019" names three.
func scanTests(module fs.FS, prefixes []string) (map[string][]Test, error) {
	id := `(` + strings.Join(prefixes, "|") + `)-([0-9]{3})\b`
	s := &scanner{pattern: regexp.MustCompile(`\b` + id + `(?:\s+to\s+` + id + `)?`), tests: map[string][]Test{}}
	err := fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored(d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		return s.file(module, name)
	})
	return s.tests, err
}

// ignored reports whether the go command ignores a directory.
func ignored(dir string) bool {
	return dir == "testdata" || dir != "." && (dir[0] == '.' || dir[0] == '_')
}

func (s *scanner) file(module fs.FS, name string) error {
	text, err := fs.ReadFile(module, name)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || !isTest(fn.Name.Name) {
			continue
		}
		t := Test{Name: path.Base(path.Dir(name)) + "." + fn.Name.Name, File: name}
		if err := s.function(f, fn, t); err != nil {
			return err
		}
	}
	return nil
}

func isTest(name string) bool {
	for _, p := range []string{"Test", "Fuzz", "Example"} {
		if strings.HasPrefix(name, p) && name != "TestMain" {
			return true
		}
	}
	return false
}

// function records the ids above, inside, and at the end of the last line of fn.
func (s *scanner) function(f *ast.File, fn *ast.FuncDecl, t Test) error {
	for _, c := range f.Comments {
		if c == fn.Doc || c.Pos() > fn.Pos() && c.End() < fn.End() {
			if err := s.text(c.Text(), t); err != nil {
				return err
			}
		}
	}
	var err error
	ast.Inspect(fn, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && err == nil {
			err = s.text(l.Value, t)
		}
		return err == nil
	})
	return err
}

func (s *scanner) text(text string, t Test) error {
	for _, m := range s.pattern.FindAllStringSubmatch(text, -1) {
		first, _ := strconv.Atoi(m[2])
		last := first
		if m[3] != "" {
			last, _ = strconv.Atoi(m[4])
			if m[3] != m[1] || last <= first {
				return fmt.Errorf("%s: %s: %q is not a range", t.File, t.Name, m[0])
			}
		}
		for n := first; n <= last; n++ {
			s.note(fmt.Sprintf("%s-%03d", m[1], n), t)
		}
	}
	return nil
}

func (s *scanner) note(id string, t Test) {
	if !slices.Contains(s.tests[id], t) {
		s.tests[id] = append(s.tests[id], t)
	}
}
