package broker_test

import (
	"io"
	"testing"

	"jitney/access"
	"jitney/broker"
)

// TestWhoMayDoWhat calls every method as every kind of person. What somebody
// may not know of answers with exactly the error of what does not exist.
func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	cloud := w.connectCloud()
	held := w.active() // maya's, of the customer aviary
	w.change(func(p *access.Policy) { p.NeedsApproval = true })
	pending := w.submit(w.noor, w.ask())
	deskTicket, err := w.Desk.Open(ctx, w.maya, "aviary", "Printer on fire")
	check(t, err)

	type answer string
	const ok, hidden, denied, other answer = "ok", "hidden", "denied", "other"
	_, missing := w.Access.Grant(ctx, w.admin, "nonesuch")
	judge := func(err error) answer {
		switch {
		case err == nil:
			return ok
		case access.KindOf(err) == access.NotFound && err.Error() == missing.Error():
			return hidden
		case access.KindOf(err) == access.Denied:
			return denied
		case access.KindOf(err) == access.NotFound:
			t.Errorf("an answer that tells more than that nothing is there: %v", err)
		}
		return other
	}
	people := map[string]access.Person{
		"the holder": w.maya, "a colleague": w.noor, "an approver": w.approver, "an outsider": w.outsider, "somebody without a role": w.nobody,
		"an auditor": w.auditor, "an administrator": w.admin, "somebody disabled": w.gone, "nobody at all": {},
	}
	// May lists who is allowed (or finds only their input wrong), No who is
	// denied what they may see; for everybody else there is nothing.
	type rule struct {
		call func(who access.Person) error
		may  []string
		no   []string
	}
	first := func(_ any, err error) error { return err }
	seeing := []string{"the holder", "a colleague", "an approver", "an auditor", "an administrator"}
	without := func(list []string, names ...string) (out []string) {
		for _, l := range list {
			if !has(names, l) {
				out = append(out, l)
			}
		}
		return out
	}
	rules := map[string]rule{
		"read a grant":   {func(who access.Person) error { return first(w.Access.Grant(ctx, who, held.ID)) }, seeing, nil},
		"end a grant":    {func(who access.Person) error { return first(w.Access.End(ctx, who, held.ID)) }, []string{"the holder"}, without(seeing, "the holder")},
		"extend a grant": {func(who access.Person) error { return first(w.Access.Extend(ctx, who, held.ID, 0)) }, []string{"the holder"}, without(seeing, "the holder")},
		"revoke a grant": {func(who access.Person) error {
			return first(w.Access.Revoke(ctx, who, broker.Scope{Grant: held.ID}, ""))
		}, []string{"an administrator"}, without(seeing, "an administrator")},
		"reveal a password":   {func(who access.Person) error { return first(w.Access.Reveal(ctx, who, held.ID)) }, []string{"the holder"}, without(seeing, "the holder")},
		"retrieve a password": {func(who access.Person) error { return first(w.Access.Retrieve(ctx, who, held.ID, "")) }, []string{"an administrator"}, without(seeing, "an administrator")},
		"make a new password": {func(who access.Person) error { return w.Access.NewPassword(ctx, who, held.ID) }, []string{"the holder"}, without(seeing, "the holder")},
		"re-issue a password": {func(who access.Person) error { return w.Access.Reissue(ctx, who, held.ID, "") }, []string{"an administrator"}, without(seeing, "an administrator")},
		"send a note again":   {func(who access.Person) error { return w.Access.RetryNote(ctx, who, held.ID, "nonesuch") }, nil, without(seeing, "the holder", "an administrator")},
		"approve":             {func(who access.Person) error { return first(w.Access.Approve(ctx, who, pending.ID, "")) }, []string{"an approver"}, without(seeing, "an approver")},
		"deny":                {func(who access.Person) error { return first(w.Access.Deny(ctx, who, pending.ID, "")) }, []string{"an approver"}, without(seeing, "an approver")},
		"revoke of a person": {func(who access.Person) error {
			return first(w.Access.Revoke(ctx, who, broker.Scope{Person: "maya"}, ""))
		}, []string{"an administrator"}, nil},
		"revoke of a customer": {func(who access.Person) error {
			return first(w.Access.Revoke(ctx, who, broker.Scope{Customer: "aviary"}, ""))
		}, []string{"an administrator"}, nil},
		"revoke everything": {func(who access.Person) error {
			return first(w.Access.Revoke(ctx, who, broker.Scope{Everything: true}, ""))
		}, []string{"an administrator"}, nil},
		"list tickets":     {func(who access.Person) error { return first(w.Access.Tickets(ctx, who, "aviary", "", "")) }, []string{"the holder", "a colleague", "an approver"}, nil},
		"offer a password": {func(who access.Person) error { return first(w.Access.Offer(ctx, who, "target-aviary")) }, []string{"the holder", "a colleague", "an approver"}, nil},
		"see a customer":   {func(who access.Person) error { return first(w.Places.Customer(ctx, who, "aviary")) }, seeing, nil},
		"save a customer":  {func(who access.Person) error { return first(w.Places.SaveCustomer(ctx, who, access.Customer{})) }, []string{"an administrator"}, nil},
		"read a target":    {func(who access.Person) error { return first(w.Places.Target(ctx, who, "target-aviary")) }, []string{"an administrator", "an auditor"}, nil},
		"save a target": {func(who access.Person) error {
			return first(w.Places.SaveTarget(ctx, who, broker.TargetInput{ID: "target-aviary"}))
		}, []string{"an administrator"}, nil},
		"check a target": {func(who access.Person) error { return first(w.Places.Check(ctx, who, "target-aviary")) }, []string{"an administrator"}, nil},
		"ask for consent": {func(who access.Person) error {
			return first(w.Places.ConsentURL(ctx, who, cloud.ID, "https://jitney.example/consent", "x"))
		}, []string{"an administrator"}, nil},
		"bring back a consent": {func(who access.Person) error { return first(w.Places.Consented(ctx, who, cloud.ID, nil)) }, []string{"an administrator"}, nil},
		"list companies":       {func(who access.Person) error { return first(w.Places.Companies(ctx, who, cloud.ID)) }, []string{"an administrator"}, nil},
		"import companies": {func(who access.Person) error {
			return first(w.Places.Import(ctx, who, cloud.ID, "default", nil))
		}, []string{"an administrator"}, nil},
		"list people":      {func(who access.Person) error { return first(w.People.People(ctx, who)) }, []string{"an administrator", "an auditor"}, nil},
		"read a person":    {func(who access.Person) error { return first(w.People.Person(ctx, who, "noor")) }, []string{"a colleague", "an administrator", "an auditor"}, nil},
		"save a person":    {func(who access.Person) error { return first(w.People.Save(ctx, who, broker.PersonInput{ID: "noor"})) }, []string{"an administrator"}, nil},
		"disable a person": {func(who access.Person) error { return first(w.People.Disable(ctx, who, "noor", true, "")) }, []string{"an administrator"}, nil},
		"enable a person":  {func(who access.Person) error { return w.People.Enable(ctx, who, "noor") }, []string{"an administrator"}, nil},
		"list policies":    {func(who access.Person) error { return first(w.Settings.Policies(ctx, who)) }, []string{"an administrator", "an auditor"}, nil},
		"read a policy":    {func(who access.Person) error { return first(w.Settings.Policy(ctx, who, "default")) }, []string{"an administrator", "an auditor"}, nil},
		"save a policy":    {func(who access.Person) error { return first(w.Settings.SavePolicy(ctx, who, access.Policy{})) }, []string{"an administrator"}, nil},
		"read a setting":   {func(who access.Person) error { return first(w.Settings.Setting(ctx, who, broker.SettingTimeZone)) }, []string{"an administrator", "an auditor"}, nil},
		"set a setting": {func(who access.Person) error {
			return w.Settings.SetSetting(ctx, who, broker.SettingTimeZone, "Nowhere/At all")
		}, []string{"an administrator"}, nil},
		"list desk tickets":    {func(who access.Person) error { return first(w.Desk.Tickets(ctx, who, "aviary", false)) }, seeing, nil},
		"read a desk ticket":   {func(who access.Person) error { return first(w.Desk.Ticket(ctx, who, deskTicket.ID)) }, seeing, nil},
		"open a desk ticket":   {func(who access.Person) error { return first(w.Desk.Open(ctx, who, "aviary", "")) }, without(seeing, "an auditor"), nil},
		"reopen a desk ticket": {func(who access.Person) error { return first(w.Desk.Reopen(ctx, who, deskTicket.ID)) }, without(seeing, "an auditor"), []string{"an auditor"}},
		"close a desk ticket": {func(who access.Person) error {
			_, err := w.Desk.Close(ctx, who, deskTicket.ID)
			if err == nil {
				_, err = w.Desk.Reopen(ctx, who, deskTicket.ID)
			}
			return err
		}, without(seeing, "an auditor"), []string{"an auditor"}},
		"list audit records": {func(who access.Person) error { return first(w.Audit.List(ctx, who, access.RecordQuery{})) }, []string{"an administrator", "an auditor"}, nil},
		"verify the log":     {func(who access.Person) error { return first(w.Audit.Verify(ctx, who)) }, []string{"an administrator", "an auditor"}, nil},
		"export the log":     {func(who access.Person) error { return w.Audit.Export(ctx, who, io.Discard) }, []string{"an administrator", "an auditor"}, nil},
	}
	// What is done last, because it changes something when it is allowed.
	last := []string{"reveal a password", "make a new password", "approve", "end a grant"}
	run := func(name string, r rule) {
		for who, p := range people {
			got := judge(r.call(p))
			want := hidden
			switch {
			case has(r.may, who):
				want = ok
			case has(r.no, who):
				want = denied
			}
			if want == ok && (got == other || got == ok) { // wrong input is fine: they were let in
				continue
			}
			if got != want {
				t.Errorf("%s, %s: %s, want %s", name, who, got, want)
			}
		}
	}
	for name, r := range rules {
		if !has(last, name) {
			run(name, r)
		}
	}
	for _, name := range last {
		run(name, rules[name])
	}
}

