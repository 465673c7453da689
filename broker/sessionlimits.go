package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/target"
)

// SessionSettings are the switches and lengths of sessions, with what wins and
// why at each place.
type SessionSettings struct {
	Admin    bool // Enable Admin AWS JIT Access On UI
	NonAdmin bool // Disable Non-Admin AWS JIT Access On UI
	Limits   []access.Limit
	Names    map[string]string // of the places in Limits, and of people in SetBy
	Rows     []SessionSetting  // by customer and target, one for each scope
}

// A SessionSetting is how long sessions of one scope of one target last.
type SessionSetting struct {
	Customer access.Customer
	Target   access.Target // without settings
	Right    target.Entitlement
	Length   time.Duration
	Wins     access.Limit // the setting that says so; zero: nothing is set, so it is an hour
	RoleMax  access.Limit // what is to be set on the role; zero: left as it is
	Policy   access.Policy
}

// Settings reads how sessions are set up. Administrators and auditors may.
func (s *Sessions) Settings(ctx context.Context, who access.Person) (out SessionSettings, err error) {
	if _, err = s.gate.fresh(ctx, who, access.Administrator, access.Auditor); err != nil {
		return out, err
	}
	for name, on := range map[string]*bool{access.SwitchAdmin: &out.Admin, access.SwitchNonAdmin: &out.NonAdmin} {
		value, err := s.access.Rules.Setting(ctx, name)
		if err != nil {
			return out, err
		}
		*on = value == "true"
	}
	if out.Limits, err = s.issued.Limits(ctx); err != nil {
		return out, err
	}
	names, err := s.access.names.read(ctx)
	if err != nil {
		return out, err
	}
	out.Names = map[string]string{access.Everywhere: "everywhere", access.AtScope(true): "admin", access.AtScope(false): "tenant"}
	for _, l := range out.Limits {
		out.Names[l.SetBy] = names.person(l.SetBy)
		if id, ok := strings.CutPrefix(l.Place, "customer:"); ok {
			out.Names[l.Place] = names.customer(id)
		}
		if id, ok := strings.CutPrefix(l.Place, "target:"); ok {
			out.Names[l.Place] = names.target(id)
		}
	}
	places, err := s.everyPlace(ctx)
	for _, p := range places {
		at := p.at()
		row := SessionSetting{Customer: p.customer, Target: p.target, Right: p.right, Length: at.Length(out.Limits)}
		row.Target.Settings, row.Target.Findings = nil, nil
		row.Wins, _ = access.Winning(out.Limits, access.SessionLength, at)
		row.RoleMax, _ = access.Winning(out.Limits, access.RoleMax, at)
		if row.Policy, err = policyFor(ctx, s.access.Rules, p.target, p.right); err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, row)
	}
	return out, err
}

// everyPlace lists every scope of every target with sessions, by customer.
func (s *Sessions) everyPlace(ctx context.Context) (all []wanted, err error) {
	customers, err := s.access.Customers.Customers(ctx)
	if err != nil {
		return nil, err
	}
	targets, err := s.access.Targets.Targets(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, c := range customers {
		for _, t := range targets {
			kind, ok := findKind(s.access.Kinds, t.Kind)
			if t.Customer != c.ID || !c.ArchivedAt.IsZero() || !t.DisabledAt.IsZero() || !ok || !kind.Sessions {
				continue
			}
			for _, right := range kind.Entitlements(settingsOf(t)) {
				all = append(all, wanted{customer: c, target: t, kind: kind, right: right})
			}
		}
	}
	return all, nil
}

// Switch turns a switch on or off, at once and for pages, API and command line
// alike. Only administrators may.
func (s *Sessions) Switch(ctx context.Context, who access.Person, name string, on bool) error {
	who, err := s.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return err
	}
	title := access.SwitchTitle(name)
	if title == "" {
		return notFound()
	}
	value := fmt.Sprint(on)
	e := by(who, access.EventSessionSwitch, "", "", name, fmt.Sprintf("Set %q to %s.", title, value))
	e.Data = map[string]string{"switch": title, "value": value}
	return s.access.Rules.SetSetting(ctx, name, value, e)
}

// A RoleLimit is what the role behind one scope of a target allows, as read
// from the target.
type RoleLimit struct {
	Customer, Target, Right string // names
	TargetID                string
	Wanted                  time.Duration // how long sessions should be able to last; zero: no setting is about it any more, so it stays as it is
	Read                    time.Duration // zero if it could not be read
	Trouble                 string        // why not, for people
}

// Short reports whether the role is known to allow less than is wanted.
func (r RoleLimit) Short() bool { return r.Read > 0 && r.Read < r.Wanted }

