package entra

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"jitney/access"
)

// A view is what some reads of the directory showed: the worst of them.
type view struct {
	at  time.Time
	id  string // object id; empty if it is not known
	upn string

	live *user // among the users
	bin  *user // among the deleted

	held      []assignment
	scheduled []scheduled
	passes    []pass
	methods   []string // further ways to sign in, if they may be read
	groups    []group
	read      []string // what was read, as evidence
}

// Observe reads the account, more than once where reads differ from what was
// known or leave something open, and reports the worst that any read showed.
func (s *system) Observe(ctx context.Context, a access.Account) (access.Observation, error) {
	v, err := looker{s}.look(ctx, a)
	if err != nil {
		return access.Observation{}, explain(err, "read the account")
	}
	return reporter{s}.report(a, v), nil
}

// A looker reads accounts.
type looker struct{ *system }

// look reads, and reads again while what it sees is less than what is known,
// for some seconds at most.
func (s looker) look(ctx context.Context, a access.Account) (view, error) {
	upn, err := s.upn(ctx, a)
	if err != nil {
		return view{}, err
	}
	id := strings.ToLower(a.ObjectID)
	if !validGUID(id) {
		id = ""
	}
	v, err := s.once(ctx, a, id, upn)
	for try := 1; err == nil && try <= 3 && s.doubtful(a, v); try++ {
		if err = sleep(ctx, time.Duration(try)*s.pace.step/2); err != nil {
			return v, err
		}
		var next view
		if next, err = s.once(ctx, a, id, upn); err == nil {
			v = worse(v, next)
		}
	}
	return v, err
}

// doubtful reports whether v shows less than was known before, or something
// half made, so that another replica may know more.
func (s looker) doubtful(a access.Account, v view) bool {
	switch {
	case v.live != nil && v.live.enabled():
		held := s.names(v, a)
		return len(v.held) == 0 || slices.ContainsFunc(a.Seen.Entitlements, func(e string) bool { return !slices.Contains(held, e) })
	case v.live == nil && v.bin == nil:
		return v.id != "" && a.Seen.Enabled && s.purgedAt(v.id).IsZero()
	}
	return false
}

// once reads everything once.
func (s looker) once(ctx context.Context, a access.Account, id, upn string) (v view, err error) {
	v = view{id: id, upn: upn}
	key := id
	if id == "" {
		key = upn
	}
	u, r, err := s.user(ctx, key)
	if err != nil {
		return v, err
	}
	v.saw("GET /users", r)
	if u != nil && id == "" && !u.bears(a.ID) {
		return v, notYours(upn)
	}
	if v.live = u; u != nil {
		v.id = u.ID
	}
	if u == nil {
		if err := s.searchBin(ctx, a, &v); err != nil {
			return v, err
		}
	}
	if u == nil && v.bin == nil && id != "" {
		if err := s.successor(ctx, a, &v); err != nil {
			return v, err
		}
	}
	if v.id != "" {
		if err := s.rights(ctx, a, &v); err != nil {
			return v, err
		}
	}
	v.at = time.Now().UTC()
	return v, nil
}

// successor looks for another account of the same name and marks: one was made
// in place of one that was purged, and the answer may have been lost. It is
// looked for before the first is believed to be gone for good.
func (s looker) successor(ctx context.Context, a access.Account, v *view) error {
	if count, _ := absentBefore(a.Seen); count < s.pace.reads-1 {
		return nil
	}
	u, r, err := s.user(ctx, v.upn)
	if err != nil {
		return err
	}
	v.saw("GET /users by name", r)
	if u != nil && u.bears(a.ID) {
		v.live, v.id = u, u.ID
	}
	return nil
}