func has(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func TestListsShowOnlyWhatOneSees(t *testing.T) {
	w := newWorld(t)
	mine := w.active()
	theirs := w.submit(w.outsider, broker.Submission{Customer: "kestrel", Target: "target-kestrel", Entitlement: "admin", Ticket: "open-kestrel", Minutes: 5, Reason: "Patching the servers."})
	tests := []struct {
		who  access.Person
		q    access.GrantQuery
		want []string
	}{
		{w.admin, access.GrantQuery{}, []string{mine.ID, theirs.ID}},
		{w.auditor, access.GrantQuery{}, []string{mine.ID, theirs.ID}},
		{w.noor, access.GrantQuery{}, []string{mine.ID}},
		{w.outsider, access.GrantQuery{}, []string{theirs.ID}},
		{w.outsider, access.GrantQuery{Customer: "aviary"}, nil},
		{w.outsider, access.GrantQuery{Requester: "maya"}, nil},
		{w.outsider, access.GrantQuery{Customers: []string{"aviary"}}, []string{theirs.ID}},
		{w.nobody, access.GrantQuery{}, nil},
	}
	for _, tt := range tests {
		list, err := w.Access.List(t.Context(), tt.who, tt.q)
		check(t, err)
		got := map[string]bool{}
		for _, r := range list.Rows {
			got[r.Grant.ID] = true
		}
		for _, id := range tt.want {
			if !got[id] {
				t.Errorf("%s with %+v does not see %s", tt.who.ID, tt.q, id)
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s with %+v sees %d grants, want %d", tt.who.ID, tt.q, len(got), len(tt.want))
		}
	}
	if _, err := w.Access.List(t.Context(), w.gone, access.GrantQuery{}); access.KindOf(err) != access.NotFound {
		t.Errorf("somebody disabled: %v", err)
	}
	// Whoever holds access sees and ends it even when they work there no more.
	moved, err := w.People.Save(t.Context(), w.admin, broker.PersonInput{ID: "maya", Version: w.maya.Version, Login: w.maya.Login, Name: w.maya.Name, Roles: w.maya.Roles, Customers: []string{"kestrel"}})
	check(t, err)
	if _, err := w.Access.Extend(t.Context(), moved, mine.ID, 5); access.KindOf(err) != access.Denied {
		t.Errorf("extended where one works no more: %v", err)
	}
	if _, err := w.Access.End(t.Context(), moved, mine.ID); err != nil {
		t.Error(err)
	}
}
