package broker_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/target"
	"jitney/target/fake"
)

// cloudKind is a practice cloud that makes its credentials itself, wants
// consent, and knows companies.
func (w *world) cloudKind() target.Kind {
	k := fake.IssuingKind(func(string) *fake.Realm { return w.realm })
	k.Fields = []target.Field{{Name: "tenant", Title: "Directory ID", Required: true}, {Name: "app", Title: "App", Required: true},
		{Name: "key", Title: "Key", Secret: true, Required: true}, {Name: "helpers", Title: "Helpers", Options: []string{"no", "yes"}}}
	k.Entitlements = func(s target.Settings) []target.Entitlement {
		all := []target.Entitlement{{Name: fake.Admin, Title: "Administrator"}}
		if s.Values["helpers"] == "yes" {
			all = append(all, target.Entitlement{Name: fake.Helper, Title: "Helper", Help: "A little on the practice target."})
		}
		return all
	}
	k.Handover = func(s target.Settings) target.Handover {
		return target.Handover{Word: "access pass", Issued: true, SignIn: "Use a private window.", Warning: "Nothing to warn of in " + s.Values["tenant"] + "."}
	}
	k.Valid = func(s target.Settings) error {
		if s.Values["tenant"] == "refused" {
			return &access.Error{Kind: access.Invalid, Text: "That directory is refused.", Hint: "Take another."}
		}
		return nil
	}
	k.Consent = &target.Consent{Title: "Ask", Help: "Somebody must agree.",
		URL: func(s target.Settings, redirect, state string) (string, error) {
			if s.Values["app"] == "" {
				return "", &access.Error{Kind: access.Invalid, Text: "The app is missing."}
			}
			return "https://login.example/" + s.Values["tenant"] + "?" + url.Values{"redirect_uri": {redirect}, "state": {state}}.Encode(), nil
		},
		Answer: func(s target.Settings, q url.Values) error {
			if q.Get("tenant") != s.Values["tenant"] {
				return &access.Error{Kind: access.Denied, Text: "They did not agree.", Hint: "Ask again."}
			}
			return nil
		}}
	k.For = func(s target.Settings, c target.Company) target.Settings {
		s.Values["tenant"] = c.ID
		return s
	}
	inner := k.Open
	k.Open = func(ctx context.Context, id string, s target.Settings) (target.System, error) {
		sys, err := inner(ctx, id, s)
		return partner{sys.(*fake.IssuingSystem), w}, err
	}
	return k
}

// A partner is a practice cloud that knows companies.
type partner struct {
	*fake.IssuingSystem
	w *world
}

func (p partner) Companies(context.Context) ([]target.Company, error) { return p.w.companies, nil }

// connectCloud gives the customer aviary a practice cloud.
func (w *world) connectCloud() access.Target {
	w.t.Helper()
	t, err := w.Places.SaveTarget(w.ctx, w.admin, broker.TargetInput{Customer: "aviary", Kind: fake.Issuing, Name: "Cloud of aviary",
		Values: map[string]string{"tenant": "dir-1", "app": "app-1"}, Secrets: map[string]secret.Text{"key": secret.New("key-of-the-app")}})
	check(w.t, err)
	return t
}

func (w *world) askCloud(t access.Target) broker.Submission {
	s := w.ask()
	s.Target, s.Entitlement = t.ID, ""
	return s
}

