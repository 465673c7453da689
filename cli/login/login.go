// Package login signs a command line in at Jitney, by way of the browser of
// whoever runs it. It proves with PKCE that the one who asked is the one who
// is answered, listens on 127.0.0.1 only, never has a token in a URL, on a
// command line or on the screen, opens no link but one of the very host, and
// never waits longer than its budget: what is unfinished is continued by the
// next call.
package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"jitney/cli/exit"
	"jitney/cli/keep"
)

const (
	patient = 5 * time.Minute  // at a terminal
	hurried = 50 * time.Second // for a program: the SDK for Go kills credential_process after a minute
	unseen  = 5 * time.Second  // if nobody can see what to do before the call ends
)

// ErrPending is the cause of the error that says that the sign-in waits for
// somebody to finish it; its exit code is exit.Login.
var ErrPending = errors.New("login: pending")

// A Request says where to sign in, as what, and how. Host is needed; the rest
// has a usual value.
type Request struct {
	Host        string              // as keep.Origin takes it
	Application string              // shown on the page; "jitney" if empty
	Machine     string              // shown on the page; the name of the host if empty
	Tenant      string              // shown on the page: what it was first asked for
	Admin       bool                // the token must be good for admin scope
	Port        int                 // to listen on; 0 for any
	Browser     string              // program to open links with; empty for the usual one
	NoBrowser   bool                // print the link only
	Device      bool                // type a code in a browser that may be anywhere
	Budget      time.Duration       // 0: five minutes at a terminal, else 50 seconds
	Err         io.Writer           // where the link and the code are printed; os.Stderr if nil
	Client      *http.Client        // how Jitney is reached
	Store       *keep.Store         // where tokens are kept
	Dir         string              // folder for the unfinished sign-in and the lock; keep.Dir if empty
	Env         func(string) string // os.Getenv if nil

	poll   time.Duration                          // how often Jitney is asked; 0 for the usual
	launch func(argv []string, link string) error // launch if nil
}

// An attempt is a request with everything that it left open decided.
type attempt struct {
	Request
	origin string
	folder keep.Folder
	began  time.Time
	client *http.Client
}

// Token reports a token for a host: the kept one if it is good, else that of a
// sign-in, which it keeps. Of calls at the same time one signs in, and the
// others wait for it. Errors are *exit.Error.
func Token(ctx context.Context, r Request) (keep.Token, error) {
	return obtain(ctx, r, "")
}

// Renew reports a token other than the one that Jitney rejected with status
// 401: one that another call got meanwhile, else that of a new sign-in.
func Renew(ctx context.Context, r Request, rejected keep.Token) (keep.Token, error) {
	return obtain(ctx, r, rejected.Text)
}

// Kept reports the token that is kept for a host, if it is good; it asks nobody.
func Kept(r Request) (t keep.Token, ok bool) {
	a, err := r.attempt()
	if err != nil {
		return t, false
	}
	t, err = a.Store.Get(a.origin)
	return t, err == nil && t.Good(time.Now(), a.Admin)
}

// Forget revokes the kept sign-in and deletes it, and what is unfinished, and
// reports whether there was one. What cannot be revoked is deleted all the same,
// and the error says so.
func Forget(ctx context.Context, r Request) (was bool, err error) {
	a, err := r.attempt()
	if err != nil {
		return false, err
	}
	t, kept := a.Store.Get(a.origin)
	if err := errors.Join(a.Store.Delete(a.origin), a.folder.Remove(a.pendingFile())); err != nil {
		return true, err
	}
	if errors.Is(kept, keep.ErrNone) {
		return false, nil
	}
	if kept == nil {
		if kept = a.revoke(ctx, t); kept == nil {
			return true, nil
		}
	}
	until := ""
	if !t.ExpiresAt.IsZero() {
		until = " until " + t.ExpiresAt.Local().Format("2006-01-02 15:04")
	}
	return true, &exit.Error{Code: exit.Unreachable, Err: kept,
		Text: "You are signed out here, but " + a.origin + " could not be told: the sign-in stays valid there" + until + ".",
		Hint: "To end it now, revoke it on the page API tokens."}
}

// attempt decides what r leaves open.
func (r Request) attempt() (*attempt, error) {
	a := &attempt{Request: r, began: time.Now()}
	var err error
	if a.origin, err = keep.Origin(r.Host); err != nil {
		return nil, err
	}
	if a.Env == nil {
		a.Env = os.Getenv
	}
	if a.folder = keep.Folder(r.Dir); r.Dir == "" {
		if a.folder, err = keep.Dir(a.Env); err != nil {
			return nil, err
		}
	}
	if a.Store == nil {
		a.Store = keep.Open(a.Env)
	}
	if a.Err == nil {
		a.Err = os.Stderr
	}
	if a.Budget <= 0 {
		a.Budget = hurried
		if isatty.IsTerminal(os.Stdout.Fd()) {
			a.Budget = patient
		}
	}
	if a.launch == nil {
		a.launch = launch
	}
	a.client = clientOf(r.Client)
	a.Application = cmp.Or(a.Application, "jitney")
	return a, nil
}

// obtain finds a token whose text is not rejected.
func obtain(ctx context.Context, r Request, rejected string) (keep.Token, error) {
	a, err := r.attempt()
	if err != nil {
		return keep.Token{}, err
	}
	if t, err := a.kept(rejected); err != nil || t.Text != "" {
		return t, err
	}
	ctx, cancel := context.WithDeadline(ctx, a.began.Add(a.Budget))
	defer cancel()
	unlock, err := a.lock(ctx)
	if err != nil {
		return keep.Token{}, err
	}
	defer unlock()
	// Whoever held the lock has perhaps signed in meanwhile, or was refused.
	if t, err := a.kept(rejected); err != nil || t.Text != "" {
		return t, err
	}
	if rejected != "" {
		if err := a.Store.Delete(a.origin); err != nil {
			return keep.Token{}, err
		}
	}
	return a.signIn(ctx)
}

// kept reports the kept token if it is good, else none.
func (a *attempt) kept(rejected string) (keep.Token, error) {
	t, err := a.Store.Get(a.origin)
	switch {
	case errors.Is(err, keep.ErrNone):
		return keep.Token{}, nil
	case errors.Is(err, keep.ErrBroken):
		a.say("%s You need to sign in again.", err)
		return keep.Token{}, nil
	case err != nil:
		return keep.Token{}, err
	case !t.Good(time.Now(), a.Admin) || t.Text == rejected:
		return keep.Token{}, nil
	}
	return t, nil
}

// say prints a line for the person.
func (a *attempt) say(format string, args ...any) {
	fmt.Fprintf(a.Err, format+"\n", args...)
}

// stillPending is what a call says that ends before the sign-in.
func (a *attempt) stillPending(p pending) error {
	text := "Sign-in pending: finish it in the browser, then repeat."
	if p.Device {
		text = fmt.Sprintf("Sign-in pending: open %s and type %s, then repeat.", p.URL, p.Code)
	}
	return &exit.Error{Code: exit.Login, Text: text, Err: ErrPending}
}

// cancelled is what a call says after somebody pressed Cancel.
func cancelled() error {
	return exit.New(exit.Refused, "You pressed Cancel: the sign-in was not authorized.", "")
}

// refusal is what a call says that Jitney refuses the token.
func refusal(err error) error {
	if r, ok := errors.AsType[*reply](err); ok && r.Detail != "" {
		return &exit.Error{Code: exit.Refused, Text: clip(r.Detail, 300), Hint: clip(r.Hint, 300), Err: err}
	}
	return cancelled()
}
