package scheduletest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"jitney/schedule"
)

// A Memory is a table that lives in memory and behaves: one clock, fencing,
// epochs, wake-ups that survive a lease. It is also its own [schedule.Recovery]
// and its own [schedule.Beacon]. It outlives the loops that use it, so that a
// test can kill one and start another.
type Memory struct {
	// Fail, if set, is asked before every call by the name of the method; its
	// error is returned instead. It must be set before the table is used.
	Fail func(method string) error

	mu    sync.Mutex
	rows  map[string]*memoryRow
	alive map[string]bool
	calls map[string]int
	waker []func()
}

type memoryRow struct {
	Row
	id, group string
	next      time.Time // zero: not scheduled
	due       time.Time // what next was when the row was claimed
	woken     time.Time // woken while leased
}

// A Row is what a table stores about the schedule of one row.
type Row struct {
	Next     time.Duration // from the table's now until it is due or its lease runs out
	Never    bool          // it is not scheduled
	Owner    string        // empty if it is not leased
	Epoch    int64
	Attempts int
	Error    string
}

// NewMemory makes an empty table.
func NewMemory() *Memory {
	return &Memory{rows: map[string]*memoryRow{}, alive: map[string]bool{}, calls: map[string]int{}}
}

// Add adds a row that is due after in.
func (m *Memory) Add(id, group string, in time.Duration) {
	m.mu.Lock()
	m.rows[id] = &memoryRow{id: id, group: group, next: time.Now().Add(in)}
	m.mu.Unlock()
	m.notify()
}

// Wake makes a row due now, or as soon as it is returned if it is leased.
func (m *Memory) Wake(id string) {
	m.mu.Lock()
	if r := m.rows[id]; r.Owner != "" {
		r.woken = time.Now()
	} else if now := time.Now(); r.next.IsZero() || r.next.After(now) {
		r.next = now
	}
	m.mu.Unlock()
	m.notify()
}

// Peek reports a row.
func (m *Memory) Peek(id string) Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id]
	out := r.Row
	out.Never = r.next.IsZero()
	if !out.Never {
		out.Next = time.Until(r.next)
	}
	return out
}

// Calls reports how often a method was called.
func (m *Memory) Calls(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[method]
}

// OnChange has f called after every Add and Wake, as LISTEN/NOTIFY would.
func (m *Memory) OnChange(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waker = append(m.waker, f)
}

func (m *Memory) notify() {
	m.mu.Lock()
	wakers := slices.Clone(m.waker)
	m.mu.Unlock()
	for _, f := range wakers {
		f()
	}
}

