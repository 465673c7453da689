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

// writeReturns writes returns in batches until ctx ends, and then the rest.
func (l *Loop[T]) writeReturns(ctx context.Context) {
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

func (l *Loop[T]) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.returns)
}

// writeBatch writes one batch and reports whether there is another. A batch
// that cannot be written waits for the next attempt, until its leases run out.
func (l *Loop[T]) writeBatch(ctx context.Context) (more bool) {
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
	}
	return len(l.returns) > 0
}

// keepReturns puts back what could not be written, but for rows that are due
// again by themselves because their lease ran out.
func (l *Loop[T]) keepReturns(batch []giveBack[T]) {
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

// renewAll renews what is held for longer than a third of a lease, and ends
// handlers whose lease is lost or may be.
func (l *Loop[T]) renewAll(ctx context.Context) {
	every := l.cfg.Lease / 3
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.recheck:
			all = true
		}
		if l.renew(ctx, all) {
			timer.Reset(every)
		} else {
			timer.Reset(every / 10)
		}
	}
}

// renew reports whether the table answered.
func (l *Loop[T]) renew(ctx context.Context, all bool) bool {
	rows := l.renewable(all)
	for len(rows) > 0 {
		batch := rows[:min(len(rows), maxBatch)]
		rows = rows[len(batch):]
		leases := make([]Lease, 0, len(batch))
		for _, h := range batch {
			leases = append(leases, h.item.Lease)
		}
		began := time.Now()
		call, cancel := context.WithTimeout(ctx, l.cfg.Margin/2)
		lost, err := l.table.Renew(call, leases, l.cfg.Lease)
		cancel()
		if err != nil {
			l.refused(ctx, "renew", err)
			l.expire()
			return false
		}
		l.renewed(batch, lost, began.Add(l.cfg.Lease))
	}
	return true
}

func (l *Loop[T]) renewable(all bool) []*held[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rows []*held[T]
	soon := time.Now().Add(l.cfg.Lease * 2 / 3)
	for _, h := range l.held {
		if !h.returning && !h.lost && (all || !h.until.After(soon)) {
			rows = append(rows, h)
		}
	}
	return rows
}

func (l *Loop[T]) renewed(batch []*held[T], lost []string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := make(map[string]bool, len(lost))
	for _, id := range lost {
		gone[id] = true
	}
	for _, h := range batch {
		switch {
		case !gone[h.item.ID]:
			h.until = until
		case !h.returning && l.held[h.item.ID] == h:
			l.lose(h)
		}
	}
}

// expire ends what may have lost its lease because the table does not answer.
func (l *Loop[T]) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := time.Now().Add(l.cfg.Margin)
	for _, h := range l.held {
		if !h.returning && !h.lost && h.until.Before(limit) {
			l.lose(h)
		}
	}
}

// lose ends the work on a row that is not ours any more. A running handler
// keeps its place until it is back, so that no second one starts beside it.
func (l *Loop[T]) lose(h *held[T]) {
	h.lost = true
	l.cfg.Log.Warn("lost a lease", "id", h.item.ID, "group", h.item.Group)
	if h.cancel != nil {
		h.cancel(ErrLost)
		return
	}
	l.stats.Lost++
	l.drop(h)
}
