package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"jitney/cli/cache"
	"jitney/cli/call"
	"jitney/cli/exit"
	"jitney/cli/keep"
	"jitney/cli/login"
)

const (
	// window is how long before the end of keys botocore asks for new ones, at
	// every signed request: keys with less left are of little use to it.
	window = 15 * time.Minute
	// hurried is how long a command that a program runs may take: the SDK for
	// Go kills it after a minute.
	hurried = 50 * time.Second
	// skewed is from what difference of clocks AWS soon refuses requests.
	skewed = 2 * time.Minute
	// longest is how long AWS lets keys live at most, whatever an answer says.
	longest = 12 * time.Hour
	// useful is how long kept keys must last if Jitney cannot be asked.
	useful = time.Minute
)

// An issuer finds keys for what a run asks.
type issuer struct{ *app }

// A kept session is an entry of the cache.
type kept struct {
	Origin  string        `json:"origin"`
	Issued  time.Time     `json:"issued"`
	Behind  time.Duration `json:"behind"` // by how much the clock here was behind Jitney's
	Session call.Session  `json:"session"`
}

// An outcome is what the process that held the lock was told, for those that
// waited for it.
type outcome struct {
	At   time.Time `json:"at"`
	Code int       `json:"code"`
	Text string    `json:"text"`
	Hint string    `json:"hint"`
}

// A subject is who last signed in at a Jitney; it holds no token.
type subject struct {
	Origin string `json:"origin"`
	Login  string `json:"login"`
}

// usable reports whether a session may still be handed out at now. Keys that
// are about to end are not, unless the grant ends with them: then nothing
// fresher can exist. Keys that never lived long are used for most of their
// life.
func (k kept) usable(now time.Time) bool {
	s := k.Session
	left := s.Expiration.Sub(now.Add(max(k.Behind, 0)))
	switch {
	case left <= 0 || k.Issued.After(now.Add(skewed)) || now.Sub(k.Issued) > longest:
		return false
	case left >= min(window, s.Expiration.Sub(k.Issued)/3):
		return true
	default:
		return !s.GrantEnds.IsZero() && !s.Expiration.Before(s.GrantEnds.Add(-time.Second))
	}
}

// session finds keys for what the settings ask: kept ones, else new ones by
// one request. Of processes at the same time one asks, and the others get what
// it got.
func (a issuer) session(ctx context.Context) (kept, error) {
	if err := a.s.scope(); err != nil {
		return kept{}, err
	}
	a.warnOfToken()
	if !a.s.noCache {
		if k, ok := a.load(); ok && k.usable(a.now()) {
			a.mask(k.Session)
			return k, nil
		}
	}
	if a.isHurried() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, hurried)
		defer cancel()
	}
	if a.s.noCache {
		return a.issue(ctx, false)
	}
	return a.fresh(ctx)
}

// isHurried reports whether a program waits for the command, which would not
// wait for long.
func (a *app) isHurried() bool {
	return a.words[len(a.words)-1] == "aws" && !a.atTerminal()
}

// fresh is session when nothing usable is kept.
func (a issuer) fresh(ctx context.Context) (kept, error) {
	began := a.now()
	lockKey := a.key("lock", a.credential())
	unlock, err := a.cache.Lock(ctx, lockKey)
	if err != nil {
		return kept{}, exit.New(exit.Login, "Another jitney is still waiting for the sign-in.", "Finish it in the browser, then repeat.")
	}
	defer unlock()
	// Whoever held the lock before has perhaps got what this call wants.
	if k, ok := a.load(); ok && k.usable(a.now()) {
		a.mask(k.Session)
		return k, nil
	}
	if err := a.told(lockKey, began); err != nil {
		return kept{}, err
	}
	old, hadOld := a.load()
	k, err := a.issue(ctx, false)
	switch code := exit.Code(err); {
	case err == nil:
		a.keep(k)
	case code == exit.Unreachable && hadOld && old.Session.Expiration.Sub(a.now()) >= useful:
		a.note("%s These keys are kept ones and last until %s.", err, clock(old.Session.Expiration))
		return old, nil
	case code == exit.Login && !errors.Is(err, login.ErrPending), code == exit.Refused, code == exit.NotFound, code == exit.Ended:
		a.cache.Delete(a.entryKey())
		if code == exit.Ended {
			a.forgetGrant(cmp.Or(a.s.grant, old.Session.Grant))
		}
		a.tell(lockKey, err)
	case err != nil:
		a.tell(lockKey, err)
	}
	return k, err
}

// forgetGrant deletes the keys of a grant that is over, by whatever name they
// were asked for: AWS denies them.
func (a issuer) forgetGrant(id string) {
	a.cache.Each(func(data []byte) bool {
		var k kept
		return id != "" && json.Unmarshal(data, &k) == nil && k.Origin == a.s.origin && k.Session.Grant == id
	})
}

