package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"jitney/access"
	"jitney/broker"
	"jitney/lab"
	"jitney/secret"
	"jitney/sim/directory"
	"jitney/sim/entra"
)

// Every password goes its way once: revealed, made anew, re-issued, chosen on
// the form, retrieved, typed at the sign-in, stored as a setting, and so does
// every pass that Microsoft 365 issues, every key and console of AWS, and every
// token with which programs come in. At the end none of them is anywhere: not in the database or its log, not in what the
// server printed, not on a page but the one that showed it, not in the process
// list; raw, in base64, in hex, in UTF-16.
func TestNoPasswordStaysAnywhere(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); canary(t, &place{data: t.TempDir()}) })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); canary(t, &place{data: t.TempDir(), database: lab.Postgres(t)}) })
}

func canary(t *testing.T, where *place) {
	domain, err := directory.Start(directory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(domain.Close)
	form := access.DefaultPolicy()
	form.Name, form.Title, form.Version, form.Password = "form", "Password on the form", 0, access.ChosenOnForm
	target := broker.TargetInput{Kind: "ad", Name: "revealing", Policy: "default",
		Values:  map[string]string{"domain": domain.Name(), "controllers": strings.TrimPrefix(domain.URL(), "ldaps://"), "ca": domain.CAPEM(), "bind_name": domain.AdminUPN(), "ou": "OU=Jitney," + domain.BaseDN()},
		Secrets: map[string]secret.Text{"bind_password": domain.AdminPassword()}}
	chosen := target
	chosen.Name, chosen.Policy = "choosing", "form"
	microsoft, tenant, _ := canaryCloud(t)
	amazon := canaryAWS(t)
	people := []broker.PersonInput{{Login: "tech@msp.example", Name: "Tech", Roles: []access.Role{access.Requester}},
		{Login: "ada@msp.example", Name: "Ada", Roles: []access.Role{access.Administrator}}}
	logins := furnish(t, where, []broker.TargetInput{target, chosen, microsoft, amazon}, people, form)

	server := start(t, []string{"JITNEY_DATABASE=" + where.database}, "serve", "--data", where.data, "--listen", "127.0.0.1:0", "--metrics-listen=", "--log-level", "debug", "--log-format", "json")
	base := server.await(`"msg":"jitney serves","address":"([^"]+)"`)
	tech, ada := visit(t, base), visit(t, base)
	tech.signIn("tech@msp.example", logins["tech@msp.example"].Reveal())
	ada.signIn("ada@msp.example", logins["ada@msp.example"].Reveal())
	secrets := map[string]string{"the bind password": domain.AdminPassword().Reveal(), "the app's secret": microsoft.Secrets["secret"].Reveal()}
	for login, password := range logins {
		secrets["the password of "+login] = password.Reveal()
	}
	walkRevealing(t, tech, ada, secrets)
	walkChoosing(t, tech, ada, secrets)
	walkM365(t, tech, ada, tenant, secrets)
	secrets["the access key"] = amazon.Secrets["secret_access_key"].Reveal()
	walkAWS(t, tech, ada, secrets)
	walkDesk(t, ada, secrets)

	if server.stop() != exitOK {
		t.Errorf("the server does not stop well:\n%s", server.output())
	}
	seen := map[string]string{"the server's output": server.output(), "the technician's pages": tech.seen.String(), "the administrator's pages": ada.seen.String()}
	readFiles(t, where.data, seen)
	if where.isPostgres() {
		seen["the tables"] = readTables(t, where.database)
	}
	for what, password := range secrets {
		for place, content := range seen {
			if form := findSecret(content, password); form != "" {
				t.Errorf("%s is in %s, %s", what, place, form)
			}
		}
	}
	if len(secrets) != 27 {
		t.Errorf("%d secrets were looked for; want 27", len(secrets))
	}
	if findSecret(seen["the technician's pages"]+strings.Repeat("x", 3)+base64.StdEncoding.EncodeToString([]byte("ab"+secrets["revealed"]+"c")), secrets["revealed"]) == "" {
		t.Error("the search finds nothing, also where there is something")
	}
}

// walkRevealing lets the technician reveal a password, and another one; then
// the administrator lets one be re-issued.
func walkRevealing(t *testing.T, tech, ada *visitor, secrets map[string]string) {
	grant := tech.requestAt("revealing", nil)
	ready := func(v *visitor) func() bool {
		return func() bool { return strings.Contains(v.get("/grants/"+grant), "Reveal once") }
	}
	poll(t, "the password", ready(tech))
	_, secrets["revealed"] = tech.reveal(grant)
	processes(t, secrets)
	tech.post("/grants/"+grant+"/password", url.Values{})
	poll(t, "the new password", ready(tech))
	_, secrets["new"] = tech.reveal(grant)
	ada.post("/grants/"+grant+"/reissue", url.Values{"reason": {"The customer's own administrator is away."}})
	poll(t, "the re-issued password", ready(ada))
	_, secrets["re-issued"] = ada.reveal(grant)
	finish(t, tech, grant)
}

// walkChoosing lets the technician see two passwords on the form and send the
// second; the administrator retrieves it.
func walkChoosing(t *testing.T, tech, ada *visitor, secrets map[string]string) {
	offered := regexp.MustCompile(`name="offer" value="([^"]*)"`)
	shown := regexp.MustCompile(`<code class="input" id="password"[^>]*>([^<]*)`)
	var offer string
	for _, name := range []string{"offered and not used", "chosen"} {
		form, _ := tech.filled("choosing")
		body := tech.show("/request/password", form)
		id, password := offered.FindStringSubmatch(body), shown.FindStringSubmatch(body)
		if id == nil || password == nil {
			t.Fatalf("the form shows no password:\n%s", text(body))
		}
		offer, secrets[name] = id[1], html.UnescapeString(password[1])
	}
	grant := tech.requestAt("choosing", url.Values{"offer": {offer}})
	poll(t, "active access", func() bool { return strings.Contains(tech.get("/grants/"+grant), "Time left") })
	body := ada.show("/grants/"+grant+"/retrieve", url.Values{"reason": {"The technician lost the line."}})
	if !strings.Contains(html.UnescapeString(body), secrets["chosen"]) {
		t.Errorf("the administrator does not retrieve the password:\n%s", text(body))
	}
	finish(t, tech, grant)
}

// filled is the form of a request, filled in.
func (v *visitor) filled(target string) (form url.Values, page string) {
	v.t.Helper()
	form = url.Values{"minutes": {"15"}, "reason": {"The spooler service has to be restarted."}, "kind": {"ad"}}
	page = v.get("/request")
	form.Set("customer", option(v.t, page, "customer", "Pedro"))
	page = v.chooses(form, "The printer")
	form.Set("target", option(v.t, page, "target", target))
	return form, page
}

func (v *visitor) requestAt(target string, more url.Values) (grant string) {
	v.t.Helper()
	form, _ := v.filled(target)
	for name, value := range more {
		form[name] = value
	}
	return v.send(form)
}

// send sends a form that must become a grant.
func (v *visitor) send(form url.Values) (grant string) {
	v.t.Helper()
	location := v.post("/request", form)
	m := regexp.MustCompile(`^/grants/([a-z0-9]+)`).FindStringSubmatch(location)
	if m == nil {
		v.t.Fatalf("the request leads to %q", location)
	}
	return m[1]
}

func finish(t *testing.T, v *visitor, grant string) {
	t.Helper()
	v.post("/grants/"+grant+"/end", url.Values{})
	poll(t, "the proof that it ended", func() bool { return strings.Contains(v.get("/grants/"+grant), "Ended, verified") })
}

// canaryCloud starts a Microsoft 365, and reports what connects a customer.
func canaryCloud(t *testing.T) (broker.TargetInput, *entra.Tenant, *entra.Cloud) {
	cloud := entra.New(entra.Options{Seed: 1})
	password := secret.Password(32)
	app := cloud.AddApp(entra.AppSpec{Name: "Jitney", Secrets: []entra.AppSecret{{Value: password}}, Permissions: m365Permissions()})
	tenant := cloud.AddTenant(entra.TenantSpec{Name: "Pedro's Aviary"})
	tenant.Consent(app)
	server, err := cloud.Serve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return broker.TargetInput{Kind: "entra", Name: tenant.InitialDomain(), Policy: "default", Values: m365Values(server, tenant.ID, app.ID),
		Secrets: map[string]secret.Text{"secret": password}}, tenant, cloud
}

// walkM365 lets the technician reveal a pass, and another one; then the
// administrator lets one be re-issued.
func walkM365(t *testing.T, tech, ada *visitor, tenant *entra.Tenant, secrets map[string]string) {
	form := url.Values{"minutes": {"15"}, "reason": {"Mail flow has to be repaired."}, "kind": {"entra"}}
	form.Set("customer", option(t, tech.get("/request"), "customer", "Pedro"))
	tech.chooses(form, "The printer")
	grant := tech.send(form)
	ready := func(v *visitor) func() bool {
		return func() bool { return strings.Contains(v.get("/grants/"+grant), "Reveal once") }
	}
	poll(t, "the pass", ready(tech))
	_, secrets["the pass"] = tech.reveal(grant)
	processes(t, secrets)
	tech.post("/grants/"+grant+"/password", url.Values{})
	poll(t, "the new pass", ready(tech))
	_, secrets["the new pass"] = tech.reveal(grant)
	ada.post("/grants/"+grant+"/reissue", url.Values{"reason": {"The customer's own administrator is away."}})
	poll(t, "the re-issued pass", ready(ada))
	_, secrets["the re-issued pass"] = ada.reveal(grant)
	if users := tenant.Users(); len(users) != 1 || users[0].Passes != 1 {
		t.Errorf("Microsoft 365 holds %+v; want one account with one pass", users)
	}
	finish(t, tech, grant)
}

// processes looks for secrets in the process list.
func processes(t *testing.T, secrets map[string]string) {
	t.Helper()
	lists, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range append(lists, environs...) {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it is gone, or not ours
		}
		for what, password := range secrets {
			if findSecret(string(content), password) != "" {
				t.Errorf("%s is in %s", what, file)
			}
		}
	}
}

