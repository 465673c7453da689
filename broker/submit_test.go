package broker_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/target/fake"
)

func TestSubmitSaysWhatIsWrongWithEachField(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name   string
		change func(*broker.Submission)
		fields []string
	}{
		{"nothing filled in", func(s *broker.Submission) { *s = broker.Submission{} }, []string{"customer", "target", "ticket", "duration", "reason"}},
		{"no minutes", func(s *broker.Submission) { s.Minutes = 0 }, []string{"duration"}},
		{"negative minutes", func(s *broker.Submission) { s.Minutes = -5 }, []string{"duration"}},
		{"more minutes than a number can hold when multiplied", func(s *broker.Submission) { s.Minutes = math.MaxInt64 }, []string{"duration"}},
		{"minutes that would wrap around to fifteen", func(s *broker.Submission) { s.Minutes = math.MaxInt64/int64(time.Minute) + 15 }, []string{"duration"}},
		{"longer than the policy allows", func(s *broker.Submission) { s.Minutes = 241 }, []string{"duration"}},
		{"no reason", func(s *broker.Submission) { s.Reason = "  \n " }, []string{"reason"}},
		{"a reason too short", func(s *broker.Submission) { s.Reason = "because" }, []string{"reason"}},
		{"no ticket", func(s *broker.Submission) { s.Ticket = "" }, []string{"ticket"}},
		{"a ticket that is not there", func(s *broker.Submission) { s.Ticket = "nonesuch" }, []string{"ticket"}},
		{"a closed ticket", func(s *broker.Submission) { s.Ticket = "closed-aviary" }, []string{"ticket"}},
		{"a ticket of another customer", func(s *broker.Submission) { s.Ticket = "open-kestrel" }, []string{"ticket"}},
		{"a target of another customer", func(s *broker.Submission) { s.Target = "target-kestrel" }, []string{"target"}},
		{"a target that is not there", func(s *broker.Submission) { s.Target = "nonesuch" }, []string{"target"}},
		{"an entitlement that is not offered", func(s *broker.Submission) { s.Entitlement = "root" }, []string{"entitlement"}},
		{"a customer one does not work for", func(s *broker.Submission) { s.Customer = "kestrel" }, []string{"customer"}},
		{"a customer that is not there", func(s *broker.Submission) { s.Customer = "nonesuch" }, []string{"customer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := w.ask()
			tt.change(&s)
			_, err := w.Access.Submit(t.Context(), w.maya, s)
			if access.KindOf(err) != access.Invalid {
				t.Fatalf("error = %v", err)
			}
			got := fields(broker.FieldsOf(err))
			for _, f := range tt.fields {
				if !slices.Contains(got, f) {
					t.Errorf("fields = %v, want %v in them", got, tt.fields)
				}
			}
			preview, err := w.Access.Preview(t.Context(), w.maya, s)
			if err != nil || !slices.Equal(fields(preview.Wrong), got) {
				t.Errorf("the preview says %v (%v), submitting said %v", fields(preview.Wrong), err, got)
			}
		})
	}
	if list, err := w.Access.List(t.Context(), w.admin, access.GrantQuery{}); err != nil || len(list.Rows) != 0 {
		t.Errorf("grants were made: %v, %v", list.Rows, err)
	}
}

func fields(wrong []access.FieldError) (names []string) {
	for _, w := range wrong {
		names = append(names, w.Field)
	}
	return names
}