// issue asks Jitney for a session.
func (a issuer) issue(ctx context.Context, console bool) (kept, error) {
	client := call.New(a.s.origin, "jitney/"+a.Version)
	ask := a.ask(console)
	var s call.Session
	var answer call.Answer
	err := a.signedInFor(ctx, func(token string) (call.Answer, error) {
		var err error
		s, answer, err = client.Issue(ctx, token, ask)
		return answer, err
	})
	if err != nil {
		return kept{}, err
	}
	now := a.now()
	if err := a.check(s, answer); err != nil {
		return kept{}, err
	}
	skew := skewOf(answer, now)
	if err := a.clocks(s, skew, now); err != nil {
		return kept{}, err
	}
	a.mask(s)
	for _, n := range s.Notices {
		a.note("%s", call.Clean(n))
	}
	return kept{Origin: a.s.origin, Issued: now, Behind: -skew, Session: s}, nil
}

// signedInFor makes one request with a token. A sign-in that is over is renewed
// once, and the request repeated.
func (a issuer) signedInFor(ctx context.Context, request func(token string) (call.Answer, error)) error {
	token, err := a.token(ctx)
	if err != nil {
		return err
	}
	answer, err := request(token.Text)
	if answer.Status != 401 || a.s.token != "" {
		return err
	}
	if token, err = a.renew(ctx, a.loginRequest(), token); err != nil {
		return err
	}
	a.remember(token)
	_, err = request(token.Text)
	return err
}

// skewOf is by how much the clock here is ahead of Jitney's; 0 if that cannot
// be told from a header that holds whole seconds.
func skewOf(answer call.Answer, now time.Time) time.Duration {
	if answer.Date.IsZero() {
		return 0
	}
	if skew := now.Sub(answer.Date); skew.Abs() > 3*time.Second+answer.Took {
		return skew
	}
	return 0
}

func (a issuer) ask(console bool) call.Ask {
	machine, _ := os.Hostname()
	s := a.s
	ask := call.Ask{Tenant: s.tenant, TenantID: s.tenantID, Admin: s.admin, Grant: s.grant, Minutes: s.minutes,
		Ticket: s.ticket, Reason: s.reason, Machine: machine, Application: a.program}
	if s.tenantID != "" {
		ask.Tenant = ""
	}
	if console {
		ask.Console, ask.Destination, ask.Region, ask.LogoutFirst = true, s.destination, s.region, s.logoutFirst
	}
	return ask
}

// check refuses an answer that is not what was asked for, whatever the reason.
func (a issuer) check(s call.Session, answer call.Answer) error {
	if answer.Status == 202 || s.State == "pending" {
		return exit.New(exit.Failed, "The grant waits for approval.", "See "+call.Clean(cmp.Or(s.Page, a.s.origin))+" and repeat once it is approved.")
	}
	strange := func(why string) error {
		return exit.New(exit.Unreachable, "The answer of Jitney is not used: "+why+".", "This should not happen; tell who runs Jitney.")
	}
	switch {
	case s.AccessKeyID == "" || s.SecretAccessKey == "" || s.SessionToken == "" || s.Expiration.IsZero():
		return strange("keys are missing")
	case strings.ContainsFunc(s.AccessKeyID+s.SecretAccessKey+s.SessionToken, func(c rune) bool { return c <= ' ' || c > '~' }):
		return strange("its keys are no keys")
	case a.s.admin && s.Scope != "admin":
		return strange("it is for a tenant, not for the account")
	case !a.s.admin && (a.s.tenant != "" || a.s.tenantID != "") && s.Scope == "admin":
		return strange("it is for the whole account, not for a tenant")
	case a.s.tenantID != "" && s.TenantID != a.s.tenantID,
		a.s.tenantID == "" && a.s.tenant != "" && !strings.EqualFold(s.Tenant, a.s.tenant) && s.TenantID != a.s.tenant:
		return strange("it is for another tenant")
	}
	return nil
}

// clocks compares the clock of this computer with Jitney's, and says in words
// what AWS would say in codes.
func (a issuer) clocks(s call.Session, skew time.Duration, now time.Time) error {
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	said := fmt.Sprintf("The clock of this computer is %s %s Jitney's.", span(skew.Abs()), direction)
	switch {
	case skew.Abs() > skewed && !s.Expiration.After(now):
		return exit.New(exit.Failed, said+" By it these keys are over already.", "Set the clock; AWS refuses requests that are more than 5 minutes off.")
	case !s.Expiration.After(now):
		return exit.New(exit.Ended, "The grant is over.", "")
	case skew.Abs() > skewed:
		a.note("%s Set it: AWS refuses requests that are more than 5 minutes off.", said)
	}
	return nil
}

