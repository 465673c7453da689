package login

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"jitney/cli/exit"
	"jitney/cli/keep"
)

const (
	mostAnswer = 64 << 10         // bytes of an answer
	longest    = 15 * time.Second // for one request
	lives      = 10 * time.Minute // a pairing, at most
)

var (
	errRefused = errors.New("login: refused")
	errGone    = errors.New("login: the pairing ended")
)

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// clientOf makes a client that follows no redirect: what is sent is secret.
func clientOf(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{}
	}
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Jar = nil
	return &own
}

// pair asks Jitney for a pairing and fills in what it answers, checked: the
// link must be one of Jitney itself, and nothing of it may surprise a
// terminal or a program that opens it.
func (a *attempt) pair(ctx context.Context, p *pending) error {
	challenge := sha256.Sum256([]byte(p.Verifier))
	machine := a.Machine
	if machine == "" {
		machine, _ = os.Hostname()
	}
	var answer struct {
		Pairing   string    `json:"pairing"`
		URL       string    `json:"url"`
		Code      string    `json:"code"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	h, err := a.post(ctx, "/api/v1/cli/pairings", "", map[string]any{
		"application": clip(a.Application, 60), "machine": clip(machine, 60), "tenant": clip(a.Tenant, 100),
		"user":  clip(cmp.Or(a.Env("USER"), a.Env("LOGNAME"), a.Env("USERNAME")), 60),
		"admin": p.Admin, "challenge": base64url(challenge[:]), "state": p.State, "port": p.Port,
	}, &answer)
	if err != nil {
		return a.told(err)
	}
	p.ID, p.URL, p.Code = answer.Pairing, answer.URL, answer.Code
	if !p.sane() {
		return a.odd("its answer makes no sense")
	}
	if from := originOf(p.URL); from != a.origin {
		return &exit.Error{Code: exit.Unreachable, Text: fmt.Sprintf("%s wants you to sign in at %s, which is not opened.", a.origin, cmp.Or(from, "an address that is none")),
			Hint: "If that is its right address, give it as --host."}
	}
	// The clocks of the two may differ, but hardly how fast they go.
	left := lives
	if date, err := http.ParseTime(h.Get("Date")); err == nil && answer.ExpiresAt.Sub(date) < lives {
		left = answer.ExpiresAt.Sub(date)
	}
	p.ExpiresAt = time.Now().Add(left)
	return nil
}

// sane reports whether what Jitney answered can be printed, opened and put
// into a path.
func (p pending) sane() bool {
	return made(p.ID, 100, "-_") && made(p.Code, 20, "-") && made(p.URL, 500, "-_.~:/%[]?=&")
}

// made reports whether s is of letters, digits and marks, and of a fit length.
func made(s string, most int, marks string) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(c rune) bool {
		return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune(marks, c)
	})
}

// originOf reports the origin of a link; "" if it is none.
func originOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.User != nil {
		return ""
	}
	origin, err := keep.Origin(u.Scheme + "://" + u.Host)
	if err != nil {
		return ""
	}
	return origin
}

// clip makes text of this computer fit to be sent.
func clip(s string, most int) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// given is what Jitney answers to one who asks for the token.
type given struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	Login     string    `json:"login"`
	State     string    `json:"state"` // without a token: waiting or authorized
}

// token checks what was given.
func (g given) token(admin bool) (keep.Token, error) {
	if !strings.HasPrefix(g.Token, "jcl_") || !made(g.Token, 1000, "-_.") || g.ExpiresAt.IsZero() {
		return keep.Token{}, exit.New(exit.Unreachable, "Jitney gave a token that is none.", "")
	}
	return keep.Token{Text: g.Token, ExpiresAt: g.ExpiresAt.UTC(), Login: clip(g.Login, 200), Admin: admin}, nil
}

// grace is how long an answer that may hold the token is waited for when the
// budget is over. It is given once.
const grace = 2 * time.Second

// beyond makes a context that ends when ctx is cancelled, but only some time
// after its deadline.
func beyond(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	at, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	longer, cancel := context.WithDeadline(context.WithoutCancel(ctx), at.Add(by))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return longer, func() { stop(); cancel() }
}

// fetch asks for the token of a pairing. Without a code, or with a wrong one,
// it reports how the pairing stands.
func (a *attempt) fetch(ctx context.Context, p pending, code string) (g given, err error) {
	ctx, cancel := beyond(ctx, grace)
	defer cancel()
	_, err = a.post(ctx, "/api/v1/cli/pairings/"+p.ID+"/token", "", map[string]any{"verifier": p.Verifier, "code": code}, &g)
	if r, ok := errors.AsType[*reply](err); ok {
		switch r.status {
		case http.StatusForbidden:
			return given{}, errors.Join(errRefused, r)
		case http.StatusGone, http.StatusNotFound:
			return given{}, errors.Join(errGone, r)
		}
	}
	if err != nil {
		return given{}, a.told(err)
	}
	return g, nil
}

// revoke ends a sign-in at Jitney. One that it does not know any more has
// ended.
func (a *attempt) revoke(ctx context.Context, t keep.Token) error {
	_, err := a.post(ctx, "/api/v1/logout", t.Text, nil, nil)
	if r, ok := errors.AsType[*reply](err); ok && r.status == http.StatusUnauthorized {
		return nil
	}
	return err
}

// A reply is an answer that is not what was asked for.
type reply struct {
	status       int
	Detail, Hint string
}

func (r *reply) Error() string { return fmt.Sprintf("login: status %d", r.status) }

// post sends JSON and reads the answer into out. An answer of another kind
// than 2xx is a *reply.
func (a *attempt) post(ctx context.Context, path, bearer string, in, out any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if in == nil {
		body = nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.origin+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > mostAnswer:
		return nil, a.odd("its answer is too long")
	case res.StatusCode/100 != 2:
		r := &reply{status: res.StatusCode}
		_ = json.Unmarshal(data, r) // what is no problem document says nothing more
		return nil, r
	case out == nil:
		return res.Header, nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return nil, a.odd("its answer is no JSON")
	}
	return res.Header, nil
}

func (a *attempt) odd(what string) error {
	return exit.New(exit.Unreachable, a.origin+" does not answer like Jitney: "+what+".", "Check --host.")
}

// told turns what went wrong with a request into words.
func (a *attempt) told(err error) error {
	if e, ok := errors.AsType[*exit.Error](err); ok {
		return e
	}
	r, ok := errors.AsType[*reply](err)
	if !ok {
		text, hint := a.origin+" cannot be reached.", "Check --host and your network, then repeat."
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			text, hint = "The certificate of "+a.origin+" is not trusted.", "Check --host, or have the certificate's authority trusted by this computer."
		}
		return &exit.Error{Code: exit.Unreachable, Text: text, Hint: hint, Err: err}
	}
	detail := clip(r.Detail, 300)
	switch {
	case r.status == http.StatusTooManyRequests || r.status >= 500:
		return &exit.Error{Code: exit.Unreachable, Text: cmp.Or(detail, a.origin+" cannot answer now."), Hint: cmp.Or(clip(r.Hint, 300), "Repeat in a minute."), Err: err}
	case r.status == http.StatusForbidden:
		return &exit.Error{Code: exit.Refused, Text: cmp.Or(detail, a.origin+" refuses the sign-in."), Hint: clip(r.Hint, 300), Err: err}
	case r.status == http.StatusUnprocessableEntity || r.status == http.StatusBadRequest:
		return &exit.Error{Code: exit.Failed, Text: cmp.Or(detail, a.origin+" does not take what it was asked."), Hint: clip(r.Hint, 300), Err: err}
	default:
		return a.odd(fmt.Sprintf("it says status %d", r.status))
	}
}