// searchBin looks for the account among deleted users: by object id, or by its
// marks if a call that made it may have gone through without an answer.
func (s looker) searchBin(ctx context.Context, a access.Account, v *view) error {
	if v.id != "" {
		u, r, err := s.binned(ctx, v.id)
		v.saw("GET /directory/deletedItems", r)
		v.bin = u
		return err
	}
	if a.TriedAt.IsZero() {
		return nil
	}
	name, _, _ := strings.Cut(v.upn, "@")
	found, r, err := s.graph.bin(ctx, "mailNickname eq '"+name+"'")
	if err != nil {
		return err
	}
	v.saw("GET /directory/deletedItems", r)
	for _, u := range found {
		if u.bears(a.ID) && validGUID(u.ID) {
			v.bin, v.id = &u, u.ID
		}
	}
	return nil
}

// rights reads what the account holds, and what leads into it.
func (s looker) rights(ctx context.Context, a access.Account, v *view) (err error) {
	var r reply
	if v.held, r, err = s.assignments(ctx, v.id); err != nil {
		return err
	}
	v.saw("GET /roleManagement/directory/roleAssignments", r)
	if v.live == nil {
		return nil
	}
	if s.usesPIM() || !a.Seen.Until.IsZero() { // PIM may refuse new roles, and still end this one
		if v.scheduled, r, err = s.instances(ctx, v.id); err != nil && !s.pimRefused(err) {
			return err
		}
		v.saw("GET /roleManagement/directory/roleAssignmentScheduleInstances", r)
	}
	if err := s.ways(ctx, v); err != nil {
		return err
	}
	if len(a.Seen.Entitlements) > 0 && s.may(mayGroups) { // not while it is being made: nobody has had it yet
		if v.groups, r, err = s.groups(ctx, v.id); err != nil && !isGone(err) && !is(err, http.StatusBadRequest) {
			return err
		}
		v.saw("GET /users/transitiveMemberOf", r)
	}
	return nil
}

// ways reads how one can sign in: every way if that is permitted, else the
// pass only. A user that a replica does not know yet has none there.
func (s looker) ways(ctx context.Context, v *view) error {
	if !s.may(mayMethods) {
		if !s.tap {
			return nil
		}
		passes, r, err := s.graph.passes(ctx, v.id)
		if err != nil && !isGone(err) {
			return err
		}
		v.passes = passes
		v.saw("GET /users/authentication/temporaryAccessPassMethods", r)
		return nil
	}
	all, r, err := list[method](ctx, s.client, call{path: "/users/" + v.id + "/authentication/methods", needs: mayMethods})
	if err != nil && !isGone(err) {
		return err
	}
	v.saw("GET /users/authentication/methods", r)
	for _, m := range all {
		switch kind := strings.TrimSuffix(strings.TrimPrefix(m.Type, "#microsoft.graph."), "AuthenticationMethod"); kind {
		case "temporaryAccessPass":
			m.pass.ID = m.ID
			v.passes = append(v.passes, m.pass)
		case "password": // every account has one; nobody knows it
		default:
			v.methods = append(v.methods, clip(kind, 40))
		}
	}
	return nil
}

func (v *view) saw(what string, r reply) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	v.read = append(v.read, fmt.Sprintf("%s: %d at %s (request-id %s)", what, r.status, stamp(r.at), r.id))
}

// worse is what two views show together: power that one of them shows counts.
func worse(a, b view) view {
	out := b
	out.read = append(slices.Clone(a.read), b.read...)
	if out.id == "" {
		out.id = a.id
	}
	if out.live == nil || a.live != nil && a.live.enabled() {
		out.live = a.live
		if a.live == nil {
			out.live = b.live
		}
	}
	if out.bin == nil {
		out.bin = a.bin
	}
	for _, x := range a.held {
		if !slices.ContainsFunc(out.held, func(y assignment) bool { return x.ID == y.ID }) {
			out.held = append(out.held, x)
		}
	}
	for _, x := range a.scheduled {
		if !slices.ContainsFunc(out.scheduled, func(y scheduled) bool { return x.ID == y.ID }) {
			out.scheduled = append(out.scheduled, x)
		}
	}
	if len(out.passes) == 0 {
		out.passes = a.passes
	}
	for _, x := range a.groups {
		if !slices.ContainsFunc(out.groups, func(y group) bool { return x.ID == y.ID }) {
			out.groups = append(out.groups, x)
		}
	}
	return out
}
