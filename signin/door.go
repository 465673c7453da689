package signin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"jitney/access"
	"jitney/secret"
)

// The kinds of event about signing in.
const (
	EventSignedIn        = "person.signed_in"
	EventSignedOut       = "person.signed_out"
	EventSignInFailed    = "person.sign_in_failed"
	EventPasswordSet     = "person.password_set"     // by an administrator
	EventPasswordChanged = "person.password_changed" // by the person
	EventSessionsEnded   = "person.sessions_ended"
	EventFirstPerson     = "person.first"
	EventLinked          = "person.linked"   // to an account at a provider of identities
	EventUnlinked        = "person.unlinked" // from all of them
)

// Config is what a Door needs.
type Config struct {
	People   People
	Sessions Sessions
	Settings Settings
	Log      Log
	// Tokens keeps the sign-ins of command lines, which end when all sessions of
	// a person are ended; nil if there are none.
	Tokens TokenTable
	// Pairings are those that a person authorized and no command line fetched
	// yet: they end likewise; nil if there are none.
	Pairings Voider
	Logger   *slog.Logger
	// HTTPS says that visitors come over https, also where a proxy ends it. The
	// cookie is then a __Host- cookie; without it, only loopback is safe.
	HTTPS bool
	// NoPasswords says that people come by a [Provider] only.
	NoPasswords bool
	// Lasts is how long a session lasts at most; zero means [Lifetime].
	Lasts time.Duration
	// Address reports the address of a visitor; nil takes the connection's. Behind
	// a proxy it must be told where the proxy writes it.
	Address func(*http.Request) string
}

// A Door lets people in. It is safe for concurrent use.
type Door struct {
	people   People
	sessions Sessions
	settings Settings
	records  Log
	tokens   TokenTable
	pairings Voider
	log      *slog.Logger
	address  func(*http.Request) string
	shut     bool // to passwords

	manager *scs.SessionManager
	hasher  *hasher
	limits  *limits
	settled atomic.Bool // somebody is there, and that stays so
}

// New returns a Door.
func New(c Config) *Door {
	return newDoor(c, cost{hashMemory, hashPasses, hashLanes})
}

func newDoor(c Config, hashing cost) *Door {
	d := &Door{people: c.People, sessions: c.Sessions, settings: c.Settings, records: c.Log, tokens: c.Tokens, pairings: c.Pairings, log: c.Logger,
		address: c.Address, shut: c.NoPasswords, hasher: newHasher(hashing), limits: newLimits()}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.address == nil {
		d.address = remote
	}
	d.manager = newManager(kept{c.Sessions}, c.HTTPS, c.Lasts, d.fail)
	return d
}

func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// fail answers where a session could not be read or stored.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		d.log.Error("session", "err", err)
	}
	w.Header().Set("Retry-After", "5")
	http.Error(w, "Jitney cannot read or store sessions at the moment. Try again in a few seconds.", http.StatusServiceUnavailable)
}

// Load makes the session of a request available to the other methods through
// the context, and stores its last use, unless nobody but a script asked.
func (d *Door) Load(next http.Handler) http.Handler {
	inner := d.manager.LoadAndSave(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{address: clip(d.address(r), 64), browser: clip(r.UserAgent(), maxBrowser), passive: passive(r)}
		inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	})
}

// passive reports whether a page fetches by itself, and nobody did anything:
// a stream of events, a part of a page that a script renews, or something
// fetched ahead. An open page must not keep a session alive for ever. Whoever
// claims this without need only shortens their own session.
func passive(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream") || r.Header.Get("HX-Request") != "" ||
		r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") == "prefetch"
}

func nobody() error {
	return &access.Error{Kind: access.Denied, Text: "You are not signed in.", Hint: "Sign in, then try again."}
}

// Who reports the person who is signed in, as stored now; access.Denied if
// nobody is, or the person was disabled. A request that lasts, such as a
// stream, may call it again: a session that was ended meanwhile is noticed
// within ten seconds.
func (d *Door) Who(ctx context.Context) (access.Person, error) {
	v := visitOf(ctx)
	if v.session.Person == "" {
		return access.Person{}, nobody()
	}
	if time.Since(v.checked) > checkAgain {
		s, err := d.sessions.Session(ctx, v.session.Key)
		if access.KindOf(err) == access.NotFound || err == nil && !time.Now().Before(s.ExpiresAt) {
			return access.Person{}, nobody()
		}
		if err != nil {
			return access.Person{}, err
		}
		v.checked = time.Now()
	}
	p, err := d.people.Person(ctx, v.session.Person)
	if access.KindOf(err) == access.NotFound || err == nil && !p.DisabledAt.IsZero() {
		return access.Person{}, nobody()
	}
	return p, err
}

