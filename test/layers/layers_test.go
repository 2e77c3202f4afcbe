// Package layers tests the dependencies between the packages of this module.
package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// listHead is the line of docs/architecture.md above the list of layers, one layer per line, up to the end of the block.
const listHead = "layers, from top to bottom:"

// order is the layers from top to bottom; each is packages or, with /..., trees of packages.
func order(t *testing.T) (layers [][]string) {
	page, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	require.NoError(t, err)
	_, list, found := strings.Cut(string(page), listHead+"\n")
	require.True(t, found, "docs/architecture.md has no line %q", listHead)
	list, _, _ = strings.Cut(list, "\n```")
	for line := range strings.Lines(list) {
		if fields := strings.Fields(line); len(fields) > 0 {
			layers = append(layers, fields)
		}
	}
	return layers
}

// place is the index of a package's layer; -1: none. The most specific pattern counts.
func place(layers [][]string, pkg string) int {
	at, exact := -1, -1
	for i, layer := range layers {
		for _, pattern := range layer {
			tree, isTree := strings.CutSuffix(pattern, "/...")
			if (pattern == pkg || isTree && (tree == pkg || strings.HasPrefix(pkg, tree+"/"))) && len(pattern) > exact {
				at, exact = i, len(pattern)
			}
		}
	}
	return at
}

// imports maps each package of the module to its imports, both without the module's name.
func imports(t *testing.T) map[string][]string {
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	list := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], "tunstack/")
		list[pkg] = nil
		for _, path := range fields[1:] {
			if own, ok := strings.CutPrefix(path, "tunstack/"); ok {
				list[pkg] = append(list[pkg], own)
			}
		}
	}
	require.Greater(t, len(list), 20)
	return list
}

// An import leads to a lower layer, or stays within one tree of folders.
func TestImportsRunDown(t *testing.T) {
	layers := order(t)
	for pkg, paths := range imports(t) {
		from := place(layers, pkg)
		require.GreaterOrEqual(t, from, 0, "docs/architecture.md names no layer for %s", pkg)
		for _, path := range paths {
			to := place(layers, path)
			if to < from || to == from && first(path) != first(pkg) {
				t.Errorf("%s imports %s, which is not below it", pkg, path)
			}
		}
	}
}

func first(path string) string {
	name, _, _ := strings.Cut(path, "/")
	return name
}

// A layer's inside is private: if a layer is a tree of folders, packages above it import only the root, unless
// docs/architecture.md names the package.
func TestNoImportOfAnotherLayersInside(t *testing.T) {
	layers := order(t)
	named := slices.Concat(layers...)
	for pkg, paths := range imports(t) {
		for _, path := range paths {
			inside := first(path) != first(pkg) && !slices.Contains(named, path) && !slices.Contains(named, path+"/...")
			if inside && first(path) != "internal" {
				t.Errorf("%s imports %s, which is inside another layer", pkg, path)
			}
		}
	}
}

// Go does not allow other modules to name types of internal packages, so no exported signature may need one.
func TestSignaturesNameNoInternalType(t *testing.T) {
	for _, tree := range []string{"tun", "link", "socketapi", "trace", "capture"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, tree), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			return checkFile(t, path)
		}))
	}
}

func checkFile(t *testing.T, path string) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	internal := make(map[string]bool) // the names of internal packages in this file
	for _, i := range file.Imports {
		if p, _ := strconv.Unquote(i.Path.Value); strings.HasPrefix(p, "tunstack/internal/") {
			name := filepath.Base(p)
			if i.Name != nil {
				name = i.Name.Name
			}
			internal[name] = true
		}
	}
	for _, decl := range file.Decls {
		for _, signature := range signatures(decl) {
			ast.Inspect(signature, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && internal[x.Name] {
						t.Errorf("%s: an exported signature names %s.%s", fset.Position(sel.Pos()), x.Name, sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
	return nil
}

// signatures are the types in a declaration that users must be able to name. An alias gives a type a new name, so its target
// does not count.
func signatures(decl ast.Decl) (list []ast.Node) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
			list = append(list, d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && !s.Assign.IsValid() {
					list = append(list, exportedParts(s.Type)...)
				}
			case *ast.ValueSpec:
				if s.Type != nil && slices.ContainsFunc(s.Names, (*ast.Ident).IsExported) {
					list = append(list, s.Type)
				}
			}
		}
	}
	return list
}

func exportedReceiver(recv *ast.FieldList) bool {
	typ := recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

// exportedParts are a type's exported fields and methods, or the whole type if it has neither.
func exportedParts(typ ast.Expr) (list []ast.Node) {
	var fields *ast.FieldList
	switch t := typ.(type) {
	case *ast.StructType:
		fields = t.Fields
	case *ast.InterfaceType:
		fields = t.Methods
	default:
		return []ast.Node{typ}
	}
	for _, f := range fields.List {
		if len(f.Names) == 0 || slices.ContainsFunc(f.Names, (*ast.Ident).IsExported) {
			list = append(list, f.Type)
		}
	}
	return list
}
