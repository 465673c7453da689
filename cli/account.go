package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"jitney/cli/cache"
	"jitney/cli/call"
	"jitney/cli/login"
	"jitney/cli/show"
)

// signIn signs in, unless a sign-in is kept that will do.
func signIn(ctx context.Context, a *app) error {
	if a.s.token != "" {
		a.note("A token is set (%s); commands use it instead of this sign-in, unless they have --interactive.", tokenPlace(a.s))
	}
	t, err := a.signIn(ctx, a.loginRequest())
	if err != nil {
		return err
	}
	a.remember(t)
	scope := "tenants"
	if t.Admin {
		scope = "tenants and admin"
	}
	return a.message(fmt.Sprintf("Signed in at %s as %s until %s, for %s.", a.s.origin, call.Clean(t.Login), t.ExpiresAt.Local().Format("2006-01-02 15:04"), scope))
}

func tokenPlace(s settings) string {
	switch {
	case s.fromLine != "":
		return call.Clean(s.fromLine)
	case s.tokenFile != "":
		return "in " + call.Clean(s.tokenFile)
	default:
		return "in the environment"
	}
}

// signOut revokes the sign-in, and forgets it and all keys that it got.
func signOut(ctx context.Context, a *app) error {
	a.forgetKeys()
	if err := login.Forget(ctx, a.loginRequest()); err != nil {
		return err
	}
	return a.message(fmt.Sprintf("Signed out at %s. Keys that were issued already last until their end; to end them now, end the grant.", a.s.origin))
}

// forgetKeys deletes everything that is kept of this Jitney.
func (a *app) forgetKeys() {
	a.cache.Each(func(data []byte) bool {
		var k kept
		return json.Unmarshal(data, &k) == nil && k.Origin == a.s.origin
	})
}

// whoami asks whose token it is.
func whoami(ctx context.Context, a *app) error {
	token, err := a.token(ctx)
	if err != nil {
		return err
	}
	me, err := call.New(a.s.origin, "jitney/"+a.Version).Me(ctx, token.Text)
	if err != nil {
		return err
	}
	if a.s.output != "" || a.s.query != "" {
		return show.Print(a.Out, me, a.s.output, a.s.query)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s", call.Clean(me.Person.Login))
	if me.Person.Name != "" {
		fmt.Fprintf(&b, " (%s)", call.Clean(me.Person.Name))
	}
	fmt.Fprintf(&b, " at %s\n", a.s.origin)
	what := "a sign-in of this command line"
	if me.Token.Kind == "api" {
		what = fmt.Sprintf("API token %q", call.Clean(me.Token.Name))
	}
	tenants := "all your tenants"
	if me.Token.Tenants != nil {
		tenants = "tenants " + call.Clean(strings.Join(me.Token.Tenants, ", "))
	}
	if me.Token.Admin {
		tenants += " and admin"
	}
	fmt.Fprintf(&b, "by %s, for %s, until %s\n", what, tenants, me.Token.ExpiresAt.UTC().Format(time.RFC3339))
	_, err = fmt.Fprint(a.Out, b.String())
	return err
}

// whoKey is under what name it is kept who is signed in.
func (a *app) whoKey() string { return cache.Key("who", a.s.origin) }
