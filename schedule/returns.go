package schedule

import (
	"context"
	"time"
)

// A giveBack is a Return on its way. row is nil if the row is not in l.held.
type giveBack[T any] struct {
	Return
	row *held[T]
}

// maxBatch bounds one call of Return or Renew: no write may hold up others.
const maxBatch = 256

// giveLater has ret written with the next batch; l.mu is held.
func (l *Loop[T]) giveLater(ret Return, h *held[T]) {
	if h != nil {
		h.returning = true
	}
	l.returns = append(l.returns, giveBack[T]{ret, h})
	signal(l.given)
}

// giveUnstarted gives a row back as it was claimed; l.mu is held.
func (l *Loop[T]) giveUnstarted(h *held[T]) {
	l.giveLater(Return{Lease: h.item.Lease, At: h.item.Due, Attempts: h.item.Attempts}, h)
}

// A writer is the part of a loop that writes returns.
type writer[T any] struct{ *Loop[T] }

// writeReturns writes returns in batches until ctx ends, and then the rest.
func (l writer[T]) writeReturns(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Margin)
			defer cancel()
			for l.writeBatch(last) && last.Err() == nil {
			}
			return
		case <-l.given:
		}
		if l.waiting() < maxBatch {
			sleep(ctx, l.cfg.Linger)
		}
		for l.writeBatch(ctx) && ctx.Err() == nil {
		}
	}
}

func (l writer[T]) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.returns)
}

// writeBatch writes one batch and reports whether there is another. A batch
// that cannot be written waits for the next attempt, until its leases run out.
func (l writer[T]) writeBatch(ctx context.Context) (more bool) {
	l.mu.Lock()
	batch := l.returns[:min(len(l.returns), maxBatch)]
	l.returns = l.returns[len(batch):]
	if len(l.returns) == 0 {
		l.returns = nil
	}
	l.mu.Unlock()
	if len(batch) == 0 {
		return false
	}
	rows := make([]Return, 0, len(batch))
	for _, b := range batch {
		rows = append(rows, b.Return)
	}
	lost, err := l.table.Return(ctx, rows)
	if err != nil {
		pause := l.refused(ctx, "return", err)
		l.keepReturns(batch)
		sleep(ctx, pause)
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Lost += int64(len(lost))
	for _, b := range batch {
		if b.row != nil {
			l.drop(b.row)
		}
		switch {
		case b.Never:
		case b.At.IsZero():
			l.due(time.Now().Add(b.In))
		default:
			l.due(b.At)
		}
	}
	return len(l.returns) > 0
}

// keepReturns puts back what could not be written, but for rows that are due
// again by themselves because their lease ran out.
func (l writer[T]) keepReturns(batch []giveBack[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, b := range batch {
		switch {
		case b.row == nil:
		case b.row.until.After(now):
			l.returns = append(l.returns, b)
		default:
			l.stats.Lost++
			l.drop(b.row)
		}
	}
}
