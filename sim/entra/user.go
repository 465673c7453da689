package entra

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"jitney/secret"
)

// A user is one state of an account. It is never changed once it is in the table: copy it, and its props.
type user struct {
	id, upn    string
	enabled    bool
	password   secret.Text
	mustChange bool
	changed    time.Time // password
	created    time.Time
	deleted    time.Time // zero unless in the bin
	validFrom  time.Time // sign-ins before are void
	by         string    // client id of the app that made it; empty if nobody here did
	props      object    // all other properties by name
	shown      object    // what full made of it
}

func (u *user) with(change func(*user)) *user {
	n := *u
	n.props, n.shown = maps.Clone(u.props), nil
	change(&n)
	return &n
}

func (u *user) text(name string) string {
	s, _ := u.props[name].(string)
	return s
}

// binned is the prefix that a name bears in the bin.
func binned(id string) string { return strings.ReplaceAll(id, "-", "") }

// put stores a state of a user, seen at once on the replica that took the write. t.mu is held, as in all that follows.
func (t *store) put(u *user, replica int, now time.Time) {
	t.users.put(u.id, u, t.spread(replica, now))
	t.users.tidy(now)
	t.writes++
	key := strings.ToLower(u.upn)
	if ids := t.names[key]; !slices.Contains(ids, u.id) {
		t.names[key] = append(ids, u.id)
	}
}

// live finds a user that is not in the bin, by id or name, as a replica shows it.
func (t *store) live(name string, replica int, now time.Time) *user {
	if u := t.users.at(strings.ToLower(name), replica, now); u != nil {
		if !u.deleted.IsZero() {
			return nil
		}
		return u
	}
	key := strings.ToLower(name)
	for _, id := range t.names[key] {
		if u := t.users.at(id, replica, now); u != nil && u.deleted.IsZero() && strings.EqualFold(u.upn, name) {
			return u
		}
	}
	return nil
}

// inBin finds a user in the bin by id.
func (t *store) inBin(id string, replica int, now time.Time) *user {
	if u := t.users.at(strings.ToLower(id), replica, now); u != nil && !u.deleted.IsZero() {
		return u
	}
	return nil
}

// taken reports whether another object bears the name, in truth.
func (t *store) taken(upn, except string) bool {
	for _, id := range t.names[strings.ToLower(upn)] {
		u := t.users.at(id, authority, time.Time{})
		if u == nil || u.id == except || !strings.EqualFold(u.upn, upn) {
			continue
		}
		if u.deleted.IsZero() || t.cloud.opt.Switches.BinKeepsUPN {
			return true
		}
	}
	return false
}

// bin puts a user into the bin. Its roles are hidden, not gone.
func (t *store) bin(u *user, replica int, now time.Time) {
	t.put(u.with(func(n *user) { n.deleted = now }), replica, now)
	for _, a := range t.held(u.id, authority, now) {
		t.putAssignment(a.id, a.with(func(n *assignment) { n.hidden = true }), replica, now)
	}
	for id, p := range t.passes.all(authority, now) {
		if p.user == u.id {
			t.passes.put(id, nil, t.spread(replica, now))
		}
	}
	t.later(u.id, now.Add(binTime))
}

// binTime is how long the bin keeps what is in it.
const binTime = 30 * 24 * time.Hour

// unbin restores a user under a name. Its roles are back.
func (t *store) unbin(u *user, upn string, replica int, now time.Time) *user {
	n := u.with(func(n *user) { n.deleted, n.upn = time.Time{}, upn })
	t.put(n, replica, now)
	for _, id := range t.holds[u.id] {
		if a := t.assignments.at(id, authority, now); a != nil && a.hidden {
			t.putAssignment(id, a.with(func(n *assignment) { n.hidden = false }), replica, now)
		}
	}
	delete(t.timed, u.id)
	return n
}