// Claim implements [schedule.Table].
func (m *Memory) Claim(ctx context.Context, c schedule.Claim) ([]schedule.Item[string], error) {
	if err := m.begin(ctx, "Claim"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	now := time.Now()
	due := m.sorted(func(r *memoryRow) bool {
		return !r.next.IsZero() && !r.next.After(now) && !slices.Contains(c.Skip, r.group)
	})
	if len(due) > c.Limit {
		due = due[:c.Limit]
	}
	items := make([]schedule.Item[string], 0, len(due))
	for _, r := range due {
		items = append(items, r.claim(now, c.Owner, c.For))
	}
	return items, nil
}

// Probe implements [schedule.Table].
func (m *Memory) Probe(ctx context.Context, owner, group string, lease time.Duration) (schedule.Item[string], bool, error) {
	if err := m.begin(ctx, "Probe"); err != nil {
		return schedule.Item[string]{}, false, err
	}
	defer m.mu.Unlock()
	now := time.Now()
	rows := m.sorted(func(r *memoryRow) bool {
		due := !r.next.IsZero() && !r.next.After(now)
		return r.group == group && (due || r.Owner == "" && r.Attempts > 0 && !r.next.IsZero())
	})
	if len(rows) == 0 {
		return schedule.Item[string]{}, false, nil
	}
	// One that did not fail yet is the better probe: the others are known to.
	if i := slices.IndexFunc(rows, func(r *memoryRow) bool { return r.Attempts == 0 }); i > 0 {
		rows[0] = rows[i]
	}
	return rows[0].claim(now, owner, lease), true, nil
}

// Renew implements [schedule.Table].
func (m *Memory) Renew(ctx context.Context, leases []schedule.Lease, d time.Duration) ([]string, error) {
	if err := m.begin(ctx, "Renew"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var lost []string
	for _, l := range leases {
		if r := m.held(l); r != nil {
			r.next = time.Now().Add(d)
		} else {
			lost = append(lost, l.ID)
		}
	}
	return lost, nil
}

// Return implements [schedule.Table].
func (m *Memory) Return(ctx context.Context, rows []schedule.Return) ([]string, error) {
	if err := m.begin(ctx, "Return"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var lost []string
	for _, ret := range rows {
		r := m.held(ret.Lease)
		if r == nil {
			lost = append(lost, ret.ID)
			continue
		}
		r.Owner, r.Attempts, r.Error = "", ret.Attempts, ret.Error
		switch {
		case !r.woken.IsZero():
			r.next = r.woken
		case ret.Never:
			r.next = time.Time{}
		case ret.At.IsZero():
			r.next = time.Now().Add(ret.In)
		default:
			r.next = ret.At
		}
		r.woken = time.Time{}
	}
	return lost, nil
}

// Next implements [schedule.Table].
func (m *Memory) Next(ctx context.Context, skip []string) (time.Duration, bool, error) {
	if err := m.begin(ctx, "Next"); err != nil {
		return 0, false, err
	}
	defer m.mu.Unlock()
	var next time.Time
	for _, r := range m.rows {
		if !r.next.IsZero() && !slices.Contains(skip, r.group) && (next.IsZero() || r.next.Before(next)) {
			next = r.next
		}
	}
	return time.Until(next), !next.IsZero(), nil
}

// Hasten implements [schedule.Recovery].
func (m *Memory) Hasten(ctx context.Context, group string) (int, error) {
	if err := m.begin(ctx, "Hasten"); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	now, n := time.Now(), 0
	for _, r := range m.rows {
		if r.Owner == "" && r.Attempts > 0 && (group == "" || r.group == group) && r.next.After(now) {
			r.next = now
			n++
		}
	}
	return n, nil
}

// Free implements [schedule.Recovery].
func (m *Memory) Free(ctx context.Context, owner string) (int, error) {
	if err := m.begin(ctx, "Free"); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.rows {
		if r.Owner != "" && (owner == "" || r.Owner == owner) {
			r.Owner, r.next, r.woken = "", r.due, time.Time{}
			n++
		}
	}
	return n, nil
}

// Hold implements [schedule.Beacon].
func (m *Memory) Hold(ctx context.Context, owner string) (<-chan struct{}, error) {
	if err := m.begin(ctx, "Hold"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	m.alive[owner] = true
	lost := make(chan struct{})
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.alive, owner)
		close(lost)
	})
	return lost, nil
}

// Dead implements [schedule.Beacon].
func (m *Memory) Dead(ctx context.Context, self string) ([]string, error) {
	if err := m.begin(ctx, "Dead"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var dead []string
	for _, r := range m.rows {
		if r.Owner != "" && r.Owner != self && !m.alive[r.Owner] && !slices.Contains(dead, r.Owner) {
			dead = append(dead, r.Owner)
		}
	}
	return dead, nil
}

// begin locks m, unless it reports an error.
func (m *Memory) begin(ctx context.Context, method string) error {
	if m.Fail != nil {
		if err := m.Fail(method); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	m.calls[method]++
	return nil
}

func (m *Memory) held(l schedule.Lease) *memoryRow {
	r := m.rows[l.ID]
	if r == nil || r.Owner != l.Owner || r.Epoch != l.Epoch {
		return nil
	}
	return r
}

func (m *Memory) sorted(keep func(*memoryRow) bool) []*memoryRow {
	var rows []*memoryRow
	for _, r := range m.rows {
		if keep(r) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *memoryRow) int {
		return cmp.Or(a.next.Compare(b.next), cmp.Compare(a.id, b.id))
	})
	return rows
}

func (r *memoryRow) claim(now time.Time, owner string, lease time.Duration) schedule.Item[string] {
	r.due, r.woken = r.next, time.Time{} // what woke it is in the content that goes out now
	r.Owner, r.Epoch, r.next = owner, r.Epoch+1, now.Add(lease)
	return schedule.Item[string]{
		Lease: schedule.Lease{ID: r.id, Owner: owner, Epoch: r.Epoch, Group: r.group, Due: r.due, Attempts: r.Attempts},
		Late:  now.Sub(r.due),
		Value: r.id,
	}
}
