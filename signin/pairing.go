package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
)

// The kinds of event about pairings.
const (
	EventPairingAuthorized = "pairing.authorized"
	EventPairingCancelled  = "pairing.cancelled"
)

// The codes of errors about pairings.
const (
	PairingOver    = "ended"   // it ran out, or its token was fetched
	PairingRefused = "refused" // a person said no, or the verifier or the code is not the right one
	TooMany        = "too_many"
)

// codeLetters are those that nobody takes for another, also when read aloud:
// no vowels either, so that no code is a word.
const codeLetters = "BCDFGHJKLMNPQRSTVWXZ"

// Pairings lets command lines sign in: one asks, a person authorizes it in the
// browser where they are signed in, and it fetches a token. What it says about
// itself proves nothing; whoever has the verifier of its challenge is it. It is
// safe for concurrent use.
type Pairings struct {
	Lasts  time.Duration // how long a sign-in of a command line lasts; set before use
	people Persons
	table  PairingTable
	log    *slog.Logger

	begun     *buckets // new ones from one address
	begunWide *buckets // new ones from one site
	all       *buckets // new ones in all: a bound for the database, far above the others
	polled    *buckets // tries to fetch one token
	fetched   *buckets // tries to fetch tokens from one address
	typed     *buckets // match codes that one person typed
	typedAt   *buckets // match codes that were typed at one address
}

// NewPairings returns Pairings over the parts of the store that keep them.
func NewPairings(people Persons, table PairingTable, log *slog.Logger) *Pairings {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Pairings{Lasts: access.CLISignIn, people: people, table: table, log: log,
		begun: newBuckets(6*time.Second, 20), begunWide: newBuckets(2*time.Second, 60), all: newBuckets(20*time.Millisecond, 2000),
		polled: newBuckets(500*time.Millisecond, 30), fetched: newBuckets(40*time.Millisecond, 250),
		typed: newBuckets(time.Minute, 5), typedAt: newBuckets(10*time.Second, 20)}
}

func slower(after time.Duration) error {
	return &access.Error{Kind: access.Unavailable, Code: TooMany, Text: "There were too many tries.", Hint: "Wait a moment, then try again.", After: after}
}

func over() error {
	return &access.Error{Kind: access.Conflict, Code: PairingOver, Text: "This sign-in has ended, or its time is up.", Hint: "Run the command again."}
}

func refused(text, hint string) error {
	return &access.Error{Kind: access.Denied, Code: PairingRefused, Text: text, Hint: hint}
}

// made reports whether s has from min to max characters: letters, digits, and
// those in others.
func made(s string, min, max int, others string) bool {
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return len(s) >= min && len(s) <= max
}

// Begin stores a command line that asks to sign in. Of ask count Application,
// Machine, User, Tenant, Admin, Challenge, State, Port and Address; the texts are
// cut to what can be shown.
func (s *Pairings) Begin(ctx context.Context, ask access.Pairing) (access.Pairing, error) {
	switch {
	case !made(ask.Challenge, 43, 43, "-_"):
		return access.Pairing{}, invalid("challenge", "The challenge is not one of PKCE with S256.", "It is the base64url of a SHA-256, 43 characters.")
	case !made(ask.State, 16, 200, "-._~"):
		return access.Pairing{}, invalid("state", "The state is missing, or not made of letters and digits.", "Send 16 to 200 of them, at random.")
	case ask.Port != 0 && (ask.Port < 1024 || ask.Port > 65535):
		return access.Pairing{}, invalid("port", "The port is not one that a command line can listen on.", "Send one from 1024 to 65535, or 0.")
	}
	if !s.begun.take(network(ask.Address)) || !s.begunWide.take(site(ask.Address)) {
		return access.Pairing{}, slower(6 * time.Second)
	}
	if !s.all.take("") {
		return access.Pairing{}, slower(time.Second)
	}
	now := time.Now().UTC()
	p := access.Pairing{ID: strings.ToLower(rand.Text()), Application: plain(ask.Application, 40), Machine: plain(ask.Machine, 64), User: plain(ask.User, 64),
		Tenant: plain(ask.Tenant, 80), Admin: ask.Admin, Challenge: ask.Challenge, State: ask.State, Port: ask.Port, Address: clip(ask.Address, 64),
		CreatedAt: now, ExpiresAt: now.Add(access.PairingFor)}
	if p.Application == "" {
		p.Application = "unnamed"
	}
	if p.Machine == "" {
		p.Machine = "unnamed"
	}
	for range 5 {
		p.Code = newCode()
		err := s.table.AddPairing(ctx, p)
		if err == nil {
			p.Version = 1
			return p, nil
		}
		if access.KindOf(err) != access.Conflict {
			return access.Pairing{}, err
		}
	}
	return access.Pairing{}, errors.New("no match code is free")
}

// newCode makes a match code: 34 random bits.
func newCode() string {
	var out []byte
	var b [1]byte
	for len(out) < 9 {
		if len(out) == 4 {
			out = append(out, '-')
		}
		_, _ = rand.Read(b[:])
		if n := int(b[0]); n < 256/len(codeLetters)*len(codeLetters) { // or some letters come more often
			out = append(out, codeLetters[n%len(codeLetters)])
		}
	}
	return string(out)
}

