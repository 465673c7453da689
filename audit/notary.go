package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// A Testimony is a signed checkpoint with the leaves that the log gained since
// the testimony before it: enough for a witness to name later which record was
// changed.
type Testimony struct {
	Signed []byte      // the checkpoint
	From   int64       // Seq of the first leaf
	Leaves []tlog.Hash // up to the checkpoint's size
}

// A Sink is a place outside the database that keeps testimonies.
type Sink interface {
	// Size reports the size of the last checkpoint that the sink holds.
	Size(ctx context.Context) (int64, error)
	// Keep stores t durably before it returns.
	Keep(ctx context.Context, t Testimony) error
}

// A Notary signs checkpoints and hands them to sinks.
type Notary struct {
	Book    Book
	Signing string // signing key
	Sinks   []Sink
	Every   time.Duration // a minute if zero
	Log     *slog.Logger

	mu     sync.Mutex
	last   time.Time
	signed Checkpoint // the last one that this notary signed
}

// Run hands out a checkpoint now and then every minute, until ctx ends, and a
// last one then.
func (n *Notary) Run(ctx context.Context) {
	every := n.Every
	if every == 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := n.Testify(ctx); err != nil && ctx.Err() == nil {
			n.Log.Error("audit: checkpoint failed", "err", err)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := n.Testify(last); err != nil {
				n.Log.Error("audit: last checkpoint failed", "err", err)
			}
			return
		case <-tick.C:
		}
	}
}

// Testify hands a checkpoint of the log as it is now to every sink.
func (n *Notary) Testify(ctx context.Context) error {
	c, err := Current(ctx, n.Book)
	if err != nil {
		return err
	}
	if err := n.grows(ctx, c); err != nil {
		return err
	}
	signed, err := Sign(c, n.Signing)
	if err != nil {
		return err
	}
	var failed []error
	for _, sink := range n.Sinks {
		if err := n.tell(ctx, sink, c, signed); err != nil {
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last, n.signed = time.Now(), c
	return nil
}

// grows refuses to sign c unless it is what was signed last with nothing but
// more records after it.
func (n *Notary) grows(ctx context.Context, c Checkpoint) error {
	n.mu.Lock()
	before := n.signed
	n.mu.Unlock()
	if before.Size == 0 {
		return nil
	}
	if c.Size < before.Size {
		return fmt.Errorf("a checkpoint of %d records was signed, but the log has only %d: it was cut off or rolled back; run jitney audit verify", before.Size, c.Size)
	}
	root, err := tlog.TreeHash(before.Size, bookTree(ctx, n.Book))
	if err != nil {
		return err
	}
	if root != before.Root {
		return fmt.Errorf("the first %d records are not those that were signed: the log was rewritten; run jitney audit verify", before.Size)
	}
	return nil
}

func (n *Notary) tell(ctx context.Context, sink Sink, c Checkpoint, signed []byte) error {
	from, err := sink.Size(ctx)
	if err != nil {
		return err
	}
	if from > c.Size {
		return fmt.Errorf("the witness holds a checkpoint of %d records, but the log has only %d: it was cut off or rolled back; run jitney audit verify", from, c.Size)
	}
	t := Testimony{Signed: signed, From: from}
	tree := bookTree(ctx, n.Book)
	for seq := from; seq < c.Size; seq++ {
		leaf, err := tree.ReadHashes([]int64{tlog.StoredHashIndex(0, seq)})
		if err != nil {
			return err
		}
		t.Leaves = append(t.Leaves, leaf[0])
	}
	return sink.Keep(ctx, t)
}

// Last reports when every sink last took a checkpoint; zero if never since the start.
func (n *Notary) Last() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}
