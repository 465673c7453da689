package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// EventErased is the kind of the record that says which record (its ID is the
// Subject) was erased, and who did it.
const EventErased = "audit.erased"

// A Fault is the first thing that is wrong with a log.
type Fault struct {
	Seq int64 // the first bad record
	// To is the last record that may be the bad one, where only the range is
	// known because nobody outside kept the leaves; else it is Seq.
	To   int64
	What string // "edited", "dropped", "out of order", "cut off", "rewritten", "erased without a record of it"
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
	Erased  int64     // records whose personal part was erased, which a later record says
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
	v := verifier{stored: stored, memory: memory, tree: newTree(func(int64) ([]byte, error) { return nil, nil }), unsaid: map[string]int64{}}
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
	stored  tlog.HashReader
	memory  Memory
	tree    *tree
	size    int64
	good    int64 // size of the last checkpoint that agreed
	erased  int64
	damaged bool             // the stored tree does not fit the records
	unsaid  map[string]int64 // Seq of erased records, by ID, that no record has named so far
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
	if err := v.inner(n); err != nil {
		return err
	}
	if e.Erased {
		v.erased++
		v.unsaid[e.ID] = n
	}
	if e.Kind == EventErased && !e.Erased {
		delete(v.unsaid, e.Subject)
	}
	v.size++
	return v.checkpoints()
}

// inner compares the hashes that entry n added above its leaf with the stored
// ones.
func (v *verifier) inner(n int64) error {
	if v.stored == nil || v.damaged {
		return nil
	}
	var indexes []int64
	for i := tlog.StoredHashIndex(0, n) + 1; i < tlog.StoredHashIndex(0, n+1); i++ {
		indexes = append(indexes, i)
	}
	made, err := v.tree.ReadHashes(indexes)
	if err != nil {
		return err
	}
	kept, err := v.stored.ReadHashes(indexes)
	v.damaged = err != nil || !slices.Equal(made, kept)
	return nil
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
	if len(v.unsaid) > 0 {
		n := slices.Min(slices.Collect(maps.Values(v.unsaid)))
		return Report{Size: v.size}, &Fault{n, n, "erased without a record of it"}
	}
	if v.damaged {
		return Report{Size: v.size}, errors.New("the records are in order, but the stored tree over them was changed")
	}
	root, err := tlog.TreeHash(v.size, v.tree)
	return Report{Size: v.size, Root: root, Covered: v.good, Erased: v.erased}, err
}

// VerifyBook verifies the log in a database. Records may be sealed meanwhile;
// it reads those that were there when it began.
func VerifyBook(ctx context.Context, b Book, memory Memory) (Report, error) {
	size, err := b.Size(ctx)
	if err != nil {
		return Report{}, err
	}
	stored := bookTree(ctx, b)
	r, err := Verify(&bookSource{ctx: ctx, book: b, end: size}, stored, memory)
	if err != nil {
		return r, err
	}
	if r.Size < size {
		return r, &Fault{r.Size, r.Size, "cut off"}
	}
	return r, noMore(ctx, b, stored, r)
}

// noMore reports a fault if the stored tree goes on after the last record.
func noMore(ctx context.Context, b Book, stored *tree, r Report) error {
	if _, err := stored.ReadHashes([]int64{tlog.StoredHashIndex(0, r.Size)}); err != nil {
		return nil // nothing after the last record
	}
	if now, err := b.Size(ctx); err != nil || now > r.Size {
		return err // records were sealed meanwhile
	}
	return &Fault{r.Size, r.Size, "cut off"}
}

// bookSource reads a Book in pages.
type bookSource struct {
	ctx  context.Context
	book Book
	page []Entry
	next int64
	end  int64 // size of the log to read; 0 means as far as it goes
}

func (s *bookSource) Next() (Entry, error) {
	if s.end > 0 && s.next >= s.end {
		return Entry{}, io.EOF
	}
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
