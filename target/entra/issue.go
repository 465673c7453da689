package entra

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// tapPolicy is the Entra tenant's policy for Temporary Access Passes.
// https://learn.microsoft.com/graph/api/resources/temporaryaccesspassauthenticationmethodconfiguration
type tapPolicy struct {
	State   string `json:"state"`
	Min     int    `json:"minimumLifetimeInMinutes"`
	Max     int    `json:"maximumLifetimeInMinutes"`
	Once    bool   `json:"isUsableOnce"`
	Include []struct {
		ID   string `json:"id"`
		Type string `json:"targetType"`
	} `json:"includeTargets"`
	Exclude []struct {
		ID string `json:"id"`
	} `json:"excludeTargets"`
}

// Passes live 10 minutes to 30 days; what the policy does not say is 1 to 8 hours.
const (
	shortestPass = 10
	longestPass  = 43_200
)

// minutes is how long a pass for d lives under p.
func (p tapPolicy) minutes(d time.Duration) int {
	low, high := p.Min, p.Max
	if low < shortestPass || low > longestPass {
		low = 60
	}
	if high < low || high > longestPass {
		high = max(low, 480)
	}
	return min(max(int(math.Ceil(d.Minutes()))+passMargin, low), high)
}

// passMargin is how many minutes a pass outlives the wanted end: the clock of
// a grant starts only when it was read back. At the end it is deleted anyway.
const passMargin = 5

func (c graph) tapPolicy(ctx context.Context) (p tapPolicy, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/TemporaryAccessPass", into: &p, needs: mayPolicy})
	return p, err
}

// policyAge is how long a policy that was read is used.
const policyAge = 5 * time.Minute

// passPolicy is the policy as it is, or was a moment ago.
func (s *system) passPolicy(ctx context.Context) (tapPolicy, error) {
	s.mu.Lock()
	p, read := s.policy, s.read
	s.mu.Unlock()
	if !read.IsZero() && time.Since(read) < policyAge {
		return p, nil
	}
	p, err := s.graph.tapPolicy(ctx)
	if err != nil {
		return p, err
	}
	s.mu.Lock()
	s.policy, s.read = p, time.Now()
	s.mu.Unlock()
	return p, nil
}

// passesOff is the error of an Entra tenant that allows no passes.
func passesOff(err error) error {
	return &access.Error{Kind: access.Denied, Text: "The Entra tenant does not allow Temporary Access Passes.", Err: err,
		Hint: "Enable the method Temporary Access Pass in the Entra admin center under Authentication methods, for all users; or have technicians sign in with a password."}
}

// Issue makes the account without any role, if there is none, and a Temporary
// Access Pass for it in place of every earlier one. The pass is made before
// the role is given, when the account is an ordinary user: afterwards it may
// need a directory role of the app.
func (s *system) Issue(ctx context.Context, a access.Account, want access.Want) (target.Issued, error) {
	if !s.tap {
		return target.Issued{}, invalid("This target does not give Temporary Access Passes.", "")
	}
	wanted, err := s.wanted(want)
	if err == nil {
		err = s.punctual()
	}
	if err != nil {
		return target.Issued{}, err
	}
	if a.ObjectID != "" && !a.Seen.At.IsZero() && !a.Seen.Exists && !s.vanished(a.Seen) {
		// It was made, and a replica that is behind was asked. A pass that
		// gets lost now would replace one that is stored and good.
		return target.Issued{}, &access.Error{Kind: access.Conflict, After: 5 * time.Second, Text: "The directory does not show the account everywhere yet.", Hint: "Jitney looks again."}
	}
	policy, err := s.passPolicy(ctx)
	if err != nil && !is(err, http.StatusForbidden) { // not allowed to read it: then it is taken for the usual one
		return target.Issued{}, explain(err, "read the policy for Temporary Access Passes")
	}
	if policy.State != "" && policy.State != "enabled" {
		s.forgetPolicy()
		return target.Issued{}, passesOff(nil)
	}
	m := maker{s}
	u, fresh, err := m.bring(ctx, a, secret.Password(32))
	if err != nil {
		return target.Issued{}, explain(err, "make the account")
	}
	minutes := policy.minutes(time.Until(want.Until))
	made, err := m.newPass(ctx, u.ID, minutes, policy.Once)
	if is(err, http.StatusForbidden) && !fresh {
		made, err = m.passWithoutRole(ctx, granter{system: s, a: a, id: u.ID, wanted: wanted, until: want.Until}, minutes, policy.Once, err)
	}
	if err != nil {
		return target.Issued{}, m.explainPass(ctx, err)
	}
	if scope := policy.scope(); scope != "" {
		s.note(u.ID, "the Entra tenant allows Temporary Access Passes only for "+scope+"; if the account is not among them, it lets nobody in")
	}
	return target.Issued{Text: secret.New(made.Value), ObjectID: u.ID, Username: u.UserPrincipalName}, nil
}

