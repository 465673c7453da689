package signin

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"jitney/access"
	"jitney/secret"
)

// The kinds of event about tokens.
const (
	EventTokenCreated = "token.created"
	EventTokenRevoked = "token.revoked"
	EventTokenRefused = "token.refused" // one that is revoked or over, or whose person is disabled
)

// LoginNeeded is the code of the error for a token that lets nobody in.
const LoginNeeded = "login_needed"

const (
	apiPrefix, cliPrefix = "jat_", "jcl_"
	tokenBytes           = 32
	maxTokenName         = 80
	maxTokens            = 200 // of one person that are live
)

// Tokens lets programs in: each has a token, which acts for a person. Nothing
// about the person or the token is remembered from one use to the next. It is
// safe for concurrent use.
type Tokens struct {
	people  Persons
	table   TokenTable
	records Log
	log     *slog.Logger
	trouble *buckets // records of refusals of one token
	noise   *buckets // log lines about one address
}

// NewTokens returns Tokens over the parts of the store that keep them.
func NewTokens(people Persons, table TokenTable, records Log, log *slog.Logger) *Tokens {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Tokens{people: people, table: table, records: records, log: log,
		trouble: newBuckets(10*time.Minute, 2), noise: newBuckets(10*time.Second, 10)}
}

// newTokenText makes the text of a token: 256 random bits, so that a plain hash of
// it is enough.
func newTokenText(prefix string) secret.Text {
	b := make([]byte, tokenBytes)
	_, _ = rand.Read(b) // never fails: see its documentation
	return secret.New(prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)))
}

func loginNeeded(text, hint string) error {
	return &access.Error{Kind: access.Denied, Code: LoginNeeded, Text: text, Hint: hint}
}

// refusal is what whoever shows a token of no use is told. It says nothing
// that a person who only has the text could not know.
func refusal(kind string) error {
	if kind == access.TokenAPI {
		return loginNeeded("This API token is not valid, or not any more.", "Ask an administrator for a new one.")
	}
	return loginNeeded("You are not signed in, or not any more.", "Sign in with \"jitney login\".")
}

// Check reports the person that a token acts for, as stored now, and the
// token. It is access.Denied with the code [LoginNeeded] if the token lets
// nobody in. The last use is stored once a minute.
func (s *Tokens) Check(ctx context.Context, text secret.Text, address string) (access.Person, access.Token, error) {
	kind, plain := "", text.Reveal()
	switch {
	case strings.HasPrefix(plain, apiPrefix):
		kind = access.TokenAPI
	case strings.HasPrefix(plain, cliPrefix):
		kind = access.TokenCLI
	}
	if kind == "" || len(plain) > 128 {
		return access.Person{}, access.Token{}, refusal(access.TokenCLI)
	}
	t, err := s.table.TokenByHash(ctx, hashToken(plain))
	if access.KindOf(err) == access.NotFound && err != nil {
		if s.noise.take(network(address)) {
			s.log.Warn("unknown token", "kind", kind, "address", clip(address, 64))
		}
		return access.Person{}, access.Token{}, refusal(kind)
	}
	if err != nil {
		return access.Person{}, access.Token{}, err
	}
	now := time.Now().UTC()
	p, err := s.people.Person(ctx, t.Person)
	if err != nil && access.KindOf(err) != access.NotFound {
		return access.Person{}, access.Token{}, err
	}
	why := ""
	switch {
	case t.Kind != kind:
		why = "is of another kind"
	case !t.RevokedAt.IsZero():
		why = "is revoked"
	case !t.Live(now):
		why = "has run out"
	case err != nil || !p.DisabledAt.IsZero():
		why = "is of somebody who is disabled"
	}
	if why != "" {
		s.recordRefusal(ctx, t, why, address)
		return access.Person{}, access.Token{}, refusal(kind)
	}
	if now.Sub(t.UsedAt) >= seenEvery {
		if err := s.table.UseToken(ctx, t.ID, now, clip(address, 64)); err != nil {
			s.log.Warn("use of a token not stored", "token", t.ID, "err", err)
		}
	}
	return p, t, nil
}

