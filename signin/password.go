package signin

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

const (
	// MinPassword is the shortest password that a person may choose, in characters.
	MinPassword = 12

	maxPassword = 1024 // bytes
	maxLogin    = 200
	issued      = 20 // characters of a password that Jitney makes for a person
)

func invalid(field, text, hint string) error {
	return &broker.Invalid{Fields: []access.FieldError{{Field: field, Text: text + " " + hint}}}
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
		return invalid("password", "The password cannot be used.", "Choose one of at most a few hundred ordinary characters.")
	case utf8.RuneCountInString(s) < MinPassword:
		return invalid("password", "The password is too short.", "Choose at least 12 characters; several words are good.")
	case len(kinds) < 5, strings.Contains(folded, "password"), strings.Contains("abcdefghijklmnopqrstuvwxyz 01234567890 qwertyuiopasdfghjklzxcvbnm", folded),
		p.Login != "" && strings.Contains(folded, strings.ToLower(p.Login)):
		return invalid("password", "The password is too easy to guess.", "Choose several words that do not belong together.")
	}
	return nil
}

// Reset makes a password for a person and ends their sessions; for
// administrators. It is reported once, and stored only as a hash.
func (d *Door) Reset(ctx context.Context, who access.Person, person string) (secret.Text, error) {
	p, err := d.governed(ctx, who, person)
	if err != nil {
		return secret.Text{}, err
	}
	password := secret.Password(issued)
	if err := d.setPassword(ctx, p, password, "", event(EventPasswordSet, who.ID, p.ID, "Issued a new password for "+p.Login+".")); err != nil {
		return secret.Text{}, err
	}
	return password, nil
}

// Put gives a person a password that was chosen for them, without asking who
// does it: for commands at the server and for samples.
func (d *Door) Put(ctx context.Context, actor, person string, password secret.Text) error {
	p, err := d.people.Person(ctx, person)
	if err != nil {
		return err
	}
	if err := goodPassword(password, p); err != nil {
		return err
	}
	return d.setPassword(ctx, p, password, "", event(EventPasswordSet, actor, p.ID, "Set a new password for "+p.Login+"."))
}

// governed reads a person whom who may govern: who is an administrator now.
func (d *Door) governed(ctx context.Context, who access.Person, person string) (access.Person, error) {
	none := &access.Error{Kind: access.NotFound, Text: "There is nothing here, or it is not yours to see.",
		Hint: "Check the address, or ask an administrator for access to the customer."}
	now, err := d.people.Person(ctx, who.ID)
	if access.KindOf(err) == access.NotFound || err == nil && (!now.Is(access.Administrator) || !now.DisabledAt.IsZero()) {
		return access.Person{}, none
	}
	if err != nil {
		return access.Person{}, err
	}
	p, err := d.people.Person(ctx, person)
	if err != nil && access.KindOf(err) == access.NotFound {
		return access.Person{}, none
	}
	return p, err
}

func (d *Door) setPassword(ctx context.Context, p access.Person, password secret.Text, keep string, e access.Event) error {
	hash, err := d.hasher.Hash(ctx, password)
	if errors.Is(err, errBusy) {
		return tooMany(err)
	}
	if err != nil {
		return err
	}
	return d.people.SetPassword(ctx, p.ID, hash, keep, e)
}

// Change gives who another password, if they know the present one, and ends
// their other sessions.
func (d *Door) Change(ctx context.Context, who access.Person, current, next secret.Text) error {
	p, err := d.people.Person(ctx, who.ID)
	if err != nil {
		return err
	}
	if !d.limits.pair.take("change " + p.ID) {
		return tooMany(nil)
	}
	if len(current.Reveal()) > maxPassword {
		return wrongCurrent()
	}
	if _, err := d.check(ctx, p.Login, current); err != nil {
		if access.KindOf(err) == access.Denied {
			return wrongCurrent()
		}
		return err
	}
	if err := goodPassword(next, p); err != nil {
		return err
	}
	if current.Equal(next) {
		return invalid("password", "The new password is the present one.", "Choose another.")
	}
	keep := ""
	if v := visitOf(ctx); v.session.Person == p.ID {
		keep = v.session.Key
	}
	return d.setPassword(ctx, p, next, keep, event(EventPasswordChanged, p.ID, p.ID, "Changed their password."))
}

func wrongCurrent() error {
	return invalid("current", "The present password is not right.", "Type the password that you signed in with.")
}

// A Visit is a session as a person sees it.
type Visit struct {
	ID            string // names it to End; opens nothing
	Agent         string // what the browser calls itself
	From          string // address it came from
	Since, SeenAt time.Time
	Here          bool // the session of this request
}

const visitID = 16 // characters of the key, which is the hash of a token

func nameOf(s access.Visit) string { return s.Key[:min(visitID, len(s.Key))] }

// Visits lists the sessions of who, the latest seen first.
func (d *Door) Visits(ctx context.Context, who access.Person) ([]Visit, error) {
	all, err := d.sessions.SessionsOf(ctx, who.ID)
	if err != nil {
		return nil, err
	}
	here := visitOf(ctx).session.Key
	var out []Visit
	for _, s := range all {
		if time.Now().Before(s.ExpiresAt) {
			out = append(out, Visit{nameOf(s), s.Browser, s.Address, s.BegunAt, s.SeenAt, s.Key == here})
		}
	}
	return out, nil
}

// End ends one session of a person, or all if session is empty, but never the
// one that ctx belongs to; all includes the sign-ins of command lines. Everybody
// may end their own, administrators those of anybody. One that is not there is no error.
func (d *Door) End(ctx context.Context, who access.Person, person, session string) error {
	text := "Ended a session of their own."
	if person != who.ID {
		p, err := d.governed(ctx, who, person)
		if err != nil {
			return err
		}
		text = "Ended a session of " + p.Login + "."
	}
	all, err := d.sessions.SessionsOf(ctx, person)
	if err != nil {
		return err
	}
	here := visitOf(ctx).session.Key
	for _, s := range all {
		if s.Key == here || session != "" && nameOf(s) != session {
			continue
		}
		if err := d.sessions.EndSession(ctx, s.Key, event(EventSessionsEnded, who.ID, person, text)); err != nil {
			return err
		}
	}
	if session != "" || d.tokens == nil {
		return nil
	}
	if d.pairings != nil { // first, or one of them is fetched in between
		if err := d.pairings.VoidPairings(ctx, person, time.Now().UTC()); err != nil {
			return err
		}
	}
	return d.endSignIns(ctx, who.ID, person)
}

// endSignIns ends the sign-ins of a person's command lines.
func (d *Door) endSignIns(ctx context.Context, by, person string) error {
	all, err := d.tokens.Tokens(ctx, person)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.Kind != access.TokenCLI || !t.Live(time.Now()) {
			continue
		}
		if err := revoke(ctx, d.tokens, t, by, "Ended with the sessions."); err != nil {
			return err
		}
	}
	return nil
}
