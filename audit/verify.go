package audit

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// A Fault is the first thing that is wrong with a log.
type Fault struct {
	Seq int64 // the first bad record
	// To is the last record that may be the bad one, where only the range is
	// known because nobody outside kept the leaves; else it is Seq.
	To   int64
	What string // "edited", "dropped", "out of order", "cut off", "rewritten"
}

func (f *Fault) Error() string {
	if f.To > f.Seq {
		return fmt.Sprintf("record %d, or one of those up to %d, was %s", f.Seq, f.To, f.What)
	}
	return fmt.Sprintf("record %d was %s", f.Seq, f.What)
}

// A Report is what Verify found to be in order.
type Report struct {
	Size    int64     // records
	Root    tlog.Hash // of the tree over them
	Covered int64     // records that a signed checkpoint from outside vouches for
}

// A Source gives entries in the order of the log, then io.EOF.
type Source interface {
	Next() (Entry, error)
}

// Verify reads a whole log and reports the first bad record as a *[Fault]. It
// trusts nothing that comes with the log: stored is the tree as the database
// has it, nil where there is none (an export); memory is what was kept
// outside.
func Verify(src Source, stored tlog.HashReader, memory Memory) (Report, error) {
	v := verifier{stored: stored, memory: memory, tree: newTree(func(int64) ([]byte, error) { return nil, nil })}
	for {
		e, err := src.Next()
		if errors.Is(err, io.EOF) {
			return v.end()
		}
		if err != nil {
			return Report{Size: v.size}, err
		}
		if err := v.entry(e); err != nil {
			return Report{Size: v.size}, err
		}
	}
}

type verifier struct {
	stored tlog.HashReader
	memory Memory
	tree   *tree
	size   int64
	good   int64 // size of the last checkpoint that agreed
}

func (v *verifier) entry(e Entry) error {
	n := v.size
	if e.Seq != n {
		what := "dropped"
		if e.Seq < n {
			what = "out of order"
		}
		return &Fault{n, n, what}
	}
	leaf := e.Leaf()
	if !e.intact() {
		return &Fault{n, n, "edited"}
	}
	if n < int64(len(v.memory.Leaves)) && leaf != v.memory.Leaves[n] {
		return &Fault{n, n, "edited"}
	}
	if v.stored != nil {
		kept, err := v.stored.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		if err != nil || kept[0] != leaf {
			return &Fault{n, n, "edited"}
		}
	}
	if err := v.tree.add(n, leaf); err != nil {
		return err
	}
	v.size++
	return v.checkpoints()
}

// checkpoints compares the tree with what was signed at this size.
func (v *verifier) checkpoints() error {
	for _, c := range v.memory.Checkpoints {
		if c.Size != v.size {
			continue
		}
		root, err := tlog.TreeHash(v.size, v.tree)
		if err != nil {
			return err
		}
		if root != c.Root {
			return &Fault{v.good, v.size - 1, "rewritten"}
		}
		v.good = v.size
	}
	return nil
}

func (v *verifier) end() (Report, error) {
	for _, c := range v.memory.Checkpoints {
		if c.Size > v.size {
			return Report{Size: v.size}, &Fault{v.size, v.size, "cut off"}
		}
	}
	root, err := tlog.TreeHash(v.size, v.tree)
	return Report{Size: v.size, Root: root, Covered: v.good}, err
}

// VerifyBook verifies the log in a database.
func VerifyBook(ctx context.Context, b Book, memory Memory) (Report, error) {
	size, err := b.Size(ctx)
	if err != nil {
		return Report{}, err
	}
	r, err := Verify(&bookSource{ctx: ctx, book: b}, bookTree(ctx, b), memory)
	if err == nil && r.Size < size {
		return r, &Fault{r.Size, r.Size, "cut off"}
	}
	return r, err
}

// bookSource reads a Book in pages.
type bookSource struct {
	ctx  context.Context
	book Book
	page []Entry
	next int64
}

func (s *bookSource) Next() (Entry, error) {
	if len(s.page) == 0 {
		page, err := s.book.Entries(s.ctx, s.next, 1000)
		if err != nil {
			return Entry{}, err
		}
		if len(page) == 0 {
			return Entry{}, io.EOF
		}
		s.page = page
	}
	e := s.page[0]
	s.page, s.next = s.page[1:], e.Seq+1
	return e, nil
}
