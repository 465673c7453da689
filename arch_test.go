// Package jitney_test keeps the shape of the module: who may import whom, how
// big things may grow, and that every package says what it is for.
package jitney_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "jitney/"

// contracts are the packages whose types cross the floors.
var contracts = []string{"access", "target", "ticket", "secret", "audit", "schedule"}

// floors says what each package may import from this module. The first pattern
// that matches counts. Tests may import anything.
var floors = []struct {
	pkg string
	may []string
}{
	{"access", nil},
	{"crashpoint", nil},
	{"secret", []string{"access"}},
	{"audit", []string{"access", "crashpoint"}},
	{"schedule", []string{"access", "crashpoint"}},
	{"schedule/*", []string{"access", "schedule"}},
	{"target", []string{"access", "secret"}},
	{"target/*", []string{"access", "secret", "target"}}, // never another target, never the store
	{"ticket", []string{"access", "secret"}},
	{"ticket/*", []string{"access", "secret", "ticket", "ticket/reach"}}, // never another system, never the store
	{"store", []string{"access", "audit", "crashpoint", "schedule", "secret", "store/*"}},
	{"store/*", nil},
	{"broker", contracts},
	{"reconcile", append([]string{"crashpoint"}, contracts...)},
	{"signin", append([]string{"broker"}, contracts...)}, // never the store, never web
	{"web", append([]string{"broker"}, contracts...)},
	{"api", append([]string{"broker"}, contracts...)},
	{"notify", []string{"access", "secret"}},
	{"issuer", []string{"access", "secret"}},
	{"sim/hosted", nil},
	{"sim/*", []string{"secret", "sim/hosted"}},
	{"sim/*/*", nil},           // for tests only
	{"cli", []string{"cli/*"}}, // nothing of what the server needs: it starts in milliseconds
	{"cli/*", []string{"cli/*"}},
	{"lab", nil},
	{"lab/*", []string{"lab"}},
	{"cmd/*", []string{"*", "*/*"}},
}

// pure is all of the standard library that package access may import.
var pure = []string{"cmp", "crypto/rand", "encoding/json", "errors", "fmt", "maps", "slices", "strings", "time", "unicode", "unicode/utf8"}

// vague are names that say nothing about what is in a package.
var vague = []string{"util", "utils", "common", "helper", "helpers", "shared", "misc", "lib"}

const (
	mostFile, usualFile = 600, 400 // lines
	mostFunc, usualFunc = 100, 45  // lines
	mostInterface       = 5        // methods
	mostType            = 25       // methods
	mostDepth           = 6        // imports of our own in a row
)

// A source is one parsed file that ships, which tests do not.
type source struct {
	name, pkg string
	file      *ast.File
	set       *token.FileSet
	lines     int
	generated bool
}

// sources parses the files itself instead of asking "go list", so that the
// test cache knows what it read and runs the test again after a change.
func sources(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "tools" || d.Name() == "node_modules" || d.Name() == "bin" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{
			name: name, pkg: filepath.ToSlash(filepath.Dir(name)), file: f, set: set,
			lines: set.File(f.Pos()).LineCount(), generated: ast.IsGenerated(f),
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found only %d files; is this the root of the module?", len(all))
	}
	return all
}

// imports reports what a file imports: our own packages and others.
func (s source) imports() (ours, others []string) {
	for _, spec := range s.file.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		if in, ok := strings.CutPrefix(imp, module); ok {
			ours = append(ours, in)
		} else {
			others = append(others, imp)
		}
	}
	return ours, others
}

func TestEveryPackageStaysOnItsFloor(t *testing.T) {
	for _, s := range sources(t) {
		i := slices.IndexFunc(floors, func(f struct {
			pkg string
			may []string
		}) bool {
			ok, _ := path.Match(f.pkg, s.pkg)
			return ok
		})
		if i < 0 {
			t.Errorf("%s: package %s has no floor; give it one in arch_test.go", s.name, s.pkg)
			continue
		}
		ours, _ := s.imports()
		for _, imp := range ours {
			if !slices.ContainsFunc(floors[i].may, func(may string) bool { ok, _ := path.Match(may, imp); return ok }) {
				t.Errorf("%s must not import %s", s.name, imp)
			}
		}
	}
}

func TestAccessIsPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg != "access" {
			continue
		}
		_, others := s.imports()
		for _, imp := range others {
			if !slices.Contains(pure, imp) {
				t.Errorf("%s: access is pure and must not import %s", s.name, imp)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && fmt.Sprint(sel.X) == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "NewTimer"}, sel.Sel.Name) {
				t.Errorf("%s: access gets the time as an argument and must not call time.%s", s.set.Position(n.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil || s.generated
		for part := range strings.SplitSeq(s.pkg, "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: the name %q says nothing about what is in it", s.name, part)
			}
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", pkg)
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: no init; say it where the program is put together", s.set.Position(f.Pos()))
			}
		}
	}
}

// A measure is the size of one thing.
type measure struct {
	what string
	size int
}

// withinBudget reports each measure above most, and fails if more than a
// tenth of all is not below usual.
func withinBudget(t *testing.T, kind string, all []measure, most, usual int) {
	t.Helper()
	slices.SortFunc(all, func(a, b measure) int { return cmp.Compare(b.size, a.size) })
	var big []string
	for _, m := range all {
		if m.size > most {
			t.Errorf("%s: %d lines; a %s may have %d", m.what, m.size, kind, most)
		}
		if m.size >= usual {
			big = append(big, fmt.Sprintf("%s (%d)", m.what, m.size))
		}
	}
	if len(big)*10 > len(all) {
		t.Errorf("%d of %d: more than a tenth of all have %d lines or more:\n\t%s", len(big), len(all), usual, strings.Join(big, "\n\t"))
	}
}

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	var files, funcs []measure
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		files = append(files, measure{s.name, s.lines})
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				from, to := s.set.Position(f.Pos()), s.set.Position(f.End())
				funcs = append(funcs, measure{fmt.Sprintf("%s:%d %s", s.name, from.Line, f.Name.Name), to.Line - from.Line + 1})
			}
		}
	}
	withinBudget(t, "file", files, mostFile, usualFile)
	withinBudget(t, "function", funcs, mostFunc, usualFunc)
}

func TestInterfacesAndTypesStaySmall(t *testing.T) {
	methods := map[string]int{}
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if i, ok := n.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > mostInterface {
					t.Errorf("%s: interface %s has %d methods; it may have %d", s.set.Position(n.Pos()), n.Name, i.Methods.NumFields(), mostInterface)
				}
			case *ast.FuncDecl:
				if n.Recv != nil {
					methods[s.pkg+"."+receiver(n.Recv.List[0].Type)]++
				}
			}
			return true
		})
	}
	for name, n := range methods {
		if n > mostType {
			t.Errorf("%s has %d methods; a type may have %d", name, n, mostType)
		}
	}
}

// receiver reports the name of a method's type, without pointer and type
// parameters.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	default:
		return fmt.Sprintf("%T", e)
	}
}

func TestImportsStayShallow(t *testing.T) {
	imports := map[string][]string{}
	for _, s := range sources(t) {
		ours, _ := s.imports()
		imports[s.pkg] = append(imports[s.pkg], ours...)
	}
	var depth func(pkg string) int
	depth = func(pkg string) int {
		deepest := 0
		for _, imp := range imports[pkg] {
			deepest = max(deepest, 1+depth(imp))
		}
		return deepest
	}
	for pkg := range imports {
		if d := depth(pkg); d > mostDepth {
			t.Errorf("%s: %d imports of our own in a row; at most %d", pkg, d, mostDepth)
		}
	}
}
