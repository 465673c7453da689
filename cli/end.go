package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"jitney/cli/call"
	"jitney/cli/exit"
	"jitney/cli/show"
)

// endAccess ends early what the person has where the settings lead, and
// forgets the keys that are kept of it.
func endAccess(ctx context.Context, a *app) error {
	if err := a.s.scope(); err != nil {
		return err
	}
	i := issuer{a}
	i.warnOfToken()
	machine, _ := os.Hostname()
	ask := call.EndAsk{Tenant: a.s.tenant, TenantID: a.s.tenantID, Admin: a.s.admin, Grant: a.s.grant, Machine: machine, Application: a.program}
	if a.s.tenantID != "" {
		ask.Tenant = ""
	}
	client := call.New(a.s.origin, "jitney/"+a.Version)
	var all []call.Ended
	err := i.signedInFor(ctx, func(token string) (answer call.Answer, err error) {
		all, answer, err = client.End(ctx, token, ask)
		return answer, err
	})
	old, _ := i.load()
	switch code := exit.Code(err); code {
	case exit.OK:
		for _, one := range all {
			i.forgetGrant(one.Grant)
		}
	case exit.NotFound, exit.Ended: // what is kept is of no use any more
		i.forgetGrant(cmp.Or(a.s.grant, old.Session.Grant))
		return err
	default:
		return err
	}
	if len(all) == 0 {
		return exit.New(exit.Unreachable, "The answer of Jitney is not used: it does not say what was ended.", "This should not happen; tell who runs Jitney.")
	}
	return sayEnded(a, all)
}

func sayEnded(a *app, all []call.Ended) error {
	var lines []string
	for _, one := range all {
		text := "Ended. AWS denies its keys and consoles within seconds, perhaps a minute or two; see " + call.Clean(one.Page) + "."
		if one.State == "withdrawn" {
			text = "Withdrawn; nothing had been given. See " + call.Clean(one.Page) + "."
		}
		lines = append(lines, text)
	}
	text := strings.Join(lines, "\n")
	if a.s.output == "" && a.s.query == "" && a.program == "jitney" {
		_, err := fmt.Fprintln(a.Out, text)
		return err
	}
	return show.Print(a.Out, map[string]any{"message": text, "grants": all}, a.s.output, a.s.query)
}
