package audit

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ChunkHashes is how many hashes a full chunk of the tree holds.
const ChunkHashes = 256

// A Book is the log as the store keeps it.
type Book interface {
	// Entries lists sealed entries by Seq, beginning with from.
	Entries(ctx context.Context, from int64, limit int) ([]Entry, error)
	// Size reports how many entries are sealed: the size of the tree.
	Size(ctx context.Context) (int64, error)
	// Chunk reads a chunk of the tree: 32 bytes for each hash, full or not; nil
	// if there is none.
	Chunk(ctx context.Context, n int64) ([]byte, error)
	// Seal runs fn in one transaction, while no other Seal runs anywhere on
	// this database, with the oldest entries that have no place yet, at most
	// limit, and the size before them. What fn returns is stored: entry i gets
	// the place size+i, and each chunk replaces the one of its number.
	Seal(ctx context.Context, limit int, fn func(size int64, entries []Entry, chunk ChunkReader) (map[int64][]byte, error)) error
}

// A ChunkReader reads one chunk of the tree, nil if there is none.
type ChunkReader func(n int64) ([]byte, error)

// tree reads, and lets grow, the stored hashes of a log.
type tree struct {
	read   ChunkReader
	chunks map[int64][]byte // read or written
	dirty  map[int64][]byte // written
}

func newTree(read ChunkReader) *tree {
	return &tree{read: read, chunks: map[int64][]byte{}, dirty: map[int64][]byte{}}
}

func (t *tree) chunk(n int64) ([]byte, error) {
	if c, ok := t.chunks[n]; ok {
		return c, nil
	}
	c, err := t.read(n)
	if err != nil {
		return nil, err
	}
	t.chunks[n] = c
	return c, nil
}

// ReadHashes implements tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		c, err := t.chunk(index / ChunkHashes)
		if err != nil {
			return nil, err
		}
		at := int(index%ChunkHashes) * tlog.HashSize
		if len(c) < at+tlog.HashSize {
			return nil, fmt.Errorf("the stored tree lacks hash %d", index)
		}
		copy(hashes[i][:], c[at:])
	}
	return hashes, nil
}

var errAhead = errors.New("the stored tree knows more")

// add appends the leaf of entry n, which must be the next.
func (t *tree) add(n int64, leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(n, leaf, t)
	if err != nil {
		return fmt.Errorf("add entry %d to the tree: %w", n, err)
	}
	first := tlog.StoredHashIndex(0, n)
	for i, h := range hashes {
		index := first + int64(i)
		c, err := t.chunk(index / ChunkHashes)
		if err != nil {
			return err
		}
		at := int(index%ChunkHashes) * tlog.HashSize
		switch {
		case len(c) < at:
			return fmt.Errorf("the stored tree ends before hash %d", index)
		case len(c) > at:
			// Sealing on would wipe out the trace of what was cut off.
			return fmt.Errorf("%w than %d records: the log was cut off; run jitney audit verify", errAhead, n)
		}
		if _, own := t.dirty[index/ChunkHashes]; !own {
			c = append(make([]byte, 0, ChunkHashes*tlog.HashSize), c...)
		}
		c = append(c, h[:]...)
		t.chunks[index/ChunkHashes], t.dirty[index/ChunkHashes] = c, c
	}
	return nil
}

// bookTree reads the tree of b.
func bookTree(ctx context.Context, b Book) *tree {
	return newTree(func(n int64) ([]byte, error) { return b.Chunk(ctx, n) })
}