// SetLimit stores a setting (a zero Length removes it) and reports, for each
// role that it is about, what was read back. A role's longest session is set on
// the role itself; when it is removed, to what counts then. A length beyond what a role allows is stored, cut to that at
// each session, and reported as Short, so that raising can be offered.
func (s *Sessions) SetLimit(ctx context.Context, who access.Person, l access.Limit) ([]RoleLimit, error) {
	who, err := s.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return nil, err
	}
	l.SetBy, l.SetAt = who.ID, time.Now().UTC()
	if l.Length != 0 {
		if err := l.Valid(); err != nil {
			e, _ := errors.AsType[*access.Error](err)
			return nil, invalid("length", e.Text)
		}
	}
	title := map[string]string{access.SessionLength: "how long sessions last", access.RoleMax: "the longest session of roles"}[l.Setting]
	text := fmt.Sprintf("Set %s to %d seconds (%s).", title, int64(l.Length/time.Second), placeWord(l.Place))
	if l.Length == 0 {
		text = fmt.Sprintf("Removed the setting of %s (%s).", title, placeWord(l.Place))
	}
	e := by(who, access.EventSessionLimit, "", "", l.Place, text)
	e.Data = map[string]string{"setting": l.Setting, "place": l.Place, "seconds": fmt.Sprint(int64(l.Length / time.Second))}
	places, err := s.won(ctx, l) // where the one that is removed counts
	if err != nil {
		return nil, err
	}
	if err := s.issued.SetLimit(ctx, l, e); err != nil {
		return nil, err
	}
	if l.Length == 0 && l.Setting != access.RoleMax {
		return nil, nil
	}
	if l.Length != 0 {
		if places, err = s.won(ctx, l); err != nil {
			return nil, err
		}
	}
	return s.apply(ctx, places, l.Setting)
}

// Follow sets what the longest session of roles is to be on those of one
// target, which may be new, and reports what was read back, as SetLimit does.
func (s *Sessions) Follow(ctx context.Context, who access.Person, targetID string) ([]RoleLimit, error) {
	if _, err := s.gate.fresh(ctx, who, access.Administrator); err != nil {
		return nil, err
	}
	limits, err := s.issued.Limits(ctx)
	if err != nil {
		return nil, err
	}
	places, err := s.everyPlace(ctx)
	if err != nil {
		return nil, err
	}
	places = slices.DeleteFunc(places, func(p wanted) bool {
		_, set := access.Winning(limits, access.RoleMax, p.at())
		return p.target.ID != targetID || !set
	})
	return s.apply(ctx, places, access.RoleMax)
}

// at is where settings count for p.
func (w wanted) at() access.SessionPlace {
	return access.SessionPlace{Target: w.target.ID, Customer: w.customer.ID, Admin: w.right.Admin}
}

func placeWord(place string) string {
	if place == access.Everywhere {
		return "everywhere"
	}
	return place
}

// won lists the places at which the setting that stands where l does wins.
func (s *Sessions) won(ctx context.Context, l access.Limit) ([]wanted, error) {
	limits, err := s.issued.Limits(ctx)
	if err != nil {
		return nil, err
	}
	places, err := s.everyPlace(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(places, func(p wanted) bool {
		wins, ok := access.Winning(limits, l.Setting, p.at())
		return !ok || wins.Place != l.Place
	}), nil
}

// apply sets or reads the roles of places, by what wins there now.
func (s *Sessions) apply(ctx context.Context, places []wanted, setting string) ([]RoleLimit, error) {
	limits, err := s.issued.Limits(ctx)
	if err != nil {
		return nil, err
	}
	return s.each(ctx, places, func(p wanted) access.Limit {
		wins, _ := access.Winning(limits, setting, p.at())
		return wins
	}), nil
}

// each sets or reads the roles of places, a few at a time.
func (s *Sessions) each(ctx context.Context, places []wanted, limit func(wanted) access.Limit) []RoleLimit {
	out := make([]RoleLimit, len(places))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, p := range places {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i] = s.role(ctx, p, limit(p))
		})
	}
	wg.Wait()
	slices.SortStableFunc(out, RoleLimit.inOrder)
	return out
}

// role sets what one role allows, if l is about that, and reads it.
func (s *Sessions) role(ctx context.Context, p wanted, l access.Limit) RoleLimit {
	r := RoleLimit{Customer: p.customer.Name, Target: p.target.Name, TargetID: p.target.ID, Right: p.right.Title, Wanted: l.Length}
	ctx, cancel := context.WithTimeout(ctx, issueTimeout)
	defer cancel()
	sys, err := s.access.Open(ctx, p.target.ID)
	limiter, ok := target.As[target.Limiter](sys)
	switch {
	case err != nil:
	case !ok:
		return r
	default:
		r.Read, err = limiter.Longest(ctx, p.right.Name)
		if err == nil && l.Setting == access.RoleMax && r.Read != l.Length {
			r.Read, err = limiter.SetLongest(ctx, p.right.Name, l.Length)
		}
	}
	if err != nil {
		r.Trouble = plain(err)
	}
	return r
}

// plain is what people are told of an error.
func plain(err error) string {
	if e, ok := errors.AsType[*access.Error](err); ok {
		return strings.TrimSpace(e.Text + " " + e.Hint)
	}
	return "The target did not answer as expected."
}