// readFiles reads everything below dir: the database, its write-ahead log, the
// keys, the checkpoints.
func readFiles(t *testing.T, dir string, into map[string]string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		into["the file "+filepath.Base(path)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readTables reads every row of every table.
func readTables(t *testing.T, database string) string {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	column := func(query string) (values []string) {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var value string
			if err := rows.Scan(&value); err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return values
	}
	var all strings.Builder
	for _, table := range column(`SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`) {
		all.WriteString(table + "\n" + strings.Join(column(fmt.Sprintf(`SELECT t::text FROM %q t`, table)), "\n"))
	}
	return all.String()
}

// findSecret reports in which form password is in content; empty if in none.
func findSecret(content, password string) string {
	forms := map[string]string{"raw": password, "escaped for HTML": html.EscapeString(password), "escaped for a URL": url.QueryEscape(password),
		"in hex": hex.EncodeToString([]byte(password)), "in capital hex": strings.ToUpper(hex.EncodeToString([]byte(password)))}
	little, big := []byte{}, []byte{}
	for _, u := range utf16.Encode([]rune(password)) {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
	}
	forms["in UTF-16"], forms["in UTF-16, the other way round"] = string(little), string(big)
	for name, bytes := range map[string][]byte{"": []byte(password), " of UTF-16": little} {
		for shift := range 3 { // the same bytes look different at each place of a group of three
			padded := append(make([]byte, shift), bytes...)
			code := base64.StdEncoding.EncodeToString(padded)
			code = code[(shift*8+5)/6 : len(padded)*8/6]
			forms[fmt.Sprintf("in base64%s, %d", name, shift)] = code
			forms[fmt.Sprintf("in base64 for URLs%s, %d", name, shift)] = strings.NewReplacer("+", "-", "/", "_").Replace(code)
		}
	}
	for name, form := range forms {
		if strings.Contains(content, form) {
			return name
		}
	}
	return ""
}
