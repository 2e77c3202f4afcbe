package requirements

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Levels of RFC 2119.
const (
	must   = "MUST"
	should = "SHOULD"
	may    = "MAY"
)

// header names the columns of the table; the last may be absent from a row.
var header = []string{"id", "layer", "source", "level", "requirement", "test_hint", "reason"}

// rowID is an id: the layer's prefix and a number.
var rowID = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[0-9]{3}$`)

// A Row is one requirement.
type Row struct {
	ID     string // such as IP-017
	Layer  string // the package or subject that it concerns
	Source string // the specification, with sections
	Level  string // MUST, SHOULD or MAY
	Text   string // the requirement
	Hint   string // how to show it
	Reason string // why the project does not meet it; otherwise empty
}

// required reports whether the row needs a test or a reason.
func (r *Row) required() bool { return r.Level != may }

// prefix is the id without its number.
func (r *Row) prefix() string {
	prefix, _, _ := strings.Cut(r.ID, "-")
	return prefix
}

// parseTable reads tab-separated rows below a line that names the columns.
func parseTable(in io.Reader) ([]Row, error) {
	lines := bufio.NewScanner(in)
	if lines.Scan(); lines.Text() != strings.Join(header, "\t") {
		return nil, fmt.Errorf("line 1 is %q instead of the names of the columns", lines.Text())
	}
	var rows []Row
	for n := 2; lines.Scan(); n++ {
		row, err := parseRow(lines.Text())
		if err == nil && slices.ContainsFunc(rows, func(r Row) bool { return r.ID == row.ID }) {
			err = fmt.Errorf("duplicate %s", row.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		rows = append(rows, row)
	}
	return rows, lines.Err()
}

func parseRow(line string) (Row, error) {
	f := strings.Split(line, "\t")
	if len(f) == len(header)-1 {
		f = append(f, "")
	}
	if len(f) != len(header) {
		return Row{}, fmt.Errorf("%d columns instead of %d", len(f), len(header))
	}
	r := Row{ID: f[0], Layer: f[1], Source: f[2], Level: f[3], Text: f[4], Hint: f[5], Reason: f[6]}
	switch {
	case !rowID.MatchString(r.ID):
		return Row{}, fmt.Errorf("%q is not an id", r.ID)
	case !slices.Contains([]string{must, should, may}, r.Level):
		return Row{}, fmt.Errorf("%s has the unknown level %q", r.ID, r.Level)
	case r.Layer != "" && !slices.ContainsFunc(layers, func(l layer) bool { return l.name == r.Layer }):
		return Row{}, fmt.Errorf("%s has the unknown layer %q", r.ID, r.Layer)
	case slices.Contains(f[:6], ""):
		return Row{}, fmt.Errorf("%s has an empty column", r.ID)
	}
	return r, nil
}