// sameCode is a match code as it was typed, in the form in which it is stored.
func sameCode(typed string) string {
	var out []byte
	for _, c := range []byte(strings.ToUpper(clip(typed, 40))) {
		if strings.IndexByte(codeLetters, c) >= 0 {
			out = append(out, c)
		}
	}
	if len(out) != 8 {
		return ""
	}
	return string(out[:4]) + "-" + string(out[4:])
}

// Show reads a pairing for the page that asks who to authorize it. One that
// somebody else decided about is access.NotFound.
func (s *Pairings) Show(ctx context.Context, who access.Person, id string) (access.Pairing, error) {
	p, err := s.table.Pairing(ctx, clip(id, 64))
	if err == nil && p.Person != "" && p.Person != who.ID {
		return access.Pairing{}, &access.Error{Kind: access.NotFound, Text: "There is no such request.", Hint: "Run the command again."}
	}
	return p, err
}

// Find finds the pairing whose match code somebody typed, because its command
// line cannot be reached. After a few tries it is access.Unavailable.
func (s *Pairings) Find(ctx context.Context, who access.Person, typed, address string) (access.Pairing, error) {
	if !s.typed.take(who.ID) || !s.typedAt.take(network(address)) {
		return access.Pairing{}, slower(time.Minute)
	}
	none := invalid("code", "There is no sign-in with this code, or its time is up.", "Compare it with what your command line shows, or run the command again.")
	code := sameCode(typed)
	if code == "" {
		return access.Pairing{}, none
	}
	p, err := s.table.PairingByCode(ctx, code)
	if access.KindOf(err) == access.NotFound && err != nil {
		return access.Pairing{}, none
	}
	if err != nil {
		return access.Pairing{}, err
	}
	if state := p.StateAt(time.Now()); !p.Device() || state != access.PairingWaiting {
		return access.Pairing{}, none
	}
	s.typed.forget(who.ID)
	return p, nil
}

// Authorize lets the command line sign in as who, who must be a requester now.
// If it can be reached, the code is what it is to be told by a redirect, once;
// else typed must be the match code.
func (s *Pairings) Authorize(ctx context.Context, who access.Person, id, typed string) (access.Pairing, secret.Text, error) {
	p, err := s.waiting(ctx, who, id)
	if err != nil {
		return access.Pairing{}, secret.Text{}, err
	}
	who, err = s.requester(ctx, who)
	if err != nil {
		return access.Pairing{}, secret.Text{}, err
	}
	if p.Device() && (typed == "" || subtle.ConstantTimeCompare([]byte(sameCode(typed)), []byte(p.Code)) != 1) {
		return access.Pairing{}, secret.Text{}, refused("The code was not typed.", "Type the code that your command line shows on the page for it.")
	}
	if p.Admin && !who.Is(access.Administrator) {
		return access.Pairing{}, secret.Text{}, refused("Admin access is for administrators only.", "Run the command again without --admin.")
	}
	p.Person, p.Login, p.DecidedAt = who.ID, who.Login, time.Now().UTC()
	var code secret.Text
	if !p.Device() {
		code = newTokenText("")
		p.OneTime = hashToken(code.Reveal())
	}
	e := event(EventPairingAuthorized, who.ID, who.ID, "Authorized "+p.Application+" on "+p.Machine+" to sign in as them, asked from "+p.Address+".")
	e.Data = map[string]string{"pairing": p.ID, "application": p.Application, "machine": p.Machine, "user": p.User, "address": p.Address}
	if p.Admin {
		e.Data["scope"] = "admin"
	}
	return p, code, s.update(ctx, p, e)
}

// Again makes another code for a command line that who authorized and that did
// not come for its token yet. The code before is void.
func (s *Pairings) Again(ctx context.Context, who access.Person, id string) (access.Pairing, secret.Text, error) {
	p, err := s.Show(ctx, who, id)
	if err != nil {
		return access.Pairing{}, secret.Text{}, err
	}
	if p.StateAt(time.Now()) != access.PairingAuthorized || p.Device() || p.Person != who.ID {
		return access.Pairing{}, secret.Text{}, over()
	}
	code := newTokenText("")
	p.OneTime = hashToken(code.Reveal())
	return p, code, s.update(ctx, p)
}

// Cancel says no to a command line, for good.
func (s *Pairings) Cancel(ctx context.Context, who access.Person, id string) (access.Pairing, error) {
	p, err := s.waiting(ctx, who, id)
	if err != nil {
		return access.Pairing{}, err
	}
	now := time.Now().UTC()
	p.Person, p.Login, p.DecidedAt, p.CancelledAt = who.ID, who.Login, now, now
	e := event(EventPairingCancelled, who.ID, who.ID, "Refused "+p.Application+" on "+p.Machine+", which asked from "+p.Address+" to sign in as them.")
	e.Data = map[string]string{"pairing": p.ID, "application": p.Application, "machine": p.Machine, "user": p.User, "address": p.Address}
	return p, s.update(ctx, p, e)
}

