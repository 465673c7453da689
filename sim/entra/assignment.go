package entra

import (
	"maps"
	"slices"
	"time"
)

// Role templates that matter here by name.
const (
	GlobalAdministrator                   = "62e90394-69f5-4237-9190-012177145e10"
	PrivilegedRoleAdministrator           = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	PrivilegedAuthenticationAdministrator = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	UserAdministrator                     = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	DirectoryReaders                      = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
	SecurityReader                        = "5d6b6bb7-de71-4623-b4af-96380a352509"
	ExchangeAdministrator                 = "29232cdf-9323-42fd-ade2-1d097af3e4de"
)

// An assignment is one state of a role assignment: of a user or an app, for good or with an end, direct or by PIM.
type assignment struct {
	id, principal, role, scope string
	by                         string // client id of the app that made it; empty if nobody here did
	pim                        bool
	schedule                   string // id of the PIM schedule
	created, start, end        time.Time
	hidden                     bool // its principal is in the bin
}

func (a *assignment) with(change func(*assignment)) *assignment {
	n := *a
	change(&n)
	return &n
}

// index and effect are the pseudo-replicas of advanced queries and of what a role lets do.
func (t *store) index() int  { return t.cloud.opt.Replicas }
func (t *store) effect() int { return t.cloud.opt.Replicas + 1 }

// putAssignment stores a state of an assignment; nil removes it.
func (t *store) putAssignment(id string, a *assignment, replica int, now time.Time) {
	seen := t.spread(replica, now)
	seen = append(seen, now.Add(t.cloud.opt.Delays.Roles.draw(t.dice)))
	t.assignments.put(id, a, seen)
	t.assignments.tidy(now)
	t.writes++
}

// assign makes an assignment, known and in effect everywhere at once if settled.
func (t *store) assign(a assignment, replica int, now time.Time, settled bool) *assignment {
	a.id = opaque(t.dice) + "-1"
	a.created = now
	if a.start.IsZero() {
		a.start = now
	}
	if a.schedule == "" {
		a.schedule = guid(t.dice)
	}
	t.holds[a.principal] = append(t.holds[a.principal], a.id)
	t.putAssignment(a.id, &a, replica, now)
	if settled {
		t.assignments.settle(a.id, now)
	}
	if !a.end.IsZero() {
		t.later(a.id, a.end)
	}
	return &a
}

// held are the assignments of a principal that a replica shows: not ended, not hidden; they may begin later.
func (t *store) held(principal string, replica int, now time.Time) []*assignment {
	return slices.DeleteFunc(t.bound(principal, replica, now), func(a *assignment) bool { return a.hidden })
}

// bound are the assignments of a principal that a replica knows, hidden ones too.
func (t *store) bound(principal string, replica int, now time.Time) []*assignment {
	var out []*assignment
	ids := t.holds[principal]
	for _, id := range ids {
		if a := t.assignments.at(id, replica, now); a != nil && !a.ended(now) {
			out = append(out, a)
		}
	}
	if len(ids) > 8 {
		t.holds[principal] = slices.DeleteFunc(ids, func(id string) bool { return t.assignments.rows[id] == nil })
	}
	return out
}

func (a *assignment) ended(now time.Time) bool { return !a.end.IsZero() && !a.end.After(now) }

// powers are the role templates that are in effect for a principal, tenant-wide.
func (t *store) powers(principal string, now time.Time) []string {
	var out []string
	for _, a := range t.held(principal, t.effect(), now) {
		if !a.start.After(now) && a.scope == "/" && !slices.Contains(out, a.role) {
			out = append(out, a.role)
		}
	}
	return out
}

// settle lets every replica know an object's newest state now.
func (tb *table[T]) settle(id string, now time.Time) {
	past := tb.rows[id]
	last := past[len(past)-1]
	for i := range last.seen {
		last.seen[i] = now
	}
}

// later has something looked at again when its time has come.
func (t *store) later(id string, at time.Time) {
	t.timed[id] = at
	if t.due.IsZero() || at.Before(t.due) {
		t.due = at
	}
}

// now is the clock, after what it brought about by itself: ends of assignments, and the bin's 30 days.
func (t *store) now() time.Time {
	now := t.cloud.Now()
	if t.due.IsZero() || t.due.After(now) {
		return now
	}
	t.due = time.Time{}
	for _, id := range slices.Sorted(maps.Keys(t.timed)) {
		at := t.timed[id]
		if at.After(now) {
			t.later(id, at)
			continue
		}
		delete(t.timed, id)
		if u := t.inBin(id, authority, now); u != nil {
			t.purge(u, authority, at)
			t.audit(at, nil, "Hard Delete user", userTarget(u))
		} else if a := t.assignments.at(id, authority, now); a != nil {
			t.putAssignment(id, nil, authority, at)
			t.audit(at, nil, "Remove member from role (PIM activation expired)", t.roleTargets(a, at)...)
		}
	}
	return now
}