// recordRefusal records that somebody used a token that is of no use, a few
// times an hour at most.
func (s *Tokens) recordRefusal(ctx context.Context, t access.Token, why, address string) {
	if !s.trouble.take(t.ID) {
		return
	}
	s.log.Warn("token refused", "token", t.ID, "why", why, "address", clip(address, 64))
	e := event(EventTokenRefused, t.Person, t.Person, describe(t)+" "+why+", and was used from "+clip(address, 64)+".")
	e.Data = map[string]string{"token": t.ID}
	if err := s.records.Write(ctx, e); err != nil {
		s.log.Error("refusal of a token not recorded", "token", t.ID, "err", err)
	}
}

// describe names a token in a sentence.
func describe(t access.Token) string {
	if t.Kind == access.TokenCLI {
		return "The command line sign-in of " + t.Application + " on " + t.Machine
	}
	return "The API token " + t.Name
}

// Create makes an API token for the person named in want, and reports its text,
// which nobody can read again; for administrators. Of want count Name, Person,
// Admin, Customers and ExpiresAt.
func (s *Tokens) Create(ctx context.Context, who access.Person, want access.Token) (access.Token, secret.Text, error) {
	by, err := s.administrator(ctx, who)
	if err != nil {
		return access.Token{}, secret.Text{}, err
	}
	now := time.Now().UTC()
	p, err := s.fit(ctx, &want, now)
	if err != nil {
		return access.Token{}, secret.Text{}, err
	}
	t := access.Token{ID: strings.ToLower(rand.Text()), Kind: access.TokenAPI, Name: want.Name, Person: p.ID, Admin: want.Admin, Customers: want.Customers,
		CreatedAt: now, CreatedBy: by.ID, ExpiresAt: want.ExpiresAt.UTC().Truncate(time.Second)}
	text := newTokenText(apiPrefix)
	e := event(EventTokenCreated, by.ID, p.ID, "Made the API token "+t.Name+" for "+p.Login+", until "+t.ExpiresAt.Format("2 January 2006")+".")
	e.Data = tokenData(t)
	if err := s.table.AddToken(ctx, t, hashToken(text.Reveal()), s.warning(t, p), e); err != nil {
		return access.Token{}, secret.Text{}, err
	}
	return t, text, nil
}

// warning is the letter that goes out before t ends.
func (s *Tokens) warning(t access.Token, p access.Person) access.Letter {
	return access.Letter{Person: p.ID, Admins: true, Subject: "API token " + t.Name + " ends on " + t.ExpiresAt.Format("2 January 2006"),
		Body: fmt.Sprintf("The API token %s, which acts for %s (%s), ends on %s UTC.\n\nWhat uses it gets no access from then on. An administrator can make a new one in time, on the page API tokens, and revoke this one.",
			t.Name, p.Name, p.Login, t.ExpiresAt.Format("2 January 2006 15:04"))}
}

func tokenData(t access.Token) map[string]string {
	d := map[string]string{"token": t.ID, "kind": t.Kind, "scope": "tenant", "customers": "all", "expires": t.ExpiresAt.Format(time.RFC3339)}
	if t.Admin {
		d["scope"] = "admin"
	}
	if t.Customers != nil {
		d["customers"] = strings.Join(t.Customers, " ")
	}
	return d
}

// fit checks what a token is wanted for, puts it in order, and reports the
// person.
func (s *Tokens) fit(ctx context.Context, want *access.Token, now time.Time) (access.Person, error) {
	want.Name = strings.TrimSpace(want.Name)
	if want.Name == "" || want.Name != plain(want.Name, maxTokenName) {
		return access.Person{}, invalid("name", "A name is required, of at most 80 characters.", "Such as the job that uses the token.")
	}
	p, err := s.people.Person(ctx, want.Person)
	if access.KindOf(err) == access.NotFound && err != nil || err == nil && !p.DisabledAt.IsZero() {
		return access.Person{}, invalid("person", "Choose somebody who is enabled.", "A service is a person without a password.")
	}
	if err != nil {
		return access.Person{}, err
	}
	if want.Customers != nil {
		slices.Sort(want.Customers)
		want.Customers = slices.Compact(want.Customers)
	}
	for _, c := range want.Customers {
		if !p.WorksFor(c) {
			return access.Person{}, invalid("customers", "Choose customers that the person works for.", "Or all of them.")
		}
	}
	life := want.ExpiresAt.Sub(now)
	switch {
	case want.Customers != nil && len(want.Customers) == 0:
		return access.Person{}, invalid("customers", "Choose at least one customer.", "Or all that the person works for.")
	case want.Admin && !p.Is(access.Administrator):
		return access.Person{}, invalid("admin", "Only a token of an administrator can have the admin scope.", "Make the person an administrator, or leave it out.")
	case life <= 0 || life > access.TokenLongest+time.Minute:
		return access.Person{}, invalid("days", "A token lasts from 1 to 365 days.", "Choose a number of days.")
	}
	all, err := s.table.Tokens(ctx, p.ID)
	if err != nil {
		return access.Person{}, err
	}
	live := 0
	for _, t := range all {
		if t.Kind != access.TokenAPI || !t.Live(now) {
			continue
		}
		if strings.EqualFold(t.Name, want.Name) {
			return access.Person{}, invalid("name", "The person has a token of this name already.", "Choose another name, or revoke that one first.")
		}
		live++
	}
	if live >= maxTokens {
		return access.Person{}, invalid("person", "The person has too many tokens.", "Revoke some first.")
	}
	return p, nil
}