func TestWhatOneMayNotAskForLooksLikeWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	of := func(change func(*broker.Submission)) string {
		s := w.ask()
		change(&s)
		_, err := w.Access.Submit(t.Context(), w.maya, s)
		wrong := broker.FieldsOf(err)
		if len(wrong) == 0 {
			t.Fatalf("error = %v", err)
		}
		return wrong[0].Field + ": " + wrong[0].Text
	}
	pairs := [][2]func(*broker.Submission){
		{func(s *broker.Submission) { s.Customer = "kestrel" }, func(s *broker.Submission) { s.Customer = "nonesuch" }},
		{func(s *broker.Submission) { s.Target = "target-kestrel" }, func(s *broker.Submission) { s.Target = "nonesuch" }},
		{func(s *broker.Submission) { s.Ticket = "open-kestrel" }, func(s *broker.Submission) { s.Ticket = "nonesuch" }},
	}
	for _, p := range pairs {
		if hidden, missing := of(p[0]), of(p[1]); hidden != missing {
			t.Errorf("%q tells more than %q", hidden, missing)
		}
	}
}

func TestOnlyRequestersAsk(t *testing.T) {
	w := newWorld(t)
	for _, who := range []access.Person{w.admin, w.auditor, w.nobody, w.gone, {}, {ID: "invented", Roles: []access.Role{access.Requester}, AllCustomers: true}} {
		_, err := w.Access.Submit(t.Context(), who, w.ask())
		if access.KindOf(err) != access.NotFound {
			t.Errorf("%q: error = %v", who.ID, err)
		}
	}
	stale := w.maya // signed in before somebody disabled her
	now := w.maya
	now.DisabledAt = time.Now()
	_, err := w.store.People.SavePerson(t.Context(), now)
	check(t, err)
	if _, err := w.Access.Submit(t.Context(), stale, w.ask()); access.KindOf(err) != access.NotFound {
		t.Errorf("disabled a moment ago: error = %v", err)
	}
}

func TestATicketSystemThatIsDownGivesNothing(t *testing.T) {
	w := newWorld(t)
	w.desk.down = true
	_, err := w.Access.Submit(t.Context(), w.maya, w.ask())
	if wrong := broker.FieldsOf(err); len(wrong) != 1 || wrong[0].Text != broker.TicketTrouble {
		t.Errorf("error = %v", err)
	}
}

func TestATicketSystemThatListsTooMuchIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	w.desk.lies = true
	page, err := w.Access.Tickets(t.Context(), w.maya, "aviary", "", "")
	if err != nil || len(page.Tickets) != 1 || page.Tickets[0].ID != "open-aviary" {
		t.Errorf("tickets = %+v, %v", page.Tickets, err)
	}
}

func TestPreviewForesees(t *testing.T) {
	w := newWorld(t)
	p, err := w.Access.Preview(t.Context(), w.maya, w.ask())
	check(t, err)
	if len(p.Wrong) > 0 || p.Username != "maya@t.example" || p.Duration != 15*time.Minute || p.EndsAt.IsZero() || p.Approval || p.Shares || p.Ticket.Number != "#open-aviary" {
		t.Errorf("preview = %+v", p)
	}
	w.active()
	if p, err = w.Access.Preview(t.Context(), w.maya, w.ask()); err != nil || !p.Shares {
		t.Errorf("the second of one person shares the account: %+v, %v", p, err)
	}
}

func TestASubmissionLeavesItsRecordAndPolicyVersion(t *testing.T) {
	w := newWorld(t)
	g := w.submit(w.maya, w.ask())
	if g.PolicyVersion != w.policy.Version || g.ApprovedBy != "policy" || g.Ticket.System != "paper" || g.Requester != "maya" {
		t.Errorf("grant = %+v", g)
	}
	if w.events(g.ID, access.EventSubmitted) != 1 || w.events(g.ID, access.EventApproved) != 1 {
		t.Error("records are missing")
	}
	records, err := w.store.Log.Records(w.ctx, access.RecordQuery{Grant: g.ID, Kind: access.EventSubmitted})
	check(t, err)
	want := map[string]string{"policy": fmt.Sprintf("%s v%d", w.policy.Name, w.policy.Version), "minutes": "15", "reason": "Patching the servers."}
	if len(records) != 1 || !maps.Equal(records[0].Data, want) {
		t.Errorf("records = %+v; want one with %v", records, want)
	}
	again := w.submit(w.maya, w.ask())
	other := w.submit(w.noor, w.ask())
	if again.Account != g.Account || other.Account == g.Account {
		t.Error("grants of one person share an account, those of two do not")
	}
}