// A maker makes accounts and their credentials.
type maker struct{ *system }

// bring finds the account, or makes it.
func (s maker) bring(ctx context.Context, a access.Account, password secret.Text) (u user, fresh bool, err error) {
	upn, err := s.upn(ctx, a)
	if err != nil {
		return user{}, false, err
	}
	id := strings.ToLower(a.ObjectID)
	switch known := validGUID(id); {
	case known && binned(a.Seen):
		// Somebody deleted it before it was ever used. Another one takes its
		// place, when this one cannot be restored any more.
		// It is not noted as purged: that would vouch for the other one, too.
		if err := s.purge(ctx, id); err != nil && !isGone(err) {
			return user{}, false, err
		}
		a.Seen = access.Observation{}
	case known && s.vanished(a.Seen):
		a.Seen = access.Observation{} // if it is only late to show, its name is taken, and it is adopted
	case known:
		return user{ID: id, UserPrincipalName: upn}, false, nil
	}
	if a.Seen.Exists || !a.Seen.At.IsZero() && a.Seen.ObjectID != "" {
		return s.adopt(ctx, a, upn)
	}
	u, err = s.create(ctx, a, upn, password)
	if nameTaken(err) {
		return s.adopt(ctx, a, upn)
	}
	return u, err == nil, err
}

// vanished reports whether looks in a row have found no account for longer
// than the directory can be late.
func (s *system) vanished(seen access.Observation) bool {
	count, since := absentBefore(seen)
	return count >= s.pace.reads && time.Since(since) >= s.pace.late
}

// create makes the account: enabled, marked, without any right.
func (s maker) create(ctx context.Context, a access.Account, upn string, password secret.Text) (u user, err error) {
	name, _, _ := strings.Cut(upn, "@")
	r, err := s.do(ctx, call{method: http.MethodPost, path: "/users", once: true, into: &u, needs: mayCreate, hide: []string{password.Reveal()}, body: map[string]any{
		"accountEnabled": true, "displayName": displayName(a.Holder), "mailNickname": name, "userPrincipalName": upn,
		"employeeType": employeeType, "employeeId": mark(a.ID), "jobTitle": titlePrefix + a.ID,
		"passwordProfile": map[string]any{"password": password.Reveal(), "forceChangePasswordNextSignIn": false},
	}})
	if err != nil {
		return u, err
	}
	if u.ID = strings.ToLower(u.ID); !validGUID(u.ID) || !strings.EqualFold(u.UserPrincipalName, upn) {
		return u, s.nonsense("POST /users", r)
	}
	u.UserPrincipalName = upn
	s.madeWith(u.ID, password)
	return u, nil
}

// adopt finds the account that has our name already: ours, from a call whose
// answer was lost. One that somebody deleted meanwhile is purged, because its
// name may stay taken until then.
func (s maker) adopt(ctx context.Context, a access.Account, upn string) (user, bool, error) {
	for try := range 4 {
		if err := sleep(ctx, time.Duration(try)*s.pace.step); err != nil {
			return user{}, false, err
		}
		u, _, err := s.user(ctx, upn)
		switch {
		case err != nil:
			return user{}, false, err
		case u != nil && !u.bears(a.ID):
			return user{}, false, notYours(upn)
		case u != nil:
			u.UserPrincipalName = upn
			return *u, false, nil
		}
	}
	v := view{upn: upn}
	a.TriedAt = time.Now()
	if err := (looker{s.system}).searchBin(ctx, a, &v); err != nil {
		return user{}, false, err
	}
	if v.bin != nil {
		if err := s.purge(ctx, v.id); err != nil && !isGone(err) {
			return user{}, false, err
		}
	}
	return user{}, false, &access.Error{Kind: access.Conflict, Text: "The name " + upn + " is taken, and the directory does not show by whom yet.", Hint: "Jitney looks again.", After: 15 * time.Second}
}

