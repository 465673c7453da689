package broker_test

import (
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

func TestSecretSettingsGoInAndNeverOut(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	in := broker.TargetInput{Customer: "aviary", Kind: "fake", Name: "Second domain", Values: map[string]string{"domain": "two.example", "unknown": "x"},
		Secrets: map[string]secret.Text{"key": secret.New("canary-in-a-setting")}}
	saved, err := w.Places.SaveTarget(ctx, w.admin, in)
	check(t, err)
	page, err := w.Places.Target(ctx, w.admin, saved.ID)
	check(t, err)
	if !page.Secrets["key"] || page.Target.Settings["mode"] != "slow" || page.Target.Settings["unknown"] != "" || page.Target.Settings["key"] != "" || page.Policy != w.policy.Title {
		t.Errorf("page = %+v", page)
	}
	sealed, err := w.store.Targets.TargetSecrets(ctx, saved.ID)
	if err != nil || strings.Contains(string(sealed["key"]), "canary") {
		t.Errorf("stored in the clear, or not at all: %v", err)
	}
	in = broker.TargetInput{ID: saved.ID, Version: saved.Version, Customer: "kestrel", Kind: "other", Name: "Renamed", Disabled: true, Values: map[string]string{"domain": "two.example"}}
	changed, err := w.Places.SaveTarget(ctx, w.admin, in)
	check(t, err)
	if changed.Customer != "aviary" || changed.Kind != "fake" || changed.Name != "Renamed" || changed.DisabledAt.IsZero() {
		t.Errorf("target = %+v", changed)
	}
	if now, _ := w.store.Targets.TargetSecrets(ctx, saved.ID); string(now["key"]) != string(sealed["key"]) {
		t.Error("a secret that was not given did not stay")
	}
	if _, err := w.Places.SaveTarget(ctx, w.admin, in); access.KindOf(err) != access.Conflict {
		t.Errorf("with an old version: %v", err)
	}
	in.Version, in.Values, in.Name = changed.Version, map[string]string{"mode": "sideways", "domain": "a\nb"}, " "
	if _, err := w.Places.SaveTarget(ctx, w.admin, in); len(broker.FieldsOf(err)) != 3 {
		t.Errorf("fields = %+v", broker.FieldsOf(err))
	}
}

func TestCheckingAConnectionKeepsWhatItFound(t *testing.T) {
	w := newWorld(t)
	found, err := w.Places.Check(t.Context(), w.admin, "target-aviary")
	if err != nil || len(found) == 0 || found[0].Level != "ok" {
		t.Fatalf("found %+v, %v", found, err)
	}
	w.realm.DownBetween(time.Now(), time.Now().Add(time.Hour))
	found, err = w.Places.Check(t.Context(), w.admin, "target-aviary")
	if err != nil || len(found) != 1 || found[0].Level != "error" {
		t.Fatalf("found %+v, %v", found, err)
	}
	page, err := w.Places.Target(t.Context(), w.admin, "target-aviary")
	if err != nil || page.Target.CheckedAt.IsZero() || len(page.Target.Findings) != 1 {
		t.Errorf("target = %+v, %v", page.Target, err)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	in := broker.PersonInput{ID: "admin", Version: w.admin.Version, Login: w.admin.Login, Name: w.admin.Name, Roles: []access.Role{access.Requester}}
	if _, err := w.People.Save(ctx, w.admin, in); access.KindOf(err) != access.Conflict {
		t.Errorf("role taken away: %v", err)
	}
	if _, err := w.People.Disable(ctx, w.admin, "admin", false, "Leaving."); access.KindOf(err) != access.Conflict {
		t.Errorf("disabled: %v", err)
	}
	if err := w.People.Enable(ctx, w.admin, "gone"); err != nil { // another administrator
		t.Fatal(err)
	}
	if _, err := w.People.Disable(ctx, w.admin, "admin", true, "Leaving."); err != nil {
		t.Errorf("disabled although another is there: %v", err)
	}
	if _, err := w.People.People(ctx, access.Person{ID: "admin", Roles: w.admin.Roles, DisabledAt: time.Now()}); access.KindOf(err) != access.NotFound {
		t.Errorf("a disabled administrator reads: %v", err)
	}
	if err := w.People.Enable(ctx, w.admin, "maya"); access.KindOf(err) != access.NotFound {
		t.Errorf("a disabled administrator whose session is old acts: %v", err)
	}
}

func TestDisablingAPersonRevokes(t *testing.T) {
	w := newWorld(t)
	g := w.active()
	n, err := w.People.Disable(t.Context(), w.admin, "maya", true, "Left the company.")
	if err != nil || n != 1 {
		t.Fatalf("revoked %d, %v", n, err)
	}
	w.settle()
	w.want(g.ID, access.Ended)
}

func TestPeopleAreChecked(t *testing.T) {
	w := newWorld(t)
	good := broker.PersonInput{Login: "new.person@msp.example", Name: "New Person", Roles: []access.Role{access.Requester}, Customers: []string{"aviary"}, TimeZone: "Europe/London"}
	for name, change := range map[string]func(*broker.PersonInput){
		"no login":                  func(p *broker.PersonInput) { p.Login = "" },
		"a login with a space":      func(p *broker.PersonInput) { p.Login = "new person" },
		"no name":                   func(p *broker.PersonInput) { p.Name = "\x00" },
		"no role":                   func(p *broker.PersonInput) { p.Roles = nil },
		"an invented role":          func(p *broker.PersonInput) { p.Roles = []access.Role{"root"} },
		"a customer that is no one": func(p *broker.PersonInput) { p.Customers = []string{"nonesuch"} },
		"a zone that is nowhere":    func(p *broker.PersonInput) { p.TimeZone = "Mars/Olympus" },
	} {
		in := good
		change(&in)
		if _, err := w.People.Save(t.Context(), w.admin, in); access.KindOf(err) != access.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.People.Save(t.Context(), w.admin, good); err != nil {
		t.Error(err)
	}
}

func TestPoliciesAreVersioned(t *testing.T) {
	w := newWorld(t)
	before := w.policy
	w.change(func(p *access.Policy) { p.Max = time.Hour })
	if w.policy.Version != before.Version+1 || w.policy.ChangedBy != "admin" {
		t.Errorf("policy = %+v", w.policy)
	}
	if _, err := w.Settings.SavePolicy(t.Context(), w.admin, before); access.KindOf(err) != access.Conflict {
		t.Errorf("an old version: %v", err)
	}
	for _, name := range []string{"", "Upper", "a b", strings.Repeat("x", 41)} {
		p := before
		p.Name = name
		if _, err := w.Settings.SavePolicy(t.Context(), w.admin, p); access.KindOf(err) != access.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTheBuiltInDesk(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made, err := w.Desk.Open(ctx, w.maya, "aviary", "  Printer\x07 on fire ")
	if err != nil || made.Title != "Printer on fire" || made.Number == "" {
		t.Fatalf("ticket = %+v, %v", made, err)
	}
	for range 2 {
		if made, err = w.Desk.Close(ctx, w.maya, made.ID); err != nil || made.ClosedAt.IsZero() {
			t.Fatalf("ticket = %+v, %v", made, err)
		}
	}
	if open, err := w.Desk.Tickets(ctx, w.maya, "", false); err != nil || len(open) != 0 {
		t.Errorf("open tickets = %v, %v", open, err)
	}
	if all, err := w.Desk.Tickets(ctx, w.outsider, "", true); err != nil || len(all) != 0 {
		t.Errorf("an outsider sees %v, %v", all, err)
	}
}