// The rules may change between asking, approving, giving and extending; each
// of them goes by the newest.
func TestPolicyChangesMeanwhile(t *testing.T) {
	t.Run("shorter before it is given", func(t *testing.T) {
		w := newWorld(t)
		g := w.submit(w.maya, w.ask())
		w.change(func(p *access.Policy) { p.Max, p.Default = 10*time.Minute, 5*time.Minute })
		w.settle()
		if g = w.want(g.ID, access.NotGiven); g.StopCause != access.ByRefusal || len(w.realm.Marks()) > 0 {
			t.Errorf("grant = %+v, accounts %v", g, w.realm.Marks())
		}
	})
	t.Run("approval needed before it is given", func(t *testing.T) {
		w := newWorld(t)
		g := w.submit(w.maya, w.ask())
		w.change(func(p *access.Policy) { p.NeedsApproval = true })
		w.settle()
		w.want(g.ID, access.NotGiven)
	})
	t.Run("shorter before it is approved", func(t *testing.T) {
		w := newWorld(t)
		w.change(func(p *access.Policy) { p.NeedsApproval = true })
		g := w.submit(w.maya, w.ask())
		w.change(func(p *access.Policy) { p.Max, p.Default = 10*time.Minute, 5*time.Minute })
		if _, err := w.Access.Approve(t.Context(), w.approver, g.ID, ""); access.KindOf(err) != access.Denied {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("shorter before it is extended", func(t *testing.T) {
		w := newWorld(t)
		g := w.active()
		w.change(func(p *access.Policy) { p.Max = 20 * time.Minute })
		if _, err := w.Access.Extend(t.Context(), w.maya, g.ID, 6); access.KindOf(err) != access.Denied {
			t.Errorf("error = %v", err)
		}
		if g, err := w.Access.Extend(t.Context(), w.maya, g.ID, 5); err != nil || g.Extension != 5*time.Minute {
			t.Errorf("extended by %s, %v", g.Extension, err)
		}
	})
	t.Run("the ticket is closed before it is given", func(t *testing.T) {
		w := newWorld(t)
		g := w.submit(w.maya, w.ask())
		w.desk.put("open-aviary", "company-of-aviary", false)
		w.settle()
		w.want(g.ID, access.NotGiven)
	})
	t.Run("the ticket moves to another company before it is given", func(t *testing.T) {
		w := newWorld(t)
		g := w.submit(w.maya, w.ask())
		w.desk.put("open-aviary", "company-of-kestrel", true)
		w.settle()
		w.want(g.ID, access.NotGiven)
	})
	t.Run("the person is disabled before it is given", func(t *testing.T) {
		w := newWorld(t)
		g := w.submit(w.maya, w.ask())
		_, err := w.People.Disable(t.Context(), w.admin, "maya", false, "Left.")
		check(t, err)
		w.settle()
		w.want(g.ID, access.NotGiven)
	})
	t.Run("the ticket system is down when it is to be given, and comes back", func(t *testing.T) {
		w := newWorld(t)
		g := w.submit(w.maya, w.ask())
		w.desk.down = true
		w.settle()
		w.want(g.ID, access.Starting)
		if len(w.realm.Marks()) > 0 {
			t.Error("an account was made although the ticket could not be checked")
		}
		w.desk.down = false
		_, err := w.store.Accounts.Hasten(t.Context(), "")
		check(t, err)
		w.settle()
		w.want(g.ID, access.Active)
		if !slices.Equal(w.realm.Usable(g.Account), []string{fake.Admin}) {
			t.Errorf("usable = %v", w.realm.Usable(g.Account))
		}
	})
}