// newPass makes a pass. A user has one at most: a new one takes the place of
// the old one, which is deleted only where Graph wants that.
func (s maker) newPass(ctx context.Context, id string, minutes int, once bool) (pass, error) {
	made, err := s.makePass(ctx, id, minutes, once)
	if !is(err, http.StatusBadRequest, http.StatusConflict) {
		return made, err
	}
	old, _, lerr := s.graph.passes(ctx, id)
	if lerr != nil || len(old) == 0 {
		return pass{}, err
	}
	for _, p := range old {
		if err := s.dropPass(ctx, id, p.ID); err != nil {
			return pass{}, err
		}
	}
	return s.makePass(ctx, id, minutes, once)
}

// makePass asks for a pass. A replica that does not know the account yet is
// given some seconds.
func (s maker) makePass(ctx context.Context, id string, minutes int, once bool) (pass, error) {
	var made pass
	err := s.eventually(ctx, func() error {
		_, err := s.do(ctx, call{method: http.MethodPost, path: passPath(id), once: true, into: &made, needs: mayPass,
			body: map[string]any{"lifetimeInMinutes": minutes, "isUsableOnce": once}})
		return err
	})
	if err == nil && (made.Value == "" || len(made.Value) > 256) {
		return pass{}, s.nonsense("POST "+passPath(id), reply{})
	}
	return made, err
}

// passWithoutRole makes a pass for an account whose role forbids that to the
// app: it takes the role off for some seconds. Whatever comes of it, the role
// is given back at once, or its absence would count as taken away.
func (s maker) passWithoutRole(ctx context.Context, g granter, minutes int, once bool, refused error) (made pass, err error) {
	needsRole := &access.Error{Kind: access.Denied, Err: refused, Text: "The app may not make a new Temporary Access Pass for an account that holds the role.",
		Hint: "Give the app the directory role Privileged Authentication Administrator; or end this grant and ask for another, which gets a pass of its own."}
	if s.barred() {
		return pass{}, needsRole
	}
	held, _, err := s.assignments(ctx, g.id)
	if err != nil || len(held) == 0 {
		return pass{}, refused
	}
	defer func() { err = errors.Join(err, s.giveBack(context.WithoutCancel(ctx), g)) }()
	for _, h := range held {
		if err := (pim{s.system}).takeAway(ctx, g.id, h, nil); err != nil {
			return pass{}, err
		}
	}
	s.note(g.id, "the role was taken off for a moment and given again at "+stamp(time.Now())+", because the app may not make a pass for an account that holds it")
	for try := range 4 {
		if err := sleep(ctx, time.Duration(try)*s.pace.step); err != nil {
			return pass{}, err
		}
		made, err := s.makePass(ctx, g.id, minutes, once)
		if !is(err, http.StatusForbidden) {
			return made, err
		}
	}
	s.bar()
	return pass{}, needsRole
}

// giveBack gives the roles again that were taken off for a moment. It is
// patient, because nobody gives them later: their absence counts as taken away.
func (s maker) giveBack(ctx context.Context, g granter) (err error) {
	for try := range 8 {
		if serr := sleep(ctx, time.Duration(try)*s.pace.step); serr != nil {
			return serr
		}
		if err = g.give(ctx); err == nil || access.KindOf(err) == access.Denied || access.KindOf(err) == access.Invalid {
			return err
		}
	}
	return err
}

// explainPass says what went wrong with a pass. The policy may have changed
// since it was read.
func (s maker) explainPass(ctx context.Context, err error) error {
	e := explain(err, "make a Temporary Access Pass")
	if !is(err, http.StatusBadRequest) {
		return e
	}
	s.forgetPolicy()
	if p, perr := s.passPolicy(ctx); mentions(err, "UserCredentialPolicy") || perr == nil && p.State != "" && p.State != "enabled" {
		return passesOff(err)
	}
	return e
}

// eventually repeats what a replica that lags refuses with 404, for some
// seconds.
func (s *system) eventually(ctx context.Context, do func() error) (err error) {
	for try := range 5 {
		if serr := sleep(ctx, time.Duration(try)*s.pace.step); serr != nil {
			return serr
		}
		if err = do(); !isGone(err) && !says(err, "SubjectNotFound", "PrincipalNotFound") {
			return err
		}
	}
	return err
}

// scope says whom passes are for, in words; empty if that is everybody.
func (p tapPolicy) scope() string {
	if len(p.Include) == 0 || slices.ContainsFunc(p.Include, func(t struct {
		ID   string `json:"id"`
		Type string `json:"targetType"`
	}) bool {
		return t.ID == "all_users"
	}) {
		if len(p.Exclude) == 0 {
			return ""
		}
		return fmt.Sprintf("all users but %d groups", len(p.Exclude))
	}
	return fmt.Sprintf("%d groups", len(p.Include))
}
