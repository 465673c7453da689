package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// A Sealer gives entries their places in the log.
type Sealer struct {
	Book  Book
	Every time.Duration // between two looks for entries; 250 ms if zero
	Log   *slog.Logger
}

// batch bounds how long one sealing transaction takes.
const batch = 2000

// Run seals until ctx ends. Errors are logged, and the entries stay for the
// next time.
func (s *Sealer) Run(ctx context.Context) {
	every := s.Every
	if every == 0 {
		every = 250 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := s.Seal(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("audit: sealing failed", "err", err)
		}
	}
}

// Seal seals everything that is there now, and reports how many entries.
func (s *Sealer) Seal(ctx context.Context) (sealed int, err error) {
	for tries := 0; ; {
		n, err := s.batch(ctx)
		sealed += n
		switch {
		case errors.Is(err, errAhead) && tries < 3:
			// Another sealer may have been between what the store read of the log
			// and what it read of the tree.
			tries++
			time.Sleep(20 * time.Millisecond)
		case err != nil || n < batch:
			return sealed, err
		}
	}
}

func (s *Sealer) batch(ctx context.Context) (n int, err error) {
	err = s.Book.Seal(ctx, batch, func(size int64, entries []Entry, read ChunkReader) (map[int64][]byte, error) {
		n = len(entries)
		t := newTree(read)
		for i, e := range entries {
			if err := t.add(size+int64(i), e.Leaf()); err != nil {
				return nil, err
			}
		}
		return t.dirty, nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