// purge removes a user and its roles for good.
func (t *store) purge(u *user, replica int, now time.Time) {
	t.users.put(u.id, nil, t.spread(replica, now))
	t.users.tidy(now)
	for _, id := range t.holds[u.id] {
		if t.assignments.at(id, authority, now) != nil {
			t.putAssignment(id, nil, replica, now)
		}
	}
	delete(t.holds, u.id)
	delete(t.timed, u.id)
	key := strings.ToLower(u.upn)
	if t.names[key] = slices.DeleteFunc(t.names[key], func(id string) bool { return t.users.rows[id] == nil }); len(t.names[key]) == 0 {
		delete(t.names, key)
	}
	t.writes++
}

// setPassword gives u, which is not yet stored, a password.
func (t *store) setPassword(u *user, password string, mustChange bool, now time.Time) {
	u.password, u.mustChange, u.changed = secret.New(password), mustChange, now
	t.secrets = append(t.secrets, password)
}

// complex reports whether a password is one that Entra takes.
func complex(p string) bool {
	if len(p) < 8 || len(p) > 256 {
		return false
	}
	var classes [4]int
	for _, r := range p {
		switch {
		case unicode.IsLower(r):
			classes[0] = 1
		case unicode.IsUpper(r):
			classes[1] = 1
		case unicode.IsDigit(r):
			classes[2] = 1
		default:
			classes[3] = 1
		}
	}
	plain := strings.ToLower(p)
	weak := slices.ContainsFunc([]string{"password", "passw0rd", "p@ssword", "p@ssw0rd"}, func(w string) bool { return strings.HasPrefix(plain, w) && len(p) < 14 })
	return classes[0]+classes[1]+classes[2]+classes[3] >= 3 && !weak
}

// User is one account as it is in truth, whatever the replicas show.
type User struct {
	ID, UPN, Name      string
	Marker             string // employeeId
	Type               string // employeeType
	Enabled            bool
	MustChangePassword bool
	Created            time.Time
	Deleted            time.Time // zero unless in the bin
	SessionsValidFrom  time.Time // sign-ins before this time are void
	Roles              []string  // role templates of assignments that have begun and not ended, whether in effect yet or not
	Passes             int       // Temporary Access Passes
}

// User finds an account by its id, in the bin too, or by its name.
func (t *Tenant) User(name string) (User, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	u := t.live(name, authority, now)
	if u == nil {
		u = t.inBin(name, authority, now)
	}
	if u == nil {
		return User{}, false
	}
	return showUser(t, u, now), true
}

// Users are all accounts, those in the bin too, oldest first.
func (t *Tenant) Users() []User {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	var out []User
	for _, u := range t.users.all(authority, now) {
		out = append(out, showUser(t, u, now))
	}
	return out
}

func showUser(t *Tenant, u *user, now time.Time) User {
	s := User{
		ID: u.id, UPN: u.upn, Name: u.text("displayName"), Marker: u.text("employeeId"), Type: u.text("employeeType"), Enabled: u.enabled && u.deleted.IsZero(),
		MustChangePassword: u.mustChange, Created: u.created, Deleted: u.deleted, SessionsValidFrom: u.validFrom,
	}
	for _, a := range t.held(u.id, authority, now) {
		if !a.start.After(now) {
			s.Roles = append(s.Roles, a.role)
		}
	}
	for _, p := range t.passes.all(authority, now) {
		if p.user == u.id {
			s.Passes++
		}
	}
	return s
}

// UserSpec is an account to put into the tenant without Graph.
type UserSpec struct {
	UPN, Name, Password string
	Disabled            bool
	Roles               []string // role templates, in effect at once
	Props               map[string]any
}

// AddUser puts an account into the tenant that every replica knows of at once, and reports its object id.
func (t *Tenant) AddUser(s UserSpec) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	u := &user{id: guid(t.dice), upn: s.UPN, enabled: !s.Disabled, created: now, validFrom: now, props: object{}}
	maps.Copy(u.props, s.Props)
	u.props["displayName"] = cmp.Or(s.Name, s.UPN)
	if s.Password != "" {
		t.setPassword(u, s.Password, false, now)
	}
	t.put(u, authority, now)
	t.users.settle(u.id, now)
	for _, role := range s.Roles {
		t.assign(assignment{principal: u.id, role: role, scope: "/"}, authority, now, true)
	}
	return u.id
}