// span is a length of time in words.
func span(d time.Duration) string {
	if d < time.Hour {
		return fmt.Sprintf("%d min", int(d.Round(time.Minute)/time.Minute))
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %d min", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

func clock(t time.Time) string { return t.Local().Format("15:04:05") }

// token is the API token that was given, else that of a sign-in.
func (a *app) token(ctx context.Context) (keep.Token, error) {
	if a.s.token != "" {
		return keep.Token{Text: a.s.token}, nil
	}
	t, err := a.signIn(ctx, a.loginRequest())
	if err == nil {
		a.remember(t)
	}
	return t, err
}

func (a *app) loginRequest() login.Request {
	port, _ := strconv.Atoi(a.s.port)
	r := login.Request{Host: a.s.origin, Application: a.program, Tenant: cmp.Or(a.s.tenant, a.s.tenantID), Admin: a.s.admin,
		Port: port, Browser: a.s.browser, NoBrowser: a.s.noBrowser, Device: a.s.device, Err: a.Err, Env: a.env.get}
	r.Machine, _ = os.Hostname()
	if a.isHurried() {
		r.Budget = hurried - 2*time.Second
	}
	return r
}

// credential names the token, without holding it: what was issued to one is
// not handed to another. A sign-in is named by who signed in, "" if unknown.
func (a issuer) credential() string {
	if a.s.token != "" {
		return "token " + cache.Key(a.s.token)
	}
	return "sign-in"
}

// entryKey is under what name the session is kept, or "" if it is not known
// who is signed in.
func (a issuer) entryKey() string {
	if a.s.token != "" {
		return a.key("session", a.credential())
	}
	who := a.subject()
	if who.Login == "" {
		return ""
	}
	return a.key("session", a.credential(), who.Login)
}

// subject reports who is kept as signed in; nobody if that is not known.
func (a *app) subject() (who subject) {
	data, ok := a.cache.Get(a.whoKey())
	if !ok || json.Unmarshal(data, &who) != nil || who.Origin != a.s.origin {
		return subject{}
	}
	return who
}

func (a issuer) key(kind string, who ...string) string {
	s := a.s
	return cache.Key(append([]string{kind, "1", s.origin, s.tenant, s.tenantID, strconv.FormatBool(s.admin), s.grant, strconv.Itoa(s.minutes), s.ticket}, who...)...)
}

// remember keeps who is signed in, so that the next call finds what is kept
// without asking the keyring.
func (a *app) remember(t keep.Token) {
	if t.Login == "" {
		return
	}
	if a.s.noCache { // writes nothing, but what is kept of somebody else must not be found from now on
		if who := a.subject(); who.Login != t.Login {
			a.cache.Delete(a.whoKey())
		}
		return
	}
	if data, err := json.Marshal(subject{Origin: a.s.origin, Login: t.Login}); err == nil {
		a.cache.Put(a.whoKey(), data)
	}
}

func (a issuer) load() (k kept, ok bool) {
	key := a.entryKey()
	if key == "" {
		return k, false
	}
	data, ok := a.cache.Get(key)
	if !ok || json.Unmarshal(data, &k) != nil || k.Origin != a.s.origin || k.Session.AccessKeyID == "" {
		return kept{}, false
	}
	return k, true
}

// keep puts a session into the cache, never with an address of the console.
func (a issuer) keep(k kept) {
	key := a.entryKey()
	if key == "" || k.Behind.Abs() > skewed { // who trusts that clock hands out keys that are over
		return
	}
	k.Session.ConsoleURL, k.Session.Notices = "", nil
	if data, err := json.Marshal(k); err == nil {
		a.cache.Put(key, data)
	}
}

// tell leaves a refusal to those that wait for the lock.
func (a issuer) tell(lockKey string, err error) {
	o := outcome{At: a.now(), Code: exit.Code(err)}
	if e, ok := errors.AsType[*exit.Error](err); ok {
		o.Text, o.Hint = e.Text, e.Hint
		if data, err := json.Marshal(o); err == nil {
			a.cache.Put(lockKey, data)
		}
	}
}

// told reports the refusal that whoever held the lock got since began.
func (a issuer) told(lockKey string, began time.Time) error {
	var o outcome
	data, ok := a.cache.Get(lockKey)
	if !ok || json.Unmarshal(data, &o) != nil || o.At.Before(began) || o.At.After(a.now()) || o.Text == "" {
		return nil
	}
	return &exit.Error{Code: o.Code, Text: o.Text, Hint: o.Hint}
}
