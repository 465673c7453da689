package schedule

import (
	"context"
	"time"
)

// A keeper is the part of a loop that keeps leases.
type keeper[T any] struct{ *Loop[T] }

// renewAll renews what is held for longer than a third of a lease, and ends
// handlers whose lease is lost or may be.
func (l keeper[T]) renewAll(ctx context.Context) {
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
func (l keeper[T]) renew(ctx context.Context, all bool) bool {
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

func (l keeper[T]) renewable(all bool) []*held[T] {
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

func (l keeper[T]) renewed(batch []*held[T], lost []string, until time.Time) {
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
func (l keeper[T]) expire() {
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
func (l keeper[T]) lose(h *held[T]) {
	h.lost = true
	l.cfg.Log.Warn("lost a lease", "id", h.item.ID, "group", h.item.Group)
	if h.cancel != nil {
		h.cancel(ErrLost)
		return
	}
	l.stats.Lost++
	l.drop(h)
}