func TestACredentialIsCalledWhatTheTargetCallsIt(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	cloud := w.connectCloud()
	w.change(func(p *access.Policy) { p.Password = access.ChosenOnForm })
	p, err := w.Access.Preview(ctx, w.maya, w.askCloud(cloud))
	check(t, err)
	if p.OnForm || p.Handover.Word != "access pass" || p.Handover.Warning != "Nothing to warn of in dir-1." || p.Entitlement.Name != fake.Admin {
		t.Errorf("preview = %+v", p)
	}
	if _, err := w.Access.Offer(ctx, w.maya, cloud.ID); err == nil || !strings.HasPrefix(err.Error(), "The access pass for this target") {
		t.Errorf("offered: %v", err)
	}
	g := w.submit(w.maya, w.askCloud(cloud))
	if _, err := w.Access.Reveal(ctx, w.maya, g.ID); err == nil || err.Error() != "This access is not active, so it has no access pass." {
		t.Errorf("before: %v", err)
	}
	w.settle()
	w.want(g.ID, access.Active)
	if _, err := w.Access.Reveal(ctx, w.admin, g.ID); err == nil || err.Error() != "This access pass is not for you to see." {
		t.Errorf("to an administrator: %v", err)
	}
	shown, err := w.Access.Reveal(ctx, w.maya, g.ID)
	check(t, err)
	if shown.Word != "access pass" || shown.SignIn != "Use a private window." || w.realm.SignIn(shown.Username, shown.Password.Reveal()) != nil {
		t.Errorf("shown as %q, %q", shown.Word, shown.SignIn)
	}
	if _, err := w.Access.Reveal(ctx, w.maya, g.ID); err == nil || err.Error() != "The access pass was shown already, and is not kept." {
		t.Errorf("again: %v", err)
	}
	if _, err := w.Access.Retrieve(ctx, w.admin, g.ID, "Why not."); err == nil || err.Error() != "There is no kept access pass to retrieve." {
		t.Errorf("retrieved: %v", err)
	}
	if _, err := w.Access.Retrieve(ctx, w.maya, g.ID, "Why not."); err == nil || err.Error() != "Only an administrator can retrieve an access pass." {
		t.Errorf("retrieved: %v", err)
	}
	check(t, w.Access.Reissue(ctx, w.admin, g.ID, "Maya is away."))
	page, err := w.Access.Grant(ctx, w.maya, g.ID)
	check(t, err)
	if page.Password != broker.PasswordSoon || len(page.Notices) != 1 || page.Notices[0] != "An administrator re-issued the access pass to get in: Maya is away." {
		t.Errorf("password %q, notices %q", page.Password, page.Notices)
	}
	w.settle()
	again, err := w.Access.Reveal(ctx, w.admin, g.ID)
	check(t, err)
	if w.realm.SignIn(again.Username, again.Password.Reveal()) != nil || w.realm.SignIn(shown.Username, shown.Password.Reveal()) == nil {
		t.Error("the new one does not replace the old one")
	}
}

func TestAnEndThatOnlyTakesTimeSaysSo(t *testing.T) {
	w := newWorld(t)
	g := w.submit(w.maya, w.askCloud(w.connectCloud()))
	w.settle()
	w.want(g.ID, access.Active)
	w.realm.Settle(time.Hour)
	_, err := w.Access.End(t.Context(), w.maya, g.ID)
	check(t, err)
	w.settle()
	w.want(g.ID, access.Ending)
	p, err := w.Access.Grant(t.Context(), w.maya, g.ID)
	check(t, err)
	if !p.Waits || len(p.Observation.Left) == 0 || len(p.Next) != 2 || p.Next[0].At.IsZero() {
		t.Errorf("waits %v, left %q, next %+v", p.Waits, p.Observation.Left, p.Next)
	}
}

func TestAnEndThatNeedsAPersonSaysSo(t *testing.T) {
	w := newWorld(t)
	g := w.submit(w.maya, w.askCloud(w.connectCloud()))
	w.settle()
	w.realm.Refuse("purge refused")
	_, err := w.Access.End(t.Context(), w.maya, g.ID)
	check(t, err)
	w.settle()
	w.want(g.ID, access.Blocked)
	p, err := w.Access.Grant(t.Context(), w.maya, g.ID)
	check(t, err)
	if p.Waits || !strings.Contains(p.Next[0].Text, "purge refused") || p.Account.Trouble == "" {
		t.Errorf("next %+v, trouble %q", p.Next, p.Account.Trouble)
	}
	bar, err := w.Access.Bar(t.Context(), w.admin)
	if err != nil || bar.Overdue != 1 {
		t.Errorf("bar = %+v, %v", bar, err)
	}
	var rows [][]string
	check(t, w.Access.CSV(t.Context(), w.admin, access.GrantQuery{States: []access.State{access.Overdue, access.Blocked}}, func(row []string) error {
		rows = append(rows, row)
		return nil
	}))
	if len(rows) != 2 || rows[1][1] != "blocked" || rows[1][len(rows[1])-1] != "purge refused" {
		t.Errorf("rows = %q", rows)
	}
}

