package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"jitney/cli/cache"
	"jitney/cli/call"
	"jitney/cli/exit"
	"jitney/cli/keep"
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
	if others, err := a.signedIn(); err != nil {
		return err
	} else if others != nil {
		return a.whichHost(others, "You are not signed in anywhere.")
	}
	a.forgetKeys()
	was, err := login.Forget(ctx, a.loginRequest())
	switch {
	case err != nil:
		return err
	case !was:
		return a.message(fmt.Sprintf("You were not signed in at %s.", a.s.origin))
	}
	return a.message(fmt.Sprintf("Signed out at %s. Keys that were issued already last until their end; to end them now, end the grant.", a.s.origin))
}

// signedIn finds the address of Jitney: the one that was given, else the only
// one at which somebody is signed in. Otherwise it reports all of those, which
// may be none. A token that was given goes nowhere but where it was meant for.
func (a *app) signedIn() (others []keep.SignIn, err error) {
	if a.s.host == "" && a.s.token == "" {
		all := keep.Open(a.env.get).SignIns(a.now())
		if len(all) != 1 {
			return append([]keep.SignIn{}, all...), nil
		}
		a.s.host = all[0].Host
	}
	return nil, a.s.address()
}

// whichHost lists at which of several somebody is signed in.
func (a *app) whichHost(all []keep.SignIn, none string) error {
	if len(all) == 0 {
		return a.message(none)
	}
	var hosts []string
	for _, one := range all {
		hosts = append(hosts, fmt.Sprintf("%s (%s)", one.Host, call.Clean(one.Login)))
	}
	return exit.New(exit.Usage, "You are signed in at several: "+strings.Join(hosts, ", ")+".", "Say which with --host.")
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
	if others, err := a.signedIn(); err != nil {
		return err
	} else if others != nil {
		return a.listSignIns(others)
	}
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

// listSignIns lists where somebody is signed in.
func (a *app) listSignIns(all []keep.SignIn) error {
	if len(all) == 0 {
		return exit.New(exit.Login, "You are not signed in anywhere.", "Run jitney login --host with the address of Jitney.")
	}
	if a.s.output != "" || a.s.query != "" {
		return show.Print(a.Out, all, a.s.output, a.s.query)
	}
	var b strings.Builder
	for _, one := range all {
		fmt.Fprintf(&b, "%s at %s, until %s\n", call.Clean(one.Login), one.Host, one.ExpiresAt.UTC().Format(time.RFC3339))
	}
	_, err := fmt.Fprint(a.Out, b.String())
	return err
}

// whoKey is under what name it is kept who is signed in.
func (a *app) whoKey() string { return cache.Key("who", a.s.origin) }
