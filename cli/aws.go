package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"jitney/cli/cache"
	"jitney/cli/call"
	"jitney/cli/exit"
	"jitney/cli/show"
)

// Keys are what SDKs read of a credential_process, in their spelling, and
// what users of duploctl know beside it.
type keys struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
	AccountID       string `json:"AccountId,omitempty"`
	Region          string `json:",omitempty"`
	ConsoleURL      string `json:"ConsoleUrl,omitempty"`
	Validity        int
}

func keysOf(s call.Session) keys {
	return keys{Version: 1, AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken,
		Expiration: s.Expiration.UTC().Format(time.RFC3339), AccountID: s.AccountID, Region: s.Region, ConsoleURL: s.ConsoleURL, Validity: s.Validity}
}

// printAWS prints keys as a credential_process does: one line of JSON.
func printAWS(ctx context.Context, a *app) error {
	get := issuer{a}.session
	if a.s.consoleURL || strings.Contains(a.s.query, "ConsoleUrl") {
		get = issuer{a}.withConsole
	}
	k, err := get(ctx)
	if err != nil {
		return err
	}
	return a.printKeys(k)
}

func (a *app) printKeys(k kept) error {
	return show.Print(a.Out, keysOf(k.Session), cmp.Or(a.s.output, "json"), a.s.query)
}

// withConsole is session with an address of the console, which is never kept.
func (a issuer) withConsole(ctx context.Context) (kept, error) {
	if err := a.s.scope(); err != nil {
		return kept{}, err
	}
	a.warnOfToken()
	k, err := a.issue(ctx, true)
	if err == nil && !isHTTPS(k.Session.ConsoleURL) {
		err = exit.New(exit.Unreachable, "Jitney gave no address of the console.", "")
	}
	return k, err
}

// mask tells GitHub Actions what must not show in its logs.
func (a issuer) mask(s call.Session) {
	if a.env["GITHUB_ACTIONS"] != "true" {
		return
	}
	for _, hidden := range []string{s.AccessKeyID, s.SecretAccessKey, s.SessionToken, s.ConsoleURL} {
		if hidden != "" && !strings.ContainsFunc(hidden, unicode.IsControl) { // a line of its own would be a command
			fmt.Fprintf(a.Err, "::add-mask::%s\n", hidden)
		}
	}
}

// warnOfToken says once a day that a token is where others may see it.
func (a issuer) warnOfToken() {
	if a.s.fromLine == "" || a.s.quiet {
		return
	}
	key := cache.Key("warned", a.s.fromLine)
	today := a.now().UTC().Format(time.DateOnly)
	if seen, ok := a.cache.Get(key); ok && string(seen) == today {
		return
	}
	a.cache.Put(key, []byte(today))
	a.note("A token %s can be read by others. Better: JITNEY_TOKEN, or --token-file with a file of mode 0600.", call.Clean(a.s.fromLine))
}

// listTenants lists what the person may use.
func listTenants(ctx context.Context, a *app) error {
	token, err := a.token(ctx)
	if err != nil {
		return err
	}
	all, err := call.New(a.s.origin, "jitney/"+a.Version).Tenants(ctx, token.Text)
	if err != nil {
		return err
	}
	if all == nil {
		all = []call.Tenant{}
	}
	if a.s.output != "" || a.s.query != "" {
		return show.Print(a.Out, all, a.s.output, a.s.query)
	}
	if len(all) == 0 {
		a.note("There is no tenant that you may use.")
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s %-14s %-16s %s\n", "TENANT", "ACCOUNT", "REGION", "SCOPES")
	for _, t := range all {
		fmt.Fprintf(&b, "%-28s %-14s %-16s %s\n", call.Clean(t.Name), call.Clean(t.AccountID), call.Clean(t.Region), call.Clean(strings.Join(t.Scopes, ", ")))
	}
	_, err = fmt.Fprint(a.Out, b.String())
	return err
}

// message prints what was done: as {"message": …} for programs.
func (a *app) message(text string) error {
	if a.s.output == "" && a.s.query == "" && a.program == "jitney" {
		_, err := fmt.Fprintln(a.Out, text)
		return err
	}
	return show.Print(a.Out, map[string]string{"message": text}, a.s.output, a.s.query)
}

func clearCache(_ context.Context, a *app) error {
	n, err := a.cache.Clear()
	if err != nil {
		return &exit.Error{Code: exit.Failed, Text: "The cache cannot be cleared.", Err: err}
	}
	return a.message(fmt.Sprintf("Cleared %d cached file(s)", n))
}