func TestTheFormOffersWhatThereIs(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	f, err := w.Access.Form(ctx, w.maya, "aviary")
	check(t, err)
	if len(f.Customers) != 1 || len(f.Has["aviary"]) != 1 || f.Has["kestrel"] != nil || len(f.Targets) != 1 {
		t.Errorf("form = %+v", f)
	}
	cloud := w.connectCloud()
	in := broker.TargetInput{ID: cloud.ID, Version: cloud.Version, Name: cloud.Name, Values: map[string]string{"tenant": "dir-1", "app": "app-1", "helpers": "yes"}}
	cloud, err = w.Places.SaveTarget(ctx, w.admin, in)
	check(t, err)
	cloud.Findings = []access.Finding{{Level: "ok", What: "It answers."}, {Level: "error", What: "The right to purge is missing.", Fix: "Give it."}}
	cloud, err = w.store.Targets.SaveTarget(ctx, cloud, nil)
	check(t, err)
	f, err = w.Access.Form(ctx, w.maya, "aviary")
	check(t, err)
	i := 0
	if f.Targets[0].Kind.Name != fake.Issuing {
		i = 1
	}
	if len(f.Has["aviary"]) != 2 || len(f.Targets) != 2 || len(f.Targets[i].Entitlements) != 2 || f.Targets[i].Handover.Word != "access pass" ||
		len(f.Targets[i].Missing) != 1 || f.Targets[i].Missing[0].What != "The right to purge is missing." || f.Targets[i].Target.Settings != nil {
		t.Errorf("form = %+v", f)
	}
	in.Version, in.Disabled = cloud.Version, true
	_, err = w.Places.SaveTarget(ctx, w.admin, in)
	check(t, err)
	if f, err = w.Access.Form(ctx, w.maya, "aviary"); err != nil || len(f.Targets) != 1 || len(f.Closed) != 1 || f.Closed[0] != fake.Issuing {
		t.Errorf("closed %v, targets %d, %v", f.Closed, len(f.Targets), err)
	}
	empty, err := w.Places.SaveCustomer(ctx, w.admin, access.Customer{Name: "Nothing there"})
	check(t, err)
	w.maya.Customers = append(w.maya.Customers, empty.ID)
	if f, err = w.Access.Form(ctx, w.maya, ""); err != nil || len(f.Without) != 1 || f.Without[0].ID != empty.ID || len(f.Customers) != 1 {
		t.Errorf("without %v, %v", f.Without, err)
	}
}

func TestConsentIsRecorded(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	cloud := w.connectCloud()
	page, err := w.Places.Target(ctx, w.auditor, cloud.ID)
	check(t, err)
	if c := page.Consent; !c.Needed || !c.Ready || !c.At.IsZero() {
		t.Errorf("at first: %+v", c)
	}
	to, err := w.Places.ConsentURL(ctx, w.admin, cloud.ID, "https://jitney.example/consent", "state-1")
	if err != nil || to != "https://login.example/dir-1?redirect_uri=https%3A%2F%2Fjitney.example%2Fconsent&state=state-1" {
		t.Errorf("to %q, %v", to, err)
	}
	if _, err := w.Places.ConsentURL(ctx, w.admin, "target-aviary", "https://jitney.example/consent", "x"); access.KindOf(err) != access.NotFound {
		t.Errorf("of a kind that needs none: %v", err)
	}
	answer, err := w.Places.Consented(ctx, w.admin, cloud.ID, url.Values{"error": {"access_denied"}, "error_description": {"no\x00 " + strings.Repeat("x", 9000)}})
	if err != nil || answer.Agreed || answer.Text != "They did not agree." || answer.Hint != "Ask again." || answer.Customer != "Customer aviary" {
		t.Errorf("refused: %+v, %v", answer, err)
	}
	answer, err = w.Places.Consented(ctx, w.admin, cloud.ID, url.Values{"tenant": {"dir-1"}})
	if err != nil || !answer.Agreed {
		t.Errorf("agreed: %+v, %v", answer, err)
	}
	records, err := w.store.Log.Records(ctx, access.RecordQuery{Subject: cloud.ID, Kind: "consent."})
	if err != nil || len(records) != 2 || records[0].Kind != broker.EventConsentAgreed || records[1].Kind != broker.EventConsentRefused || records[1].Actor != "admin" ||
		len(records[1].Data["said"]) > 300 || strings.Contains(records[1].Data["said"], "\x00") {
		t.Errorf("records = %+v, %v", records, err)
	}
	if page, err = w.Places.Target(ctx, w.admin, cloud.ID); err != nil || !page.Consent.Agreed || page.Consent.At.IsZero() {
		t.Errorf("afterwards: %+v, %v", page.Consent, err)
	}
}

