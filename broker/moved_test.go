package broker_test

import (
	"context"
	"strings"
	"testing"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/target"
)

// A target whose settings lead elsewhere while access is live could not end it
// any more, and would find nothing where it looks.
func TestATargetCannotMoveAwayFromLiveAccess(t *testing.T) {
	w := newWorld(t)
	save := func(place, mode string) error {
		t.Helper()
		page, err := w.Places.Target(w.ctx, w.admin, "target-aviary")
		check(t, err)
		_, err = w.Places.SaveTarget(w.ctx, w.admin, broker.TargetInput{ID: "target-aviary", Version: page.Target.Version, Name: page.Target.Name, Policy: page.Target.Policy,
			Values: map[string]string{"domain": "t.example", "site": place, "mode": mode}})
		return err
	}
	check(t, save("here", "slow"))
	g := w.active()
	if err := save("there", "slow"); len(broker.FieldsOf(err)) != 1 || broker.FieldsOf(err)[0].Field != "site" {
		t.Errorf("it moved: %v", err)
	}
	check(t, save("here", "fast"))
	_, err := w.Access.End(w.ctx, w.maya, g.ID)
	check(t, err)
	w.settle()
	w.want(g.ID, access.Ended)
	check(t, save("there", "fast"))
}

// By a value that is for one customer alone, one of them could get into what is
// another's.
func TestNoTwoCustomersShareWhatNobodyCanGuess(t *testing.T) {
	kind := target.Kind{Name: "vault", Title: "Cloud", Sessions: true, Fields: []target.Field{{Name: "external_id", Title: "External ID", Random: true}, {Name: "note", Title: "Note"}},
		Entitlements: target.Offer(target.Entitlement{Name: "tenant", Title: "Tenant"}),
		Open:         func(context.Context, string, target.Settings) (target.System, error) { return &vault{}, nil }}
	w := newWorldOf(t, kind)
	other, err := w.Places.SaveCustomer(w.ctx, w.admin, access.Customer{Name: "Harbour"})
	check(t, err)
	add := func(customer, external string) (access.Target, error) {
		return w.Places.SaveTarget(w.ctx, w.admin, broker.TargetInput{Customer: customer, Kind: "vault", Name: "Cloud", Values: map[string]string{"external_id": external, "note": "the same"}})
	}
	first, err := add("aviary", "one")
	check(t, err)
	_, err = add("aviary", "one")
	check(t, err)
	_, err = add(other.ID, "one")
	if f := broker.FieldsOf(err); len(f) != 1 || f[0].Field != "external_id" || !strings.Contains(f[0].Text, "another customer") || strings.Contains(f[0].Text, "viary") {
		t.Errorf("two customers share an external ID: %v", err)
	}
	theirs, err := add(other.ID, "two")
	check(t, err)
	in := broker.TargetInput{ID: theirs.ID, Version: theirs.Version, Name: "Cloud", Values: map[string]string{"external_id": "one", "note": "the same"}}
	if _, err = w.Places.SaveTarget(w.ctx, w.admin, in); len(broker.FieldsOf(err)) != 1 {
		t.Errorf("a change has them share it: %v", err)
	}
	old, err := w.store.Targets.Target(w.ctx, theirs.ID) // as it could be before
	check(t, err)
	old.Settings["external_id"] = "one"
	old, err = w.store.Targets.SaveTarget(w.ctx, old, nil)
	check(t, err)
	in.Version, in.Disabled = old.Version, true
	_, err = w.Places.SaveTarget(w.ctx, w.admin, in)
	check(t, err)
	_, err = w.Places.SaveTarget(w.ctx, w.admin, broker.TargetInput{ID: first.ID, Version: first.Version, Name: "Cloud", Values: map[string]string{"note": "changed"}})
	check(t, err)
}

// Nobody can read a secret that is stored, and so nobody, whose browser was
// stolen for a minute, shall have it sent to a machine of their own.
func TestWhatIsStoredIsSentNowhereElse(t *testing.T) {
	w := newWorld(t)
	in := broker.TargetInput{Customer: "aviary", Kind: "fake", Name: "Second", Values: map[string]string{"domain": "two.example", "site": "here"},
		Secrets: map[string]secret.Text{"key": secret.New("key-of-the-domain")}}
	one, err := w.Places.SaveTarget(w.ctx, w.admin, in)
	check(t, err)
	desk := broker.ConnectionInput{Kind: "bureau", Values: map[string]string{"url": "https://b.example"}, Secrets: map[string]secret.Text{"token": secret.New("token-of-the-desk")}}
	two, err := w.Broker.Tickets.Save(w.ctx, w.admin, desk)
	check(t, err)
	targetTo := func(site string, secrets map[string]secret.Text) (err error) {
		in.ID, in.Version, in.Values["site"], in.Secrets = one.ID, one.Version, site, secrets
		changed, err := w.Places.SaveTarget(w.ctx, w.admin, in)
		if err == nil {
			one = changed
		}
		return err
	}
	deskTo := func(url string, secrets map[string]secret.Text) (err error) {
		desk.ID, desk.Version, desk.Values["url"], desk.Secrets = two.ID, two.Version, url, secrets
		changed, err := w.Broker.Tickets.Save(w.ctx, w.admin, desk)
		if err == nil {
			two = changed
		}
		return err
	}
	if fields := broker.FieldsOf(targetTo("evil.example", nil)); len(fields) != 1 || fields[0].Field != "key" {
		t.Errorf("the key of a target goes elsewhere: %+v", fields)
	}
	if fields := broker.FieldsOf(deskTo("https://evil.example", nil)); len(fields) != 1 || fields[0].Field != "token" {
		t.Errorf("the token of a ticket system goes elsewhere: %+v", fields)
	}
	check(t, targetTo("there", map[string]secret.Text{"key": secret.New("key-of-the-domain")}))
	check(t, targetTo("there", nil))
	check(t, deskTo("https://c.example", map[string]secret.Text{"token": secret.New("token-of-the-desk")}))
	check(t, deskTo("https://c.example", nil))
}