// waiting reads a pairing that nobody decided about yet.
func (s *Pairings) waiting(ctx context.Context, who access.Person, id string) (access.Pairing, error) {
	p, err := s.Show(ctx, who, id)
	if err == nil && p.StateAt(time.Now()) != access.PairingWaiting {
		return access.Pairing{}, over()
	}
	return p, err
}

func (s *Pairings) update(ctx context.Context, p access.Pairing, events ...access.Event) error {
	err := s.table.UpdatePairing(ctx, p, events...)
	if access.KindOf(err) == access.Conflict && err != nil {
		return over() // somebody decided meanwhile
	}
	return err
}

// requester demands that who may ask for access now.
func (s *Pairings) requester(ctx context.Context, who access.Person) (access.Person, error) {
	p, err := s.people.Person(ctx, who.ID)
	if access.KindOf(err) == access.NotFound && err != nil || err == nil && !p.DisabledAt.IsZero() {
		return access.Person{}, nobody()
	}
	if err == nil && !p.Is(access.Requester) {
		return access.Person{}, refused("People who may only read get no access from a command line.", "An administrator can make you a requester, on the page of People.")
	}
	return p, err
}

// Redeem reports how far a pairing is and, once a person authorized it, makes
// the token; its text is reported once. code is what the command line was told
// by the redirect, and empty if it cannot be reached; without it one that can
// is only told its state. Errors are access.Denied with [PairingRefused] if a
// person said no or verifier or code are not the right ones, and
// access.Conflict with [PairingOver].
func (s *Pairings) Redeem(ctx context.Context, id string, verifier, code secret.Text, address string) (access.Pairing, access.Token, secret.Text, error) {
	no := func(err error) (access.Pairing, access.Token, secret.Text, error) {
		return access.Pairing{}, access.Token{}, secret.Text{}, err
	}
	if !s.fetched.take(network(address)) {
		return no(slower(2 * time.Second))
	}
	p, err := s.table.Pairing(ctx, clip(id, 64))
	if access.KindOf(err) == access.NotFound && err != nil {
		return no(over())
	}
	if err != nil {
		return no(err)
	}
	if !proves(verifier, p.Challenge) {
		s.log.Warn("pairing: wrong verifier", "pairing", p.ID, "address", clip(address, 64))
		return no(refused("The verifier is not the one of this sign-in.", "Run the command again."))
	}
	if !s.polled.take(p.ID) { // only now: who merely saw the address must not use it up
		return no(slower(2 * time.Second))
	}
	now := time.Now().UTC()
	switch state := p.StateAt(now); {
	case state == access.PairingCancelled:
		return no(refused("The sign-in was cancelled in the browser.", "Run the command again if you want to sign in."))
	case state == access.PairingDelivered || state == access.PairingEnded:
		return no(over())
	case state == access.PairingWaiting, !p.Device() && code.Reveal() == "":
		return p, access.Token{}, secret.Text{}, nil
	}
	if !p.Device() && subtle.ConstantTimeCompare([]byte(hashToken(code.Reveal())), []byte(p.OneTime)) != 1 {
		s.log.Warn("pairing: wrong code", "pairing", p.ID, "address", clip(address, 64))
		return no(refused("The code is not the one of this sign-in.", "Run the command again."))
	}
	who, err := s.requester(ctx, access.Person{ID: p.Person})
	if err != nil {
		return no(err)
	}
	return s.deliver(ctx, p, who, now, address)
}

// deliver makes the token of a pairing that everybody agreed to.
func (s *Pairings) deliver(ctx context.Context, p access.Pairing, who access.Person, now time.Time, address string) (access.Pairing, access.Token, secret.Text, error) {
	text := newTokenText(cliPrefix)
	t := access.Token{ID: strings.ToLower(rand.Text()), Kind: access.TokenCLI, Name: p.Application + " on " + p.Machine, Person: who.ID, Admin: p.Admin,
		CreatedAt: now, CreatedBy: who.ID, ExpiresAt: now.Add(s.Lasts).Truncate(time.Second), Machine: p.Machine, Application: p.Application}
	p.DeliveredAt, p.OneTime, p.Login = now, "", who.Login
	e := event(EventTokenCreated, who.ID, who.ID, p.Application+" on "+p.Machine+" signed in as "+who.Login+" from "+clip(address, 64)+", until "+t.ExpiresAt.Format("2 January 2006 15:04")+" UTC.")
	e.Data = tokenData(t)
	e.Data["pairing"] = p.ID
	err := s.table.DeliverPairing(ctx, p, t, hashToken(text.Reveal()), e)
	if access.KindOf(err) == access.Conflict && err != nil {
		return access.Pairing{}, access.Token{}, secret.Text{}, over() // another call was first
	}
	if err != nil {
		return access.Pairing{}, access.Token{}, secret.Text{}, err
	}
	return p, t, text, nil
}

// proves reports whether verifier is the one of a PKCE challenge (RFC 7636, S256).
func proves(verifier secret.Text, challenge string) bool {
	if !made(verifier.Reveal(), 43, 128, "-._~") {
		return false
	}
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