// wrong is the one answer to a login and password that let nobody in, whatever
// the reason is.
func wrong() error {
	return &access.Error{Kind: access.Denied, Text: "Sign-in name and password do not fit.",
		Hint: "Check both. If you do not know your password, ask an administrator to set a new one."}
}

func tooMany(err error) error {
	return &access.Error{Kind: access.Unavailable, Text: "There were too many tries.", Hint: "Wait a minute, then try again.", Err: err}
}

// In signs a person in with a password, in a new session. It is access.Denied
// if login and password do not fit, or passwords let nobody in here, and
// access.Unavailable after too many tries. It takes the same time whether or not there is such a person.
func (d *Door) In(r *http.Request, login string, password secret.Text) error {
	ctx, login := r.Context(), strings.TrimSpace(login)
	if d.shut {
		return &access.Error{Kind: access.Denied, Text: "Passwords let nobody in here.", Hint: "Go back, and sign in with the button."}
	}
	if login == "" || len(login) > maxLogin || len(password.Reveal()) > maxPassword {
		return wrong()
	}
	address := network(d.address(r))
	if !d.limits.allow(strings.ToLower(login), address) {
		d.log.Warn("sign-in refused: too many tries", "address", address)
		return tooMany(nil)
	}
	p, err := d.check(ctx, login, password)
	if err != nil {
		if access.KindOf(err) == access.Denied {
			err = errors.Join(err, d.recordFailure(ctx, p, address))
		}
		return err
	}
	d.limits.welcome(strings.ToLower(login), address)
	return d.Enter(r, p.ID, "password")
}

// check reports the person whom login and password fit. With access.Denied the
// person is the one of that login, if there is one.
func (d *Door) check(ctx context.Context, login string, password secret.Text) (access.Person, error) {
	p, hash, err := d.people.ByLogin(ctx, login)
	if err != nil && access.KindOf(err) != access.NotFound {
		return access.Person{}, err
	}
	fits, outdated, err := d.hasher.Check(ctx, hash, password)
	if err != nil {
		if errors.Is(err, errBusy) {
			return access.Person{}, tooMany(err)
		}
		return access.Person{}, err
	}
	if !fits || !p.DisabledAt.IsZero() {
		return p, wrong()
	}
	if outdated {
		d.renewHash(ctx, p, password)
	}
	return p, nil
}

// renewHash stores a hash of the present cost. If that fails the old one stays
// good. That other sessions end is the price of a rare event.
func (d *Door) renewHash(ctx context.Context, p access.Person, password secret.Text) {
	hash, err := d.hasher.Hash(ctx, password)
	if err == nil {
		err = d.people.SetPassword(ctx, p.ID, hash, visitOf(ctx).session.Key)
	}
	if err != nil {
		d.log.Warn("password hash not renewed", "person", p.ID, "err", err)
	}
}

// recordFailure records a failed sign-in of a person who exists, a few times a
// minute at most. What was typed is never recorded: it may be a password.
func (d *Door) recordFailure(ctx context.Context, p access.Person, address string) error {
	d.log.Warn("sign-in failed", "person", p.ID, "address", address)
	if p.ID == "" || !d.limits.trouble.take(p.ID) {
		return nil
	}
	return d.records.Write(ctx, event(EventSignInFailed, p.ID, p.ID, "A sign-in as "+p.Login+" from "+address+" failed."))
}

// Enter signs in a person whose identity is established, in a new session; how
// says by what, such as "password". It is the one way in. It is access.Denied
// if the person is disabled.
func (d *Door) Enter(r *http.Request, personID, how string) error {
	ctx := r.Context()
	p, err := d.people.Person(ctx, personID)
	if access.KindOf(err) == access.NotFound || err == nil && !p.DisabledAt.IsZero() {
		return wrong()
	}
	if err != nil {
		return err
	}
	// A new token, so that nobody knows it who knew the one before.
	if err := d.manager.RenewToken(ctx); err != nil {
		return err
	}
	v := visitOf(ctx)
	v.session = access.Visit{}
	v.begun = []access.Event{event(EventSignedIn, p.ID, p.ID, "Signed in by "+how+" from "+v.address+".")}
	d.manager.Put(ctx, personKey, p.ID)
	_, _, err = d.manager.Commit(ctx) // now, so that a failure is an error and not half a page
	return err
}

// Out ends the session.
func (d *Door) Out(ctx context.Context) error {
	v := visitOf(ctx)
	if v.session.Person == "" {
		return nil
	}
	e := event(EventSignedOut, v.session.Person, v.session.Person, "Signed out.")
	if err := d.sessions.EndSession(ctx, v.session.Key, e); err != nil {
		return err
	}
	v.session = access.Visit{}
	return d.manager.Destroy(ctx)
}

// event makes an event that happens now; actor is a person's ID or "jitney".
func event(kind, actor, subject, text string) access.Event {
	return access.Event{At: time.Now().UTC(), Kind: kind, Actor: actor, Subject: subject, Text: text}
}