// administrator demands that who is an administrator now.
func (s *Tokens) administrator(ctx context.Context, who access.Person) (access.Person, error) {
	p, err := s.people.Person(ctx, who.ID)
	if access.KindOf(err) == access.NotFound && err != nil || err == nil && (!p.Is(access.Administrator) || !p.DisabledAt.IsZero()) {
		return access.Person{}, &access.Error{Kind: access.NotFound, Text: "There is nothing here, or it is not yours to see.", Hint: "Ask an administrator."}
	}
	return p, err
}

// List lists the tokens that who may see, the newest first: of everybody for
// administrators and auditors if all is set, else their own. API tokens are
// listed for as long as they are known, sign-ins while they are good.
func (s *Tokens) List(ctx context.Context, who access.Person, all bool) ([]access.Token, error) {
	person := who.ID
	if all && (who.Is(access.Administrator) || who.Is(access.Auditor)) {
		person = ""
	}
	if who.ID == "" {
		return nil, nobody()
	}
	tokens, err := s.table.Tokens(ctx, person)
	now := time.Now()
	return slices.DeleteFunc(tokens, func(t access.Token) bool { return t.Kind == access.TokenCLI && !t.Live(now) }), err
}

// Revoke makes a token useless at once. Everybody may revoke their own,
// administrators those of anybody. One that was revoked before stays so.
func (s *Tokens) Revoke(ctx context.Context, who access.Person, id string) error {
	all, err := s.table.Tokens(ctx, who.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(t access.Token) bool { return t.ID == id })
	if i < 0 {
		if _, err := s.administrator(ctx, who); err != nil {
			return err
		}
		if all, err = s.table.Tokens(ctx, ""); err != nil {
			return err
		}
		i = slices.IndexFunc(all, func(t access.Token) bool { return t.ID == id })
	}
	if i < 0 {
		return &access.Error{Kind: access.NotFound, Text: "There is no such token.", Hint: "Load the page again."}
	}
	return revoke(ctx, s.table, all[i], who.ID, "Revoked.")
}

// Leave ends the sign-in of the command line that t is. An API token is
// access.Invalid: it belongs to its owner and not to who uses it.
func (s *Tokens) Leave(ctx context.Context, t access.Token) error {
	if t.Kind != access.TokenCLI {
		return &access.Error{Kind: access.Invalid, Text: "An API token cannot be signed out.", Hint: "Its owner or an administrator can revoke it on the page API tokens."}
	}
	return revoke(ctx, s.table, t, t.Person, "Signed out.")
}

func revoke(ctx context.Context, table TokenTable, t access.Token, by, what string) error {
	e := event(EventTokenRevoked, by, t.Person, describe(t)+": "+what)
	e.Data = map[string]string{"token": t.ID}
	return table.RevokeToken(ctx, t.ID, time.Now().UTC(), by, e)
}

// plain is text from outside as it may be shown: at most n characters, without
// what is invisible or changes the direction of writing, and no run of blanks.
func plain(s string, n int) string {
	if len(s) > 8*n {
		s = s[:8*n]
	}
	var b strings.Builder
	count, marks := 0, 0
	for _, r := range strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ") {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			continue
		}
		if marks++; !unicode.IsMark(r) {
			marks = 0
		}
		if marks > 2 {
			continue // a tower of accents covers what stands beside it
		}
		if count++; count > n {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
