package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/target"
)

// A codeView is a text to be copied. Parts of it that must not be seen in
// passing are covered until they are shown.
type codeView struct {
	ID, Title, Label string
	Lines            []codeLine
}

// A codeLine is one line: what stands before a value, the value, and what
// stands after it.
type codeLine struct {
	Before string
	Value  secret.Text
	After  string
	Cover  string // "sec": dots, "tok": its beginning only, "": seen
}

// A keysView is a set of keys, shown in one answer and in no other.
type keysView struct {
	Tenant, Level, Name string
	EndsAt, ExpiresAt   time.Time
	Grant               string
	Shells              []codeView
	Notices             []string
}

// A urlView is the address of a console, shown likewise.
type urlView struct {
	Tenant, Level, Grant string
	Address              secret.Text
	EndsAt               time.Time
	Notices              []string
}

// askOf reads what is wanted from the form.
func (s awsPages) askOf(v *visit, b awsBody, what string) broker.SessionAsk {
	ask := broker.SessionAsk{Customer: b.place.Customer.ID, Target: b.Target, Admin: v.form("level") == levelName(true), Grant: v.form("grant"),
		Ticket: b.Ticket, Reason: b.Reason, For: what, From: s.caller(v),
		To: target.Place{Region: b.Region, Destination: b.Destination, LogoutFirst: b.Logout, Issuer: s.address(v.r) + "/aws"}}
	if b.Minutes != "" {
		ask.Minutes = max(number(b.Minutes), -1)
		if ask.Minutes == 0 {
			ask.Minutes = -1 // no number: say so rather than take the usual one
		}
	}
	return ask
}

// issue gets what the form asks for. If done, the answer is for the caller to
// show; else the page was shown or sent already.
func (s awsPages) issue(v *visit, what string) (b awsBody, got broker.SessionAnswer, done bool, err error) {
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	if b, err = s.awsView(v); err != nil {
		return b, got, false, err
	}
	if b.Empty != nil {
		return b, got, false, s.awsPage(v, http.StatusForbidden, b)
	}
	if place := v.form("place"); place != "" && place != b.Target {
		return b, got, false, notFound()
	}
	got, err = s.Broker.Sessions.Issue(v.ctx(), v.Person, s.askOf(v, b, what))
	if err != nil {
		return b, got, false, s.refused(v, b, err)
	}
	if got.Pending {
		q := url.Values{"place": {b.Target}, "level": {b.Level}}
		return b, got, false, v.back("/aws?"+q.Encode(), "awspending")
	}
	if b.Rows, err = s.today(v); err != nil {
		return b, got, false, err
	}
	return b, got, true, nil
}

// refused shows the page with why nothing was issued.
func (s awsPages) refused(v *visit, b awsBody, failed error) (err error) {
	anchors := map[string]string{"duration": "minutes", "ticket": "ticket", "reason": "reason"}
	for _, f := range broker.FieldsOf(failed) {
		anchor := anchors[f.Field]
		if anchor == "" {
			anchor = "place"
		}
		b.MoreOpen = b.MoreOpen || anchor == "minutes"
		b.Wrong = append(b.Wrong, wrongField{Anchor: anchor, Text: f.Text})
	}
	status := http.StatusUnprocessableEntity
	if len(b.Wrong) == 0 {
		if b.Problem, err = problem(failed); err != nil {
			return err
		}
		status = statuses[b.Problem.Kind]
		b.Linked = b.CanSet && b.Problem.Kind == access.Denied && strings.Contains(b.Problem.Text, "switch")
	}
	return s.awsPage(v, status, b)
}

