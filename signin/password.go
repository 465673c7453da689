package signin

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"jitney/access"
	"jitney/secret"
)

const (
	// MinPassword is the shortest password that a person may choose, in characters.
	MinPassword = 12

	maxPassword = 1024 // bytes
	maxLogin    = 200
	issued      = 20 // characters of a password that Jitney makes for a person
)

func invalid(text, hint string) error {
	return &access.Error{Kind: access.Invalid, Text: text, Hint: hint}
}

// goodPassword asks for length and against the obvious, and for nothing else:
// rules about characters make passwords worse.
func goodPassword(password secret.Text, p access.Person) error {
	s := password.Reveal()
	folded := strings.ToLower(s)
	kinds := map[rune]bool{}
	for _, r := range folded {
		kinds[r] = true
	}
	switch {
	case !utf8.ValidString(s) || len(s) > maxPassword:
		return invalid("The password cannot be used.", "Choose one of at most a few hundred ordinary characters.")
	case utf8.RuneCountInString(s) < MinPassword:
		return invalid("The password is too short.", "Choose at least 12 characters; several words are good.")
	case len(kinds) < 5, strings.Contains(folded, "password"), strings.Contains("abcdefghijklmnopqrstuvwxyz 01234567890 qwertyuiopasdfghjklzxcvbnm", folded),
		p.Login != "" && strings.Contains(folded, strings.ToLower(p.Login)):
		return invalid("The password is too easy to guess.", "Choose several words that do not belong together.")
	}
	return nil
}

// SetPassword gives a person a password of an administrator's choice and ends
// the sessions of that person.
func (d *Door) SetPassword(ctx context.Context, who access.Person, personID string, password secret.Text) error {
	p, err := d.governed(ctx, who, personID)
	if err != nil {
		return err
	}
	if err := goodPassword(password, p); err != nil {
		return err
	}
	return d.setPassword(ctx, p, password, "", event(EventPasswordSet, who.ID, p.ID, "Set a new password for "+p.Login+"."))
}

// IssuePassword makes a password for a person, and ends their sessions. It is
// shown once to the administrator, and stored only as a hash.
func (d *Door) IssuePassword(ctx context.Context, who access.Person, personID string) (secret.Text, error) {
	p, err := d.governed(ctx, who, personID)
	if err != nil {
		return secret.Text{}, err
	}
	password := secret.Password(issued)
	err = d.setPassword(ctx, p, password, "", event(EventPasswordSet, who.ID, p.ID, "Issued a new password for "+p.Login+"."))
	if err != nil {
		return secret.Text{}, err
	}
	return password, nil
}

// governed reads a person whom who may govern: who is an administrator now.
func (d *Door) governed(ctx context.Context, who access.Person, personID string) (access.Person, error) {
	none := &access.Error{Kind: access.NotFound, Text: "There is nothing here, or it is not yours to see.",
		Hint: "Check the address, or ask an administrator."}
	now, err := d.People.Person(ctx, who.ID)
	if access.KindOf(err) == access.NotFound || err == nil && (!now.Is(access.Administrator) || !now.DisabledAt.IsZero()) {
		return access.Person{}, none
	}
	if err != nil {
		return access.Person{}, err
	}
	p, err := d.People.Person(ctx, personID)
	if access.KindOf(err) == access.NotFound {
		return access.Person{}, none
	}
	return p, err
}

func (d *Door) setPassword(ctx context.Context, p access.Person, password secret.Text, keep string, e access.Event) error {
	hash, err := d.hasher.Hash(ctx, password)
	if err != nil {
		return tooMany(err)
	}
	return d.People.SetPassword(ctx, p.ID, hash, keep, e)
}

// ChangePassword lets the person who is signed in choose a new password, if
// they know the old one. Their other sessions end.
func (d *Door) ChangePassword(ctx context.Context, old, chosen secret.Text) error {
	p, err := d.Who(ctx)
	if err != nil {
		return err
	}
	if !d.limits.pair.take("change " + p.ID) {
		return tooMany(nil)
	}
	if len(old.Reveal()) > maxPassword {
		return wrong()
	}
	if _, err := d.check(ctx, p.Login, old); err != nil {
		if access.KindOf(err) == access.Denied {
			return invalid("The present password is not right.", "Type the password that you signed in with.")
		}
		return err
	}
	if err := goodPassword(chosen, p); err != nil {
		return err
	}
	if old.Equal(chosen) {
		return invalid("The new password is the old one.", "Choose another.")
	}
	return d.setPassword(ctx, p, chosen, visitOf(ctx).session.Key, event(EventPasswordChanged, p.ID, p.ID, "Changed their password."))
}

// A Visit is a session as its person sees it.
type Visit struct {
	ID      string // names it; of no use for signing in
	Address string
	Browser string
	BegunAt time.Time
	SeenAt  time.Time
	Current bool // the one that asks
}

const visitID = 16 // characters of the key

// Visits lists the sessions of the person who is signed in.
func (d *Door) Visits(ctx context.Context) ([]Visit, error) {
	p, err := d.Who(ctx)
	if err != nil {
		return nil, err
	}
	all, err := d.Sessions.SessionsOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	var out []Visit
	for _, s := range all {
		if time.Now().Before(s.ExpiresAt) {
			out = append(out, Visit{s.Key[:min(visitID, len(s.Key))], s.Address, s.Browser, s.BegunAt, s.SeenAt, s.Key == visitOf(ctx).session.Key})
		}
	}
	return out, nil
}

// EndVisit ends one session of the person who is signed in, or all but this
// one if id is empty. One that is not there is no error.
func (d *Door) EndVisit(ctx context.Context, id string) error {
	p, err := d.Who(ctx)
	if err != nil {
		return err
	}
	current := visitOf(ctx).session.Key
	return d.endSome(ctx, p.ID, event(EventSessionsEnded, p.ID, p.ID, "Ended a session of their own."), func(s Session) bool {
		if id == "" {
			return s.Key != current
		}
		return s.Key[:min(visitID, len(s.Key))] == id
	})
}

// EndVisitsOf ends every session of a person; for administrators.
func (d *Door) EndVisitsOf(ctx context.Context, who access.Person, personID string) error {
	p, err := d.governed(ctx, who, personID)
	if err != nil {
		return err
	}
	e := event(EventSessionsEnded, who.ID, p.ID, "Ended a session of "+p.Login+".")
	return d.endSome(ctx, p.ID, e, func(Session) bool { return true })
}

func (d *Door) endSome(ctx context.Context, personID string, e access.Event, end func(Session) bool) error {
	all, err := d.Sessions.SessionsOf(ctx, personID)
	if err != nil {
		return err
	}
	for _, s := range all {
		if !end(s) {
			continue
		}
		if err := d.Sessions.EndSession(ctx, s.Key, e); err != nil {
			return err
		}
	}
	return nil
}