func TestACheckTellsWhoElseIsPowerful(t *testing.T) {
	w := newWorld(t)
	cloud := w.connectCloud()
	w.realm.Promote("helpdesk2")
	found, err := w.Places.Check(t.Context(), w.admin, cloud.ID)
	check(t, err)
	var told []string
	for _, f := range found {
		if name, ok := strings.CutPrefix(f.What, broker.Unexplained); ok && f.Level == "info" {
			told = append(told, name)
		}
	}
	if len(told) != 2 || told[1] != "helpdesk2" {
		t.Errorf("found %+v", found)
	}
}

func TestImportingCustomers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	cloud := w.connectCloud()
	for _, name := range []string{"Heron Bakery", "Twins", "Twins", "Wren Garage"} {
		_, err := w.Places.SaveCustomer(ctx, w.admin, access.Customer{Name: name})
		check(t, err)
	}
	_, err := w.Places.SaveCustomer(ctx, w.admin, access.Customer{Name: "Old Mill", ArchivedAt: time.Now()})
	check(t, err)
	w.companies = []target.Company{{ID: "dir-1", Name: "Aviary by another name"}, {ID: "dir-2", Name: "heron bakery", Domain: "heron.example", Source: "GDAP"},
		{ID: "dir-3", Name: "New Customer", Domain: "new.example"}, {ID: "dir-4", Name: "Twins"}, {ID: "dir-5", Name: "Old Mill"},
		{ID: "refused", Name: "Wren Garage"}, {ID: "dir-6", Name: "Customer aviary", Domain: "other.example"}, {ID: "dir-7", Name: "New Customer", Domain: "second.example"}, {ID: ""}}
	list, err := w.Places.Companies(ctx, w.admin, cloud.ID)
	check(t, err)
	rows := map[string]broker.CompanyRow{}
	for _, r := range list.Rows {
		rows[r.ID] = r
	}
	if list.IDTitle != "Directory ID" || len(rows) != 8 || rows["dir-1"].Target != cloud.ID || rows["dir-2"].Customer != "Heron Bakery" || rows["dir-2"].CustomerID == "" ||
		rows["dir-3"].CustomerID != "" || rows["dir-4"].Problem == "" || rows["dir-5"].Problem == "" || rows["dir-6"].Customer != "Customer aviary (other.example)" {
		t.Errorf("list = %+v", list)
	}
	for name, ids := range map[string][]string{"nothing": nil, "too much": make([]string, 1001)} {
		if _, err := w.Places.Import(ctx, w.admin, cloud.ID, w.policy.Name, ids); access.KindOf(err) != access.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	all := []string{"dir-1", "dir-2", "dir-3", "dir-4", "dir-5", "dir-6", "dir-7", "refused", "dir-9", "dir-2"}
	done := func() (n int, problems map[string]string) {
		t.Helper()
		out, err := w.Places.Import(ctx, w.admin, cloud.ID, w.policy.Name, all)
		check(t, err)
		problems = map[string]string{}
		for _, one := range out {
			if one.Done {
				n++
			}
			problems[one.ID] = one.Problem
		}
		return n, problems
	}
	n, problems := done()
	if n != 4 || problems["refused"] != "That directory is refused. Take another." || problems["dir-9"] == "" || problems["dir-4"] == "" {
		t.Errorf("%d done, problems %q", n, problems)
	}
	if n, _ := done(); n != 0 {
		t.Errorf("a second import made %d again", n)
	}
	customers, err := w.store.Customers.Customers(ctx)
	check(t, err)
	count := map[string]int{}
	for _, c := range customers {
		count[c.Name]++
	}
	if count["Heron Bakery"] != 1 || count["New Customer"] != 1 || count["New Customer (second.example)"] != 1 || count["Customer aviary (other.example)"] != 1 {
		t.Errorf("customers: %v", count)
	}
	for _, r := range func() []broker.CompanyRow {
		l, err := w.Places.Companies(ctx, w.admin, cloud.ID)
		check(t, err)
		return l.Rows
	}() {
		if r.ID != "dir-2" {
			continue
		}
		made, err := w.store.Targets.Target(ctx, r.Target)
		check(t, err)
		sealed, err := w.store.Targets.TargetSecrets(ctx, r.Target)
		check(t, err)
		source, err := w.store.Targets.TargetSecrets(ctx, cloud.ID)
		check(t, err)
		if made.Settings["tenant"] != "dir-2" || made.Settings["app"] != "app-1" || made.Name != "heron.example" || len(sealed["key"]) == 0 || string(sealed["key"]) == string(source["key"]) {
			t.Errorf("made %+v", made)
		}
	}
}