// openConsole sends the browser straight to the console.
func (s awsPages) openConsole(v *visit) error {
	b, got, done, err := s.issue(v, access.ForConsole)
	if err != nil || !done {
		return err
	}
	to, err := url.Parse(got.URL.Reveal())
	if err != nil || to.Host == "" || to.Scheme != "https" && b.place.Endpoint == "" {
		return errors.New("the console has no address that a browser may go to") // which must not be told
	}
	h := v.w.Header()
	h.Set("Cache-Control", "no-store")
	if v.form("from") == "menu" { // a page whose forms may lead nowhere else, so its browser would not follow
		h.Set("Refresh", "0; url="+to.String())
		return s.show(v, http.StatusOK, "leavingaws", "On to the AWS console", b.Tenant)
	}
	h.Set("Location", to.String())
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// A toldURL is the address of a console for the script that copies it.
type toldURL struct {
	URL   string   `json:"url"`
	Notes []string `json:"notes"`
}

// giveURL shows the address of a console, to be copied, or tells it to the
// script that copies it at once.
func (s awsPages) giveURL(v *visit) error {
	b, got, done, err := s.issue(v, access.ForURL)
	if err != nil || !done {
		return err
	}
	if v.r.Header.Get("Accept") == "application/json" {
		h := v.w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		return json.NewEncoder(v.w).Encode(toldURL{URL: got.URL.Reveal(), Notes: append([]string{"It signs in whoever opens it, for 15 minutes. Don't paste it into chat or a ticket."}, got.Notices...)})
	}
	b.keysTab()
	b.URL = &urlView{Tenant: got.Customer.Name, Level: b.Level, Grant: got.Grant.ID, Address: got.URL, EndsAt: got.Keys.EndsAt, Notices: got.Notices}
	return s.awsPage(v, http.StatusOK, b)
}

// keysTab opens the tab in which what was issued stands.
func (b *awsBody) keysTab() {
	b.Tab = "keys"
	for i := range b.Tabs {
		b.Tabs[i].Current = b.Tabs[i].Value == b.Tab
	}
}

// giveKeys shows keys.
func (s awsPages) giveKeys(v *visit) error {
	b, got, done, err := s.issue(v, access.ForKeys)
	if err != nil || !done {
		return err
	}
	b.Keys = &keysView{Tenant: got.Customer.Name, Level: b.Level, Name: got.Keys.Name, EndsAt: got.Keys.EndsAt, ExpiresAt: got.Keys.ExpiresAt,
		Grant: got.Grant.ID, Shells: shellsOf(got.Keys), Notices: got.Notices}
	b.keysTab()
	return s.awsPage(v, http.StatusOK, b)
}

// isSafe reports whether no shell takes text for more than that.
func isSafe(text string) bool {
	return strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_.:@%,-") == ""
}

func quoted(value, escaped string) (before, text, after string) {
	if isSafe(value) {
		return "", value, ""
	}
	return "'", strings.ReplaceAll(value, "'", escaped), "'"
}

// shellsOf writes keys for each place where people paste them.
func shellsOf(k target.Keys) []codeView {
	values := []struct{ env, json, value, cover string }{
		{"AWS_ACCESS_KEY_ID", "AccessKeyId", k.ID, ""},
		{"AWS_SECRET_ACCESS_KEY", "SecretAccessKey", k.Secret.Reveal(), "sec"},
		{"AWS_SESSION_TOKEN", "SessionToken", k.Token.Reveal(), "tok"},
		{"AWS_REGION", "Region", k.Region, ""},
	}
	bash := codeView{ID: "env-bash", Title: "bash / zsh", Label: "Keys for bash and zsh"}
	power := codeView{ID: "env-powershell", Title: "PowerShell", Label: "Keys for PowerShell"}
	plain := codeView{ID: "env-json", Title: "JSON", Label: "Keys as JSON", Lines: []codeLine{{Before: "{"}, {Before: `  "Version": 1,`}}}
	for _, x := range values {
		if x.value == "" {
			continue
		}
		before, text, after := quoted(x.value, `'\''`)
		bash.Lines = append(bash.Lines, codeLine{Before: "export " + x.env + "=" + before, Value: secret.New(text), After: after, Cover: x.cover})
		power.Lines = append(power.Lines, codeLine{Before: "$Env:" + x.env + "='", Value: secret.New(strings.ReplaceAll(x.value, "'", "''")), After: "'", Cover: x.cover})
		text = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(x.value)
		plain.Lines = append(plain.Lines, codeLine{Before: `  "` + x.json + `": "`, Value: secret.New(text), After: `",`, Cover: x.cover})
	}
	plain.Lines = append(plain.Lines, codeLine{Before: `  "Expiration": "` + k.EndsAt.UTC().Format(time.RFC3339) + `"`}, codeLine{Before: "}"})
	return []codeView{bash, power, plain}
}

func code(id, title, label string, lines ...string) codeView {
	c := codeView{ID: id, Title: title, Label: label}
	for _, l := range lines {
		c.Lines = append(c.Lines, codeLine{Before: l})
	}
	return c
}

// word quotes text for a command line, and for credential_process, which
// every SDK takes apart by the same few rules.
func word(text string) string {
	if text != "" && isSafe(text) {
		return text
	}
	return `"` + text + `"`
}

// texts fill in what people copy into their own files: the website's own
// address, the tenant and its region.
func (b *awsBody) texts(address string) {
	b.Host = strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")
	b.ProfileName, _, _ = strings.Cut(b.Host, "/")
	scope := "--tenant " + word(b.Tenant)
	if strings.ContainsAny(b.Tenant, "\"\\$`!%^'") { // no quoting that means the same everywhere
		scope = "--tenant-id " + b.place.Customer.ID
	}
	if b.Level == levelName(true) {
		scope += " --admin"
	}
	run := "jitney aws --host " + address + " " + scope
	profile := func(id, title, command string) codeView {
		return code(id, title, title, "[profile "+b.ProfileName+"]", "region="+b.RegionUsual, "output=json", "credential_process="+command)
	}
	b.Profile = profile("profile", "~/.aws/config", run+" --interactive")
	b.Use = code("use", "bash / zsh", "Choose the profile", "export AWS_PROFILE="+b.ProfileName)
	b.UseShell = code("use-powershell", "PowerShell", "Choose the profile in PowerShell", `$Env:AWS_PROFILE="`+b.ProfileName+`"`)
	region := ""
	if b.RegionUsual != "" {
		region = " --region " + b.RegionUsual
	}
	b.Update = code("update", "Terminal", "Have the profile written", "jitney aws update-config --host "+address+" "+scope+region+" --interactive")
	b.Token = code("token", "Terminal", "Have the token read from the environment", `export JITNEY_TOKEN="…"`, "jitney aws env --host "+address+" "+scope)
	b.TokenProfile = profile("token-profile", "~/.aws/config", run+" --token-file /run/secrets/jitney-token")
	b.Actions = code("actions", "GitHub Actions", "Steps for GitHub Actions", "- name: Work in AWS", "  env:", "    JITNEY_TOKEN: ${{ secrets.JITNEY_TOKEN }}",
		"  run: |", `    eval "$(jitney aws env --host `+address+" "+scope+`)"`, "    aws sts get-caller-identity")
	b.Script = code("script", "Terminal", "Run one command with keys that renew themselves", "jitney aws exec --host "+address+" "+scope+" -- terraform apply")
}

// remember keeps a choice of the visitor for the next page.
func (v *visit) remember(name, value string) {
	if c, err := v.r.Cookie(name); err == nil && c.Value == value {
		return
	}
	http.SetCookie(v.w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: 400 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.https})
}

// secondsOf writes a length as settings name it: "7200 s (2 hours)".
func secondsOf(d time.Duration) string {
	return fmt.Sprintf("%d s (%s)", int64(d/time.Second), inWords(d))
}
