package rt_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/rt"
	"jitney/ticket"
	"jitney/ticket/reach"
	"jitney/ticket/rt"
)

func note(n int) ticket.Note {
	return ticket.Note{Key: fmt.Sprintf("jitney:g1:granted:%d", n), Subject: "Access", Body: fmt.Sprintf("Enabled.\n[jitney:g1:granted:%d]", n)}
}

func find(t *testing.T, sys ticket.System, id string) (ticket.Ticket, bool) {
	t.Helper()
	found, err := sys.Find(t.Context(), id)
	if err != nil {
		t.Fatalf("Find %s: %v", id, err)
	}
	got, ok := found[id]
	return got, ok
}

func notes(t *testing.T, sys ticket.System, id, key string) int {
	t.Helper()
	refs, err := sys.Notes(t.Context(), id, key)
	if err != nil {
		t.Fatalf("Notes of %s: %v", id, err)
	}
	return len(refs)
}

func ids(page ticket.Page) (all []string) {
	for _, t := range page.Tickets {
		all = append(all, t.ID)
	}
	return all
}

func TestNoCraftedTextReachesAnotherCompany(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	token, ours, theirs := s.Token("jitney", true), s.AddQueue("Aviary"), s.AddQueue("Globex")
	mine := s.AddTicket(ours, "It's 100% broken", "Aviary")
	s.AddTicket(theirs, "Theirs", "Globex")
	crafted := []string{"1 OR Queue = 2", "x' OR Queue = 'Globex", "1' OR '1'='1", `x\' OR Queue = 'Globex`, `\`, "'", "0", "1)", "Aviary' OR id > '0", "", " ", "1 ", "١", "99999999999", "-1", "Globex\x00"}
	for _, way := range [][]string{nil, {"company", "custom field", "company_field", sim.CompanyField}} {
		sys := connect(t, url, token, way...)
		for _, evil := range crafted {
			page, err := sys.Tickets(t.Context(), ticket.Query{Company: evil})
			if err != nil || len(page.Tickets) > 0 || page.Foreign > 0 {
				t.Errorf("company %q finds %+v, %v", evil, page, err)
			}
			page, err = sys.Tickets(t.Context(), ticket.Query{Company: ours, Text: evil, Cursor: ""})
			if err != nil || page.Foreign > 0 || slices.Contains(ids(page), "2") {
				t.Errorf("text %q finds %+v, %v", evil, page, err)
			}
			if page, err = sys.Tickets(t.Context(), ticket.Query{Company: ours, Cursor: evil}); err != nil || slices.Contains(ids(page), "2") {
				t.Errorf("cursor %q finds %+v, %v", evil, page, err)
			}
			if found, err := sys.Find(t.Context(), evil); err != nil || len(found) > 0 {
				t.Errorf("id %q finds %v, %v", evil, found, err)
			}
			if refs, err := sys.Notes(t.Context(), mine, evil); err != nil || len(refs) > 0 {
				t.Errorf("key %q finds %v, %v", evil, refs, err)
			}
		}
	}
	sys := connect(t, url, token)
	for _, text := range []string{"it's", "100%", "#" + mine, mine} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours, Text: text}); err != nil || !slices.Equal(ids(page), []string{mine}) {
			t.Errorf("text %q: %+v, %v", text, page, err)
		}
	}
	if page, _ := sys.Tickets(t.Context(), ticket.Query{Company: ours, Text: "10_"}); len(page.Tickets) != 0 {
		t.Error("a letter that the database takes for any other finds a ticket")
	}
}

func TestASystemThatAnswersWithOthersTickets(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	ours, theirs := s.AddQueue("Aviary"), s.AddQueue("Globex")
	mine := s.AddTicket(ours, "Ours", "")
	other := s.AddTicket(theirs, "Theirs", "")
	sys := connect(t, url, s.Token("jitney", true))

	s.Set(sim.Switches{IgnoreCompany: true})
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours}); err != nil || !slices.Equal(ids(page), []string{mine}) || page.Foreign != 1 {
		t.Errorf("a search that ignores the company: %+v, %v", page, err)
	}
	s.Set(sim.Switches{Swap: map[string]string{"77": other}})
	if got, ok := find(t, sys, "77"); !ok || got.Company != theirs || got.MergedInto != other {
		t.Errorf("an id that answers with another ticket: %+v", got)
	}
}

func TestMergedTickets(t *testing.T) {
	for name, field := range map[string]string{"with a key field": sim.KeyField, "with keys in the text": ""} {
		t.Run(name, func(t *testing.T) {
			s, url := serve(t, sim.Switches{})
			ours, theirs := s.AddQueue("Aviary"), s.AddQueue("Globex")
			sys := connect(t, url, s.Token("jitney", true), "key_field", field)
			old, into, foreign := s.AddTicket(ours, "Old", ""), s.AddTicket(ours, "Into", ""), s.AddTicket(theirs, "Foreign", "")
			if _, err := sys.AddNote(t.Context(), old, note(1)); err != nil {
				t.Fatal(err)
			}
			s.Merge(old, into)
			if got, ok := find(t, sys, old); !ok || got.ID != old || got.Number != old || got.MergedInto != into || !got.Open || got.Company != ours {
				t.Errorf("merged: %+v", got)
			}
			if _, err := sys.AddNote(t.Context(), old, note(2)); err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= 2; n++ { // written before and after
				if got := notes(t, sys, old, note(n).Key); got != 1 {
					t.Errorf("note %d is found %d times", n, got)
				}
			}
			s.SetStatus(into, "resolved")
			if got, _ := find(t, sys, old); got.Open {
				t.Errorf("merged into a closed one: %+v", got)
			}
			s.Merge(into, foreign)
			if got, _ := find(t, sys, old); got.Company != theirs {
				t.Errorf("merged into another company's: %+v", got)
			}
		})
	}
}

func TestEveryStatusOfItsLifecycleThatIsActiveIsOpen(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	ours := s.AddQueue("Aviary")
	sys := connect(t, url, s.Token("jitney", true))
	for status, open := range map[string]bool{"new": true, "open": true, "stalled": true, "resolved": false, "rejected": false} {
		id := s.AddTicket(ours, "Is "+status, "")
		s.SetStatus(id, status)
		if got, ok := find(t, sys, id); !ok || got.Open != open || got.Status != status {
			t.Errorf("%s: %+v", status, got)
		}
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours}); err != nil || slices.Contains(ids(page), id) != open {
			t.Errorf("%s: %+v, %v", status, page, err)
		}
	}
}

func TestTicketsThatAreNotThere(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	ours, theirs := s.AddQueue("Aviary"), s.AddQueue("Globex")
	gone, hidden := s.AddTicket(ours, "Deleted", ""), s.AddTicket(theirs, "Hidden", "")
	s.SetStatus(gone, "deleted")
	narrow := connect(t, url, s.Token("narrow", true, ours))
	for _, id := range []string{gone, hidden, "999"} {
		if got, ok := find(t, narrow, id); ok {
			t.Errorf("%s: %+v", id, got)
		}
	}
	if page, err := narrow.Tickets(t.Context(), ticket.Query{Company: theirs}); err != nil || len(page.Tickets) > 0 {
		t.Errorf("a forbidden queue: %+v, %v", page, err)
	}
	if _, err := narrow.AddNote(t.Context(), "999", note(1)); ticket.TroubleOf(err) != ticket.Gone {
		t.Errorf("a note to no ticket: %v", err)
	}
	if _, err := narrow.AddNote(t.Context(), hidden, note(1)); ticket.TroubleOf(err) != ticket.Forbidden {
		t.Errorf("a note to a hidden ticket: %v", err)
	}
	dumb := connect(t, url, s.Token("dumb", false))
	if _, err := dumb.AddNote(t.Context(), hidden, note(1)); ticket.TroubleOf(err) != ticket.Forbidden {
		t.Errorf("a note without the right: %v", err)
	}
}

func TestTroubleOnTheWay(t *testing.T) {
	tests := []struct {
		name        string
		sw          sim.Switches
		read, write ticket.TroubleKind
		stored      int
	}{
		{"the answer is lost", sim.Switches{LoseAnswers: 1}, "", ticket.Doubtful, 1},
		{"the request is lost", sim.Switches{LoseRequests: 1}, "", ticket.Doubtful, 0},
		{"it lands late", sim.Switches{LateEvery: 1, Late: 20 * time.Millisecond}, "", ticket.Doubtful, 1},
		{"too many calls", sim.Switches{Throttle: 1}, ticket.Throttled, ticket.Throttled, 0},
		{"a gateway's page", sim.Switches{ErrorPages: 1}, ticket.Down, ticket.Doubtful, 0},
		{"a sign-in page", sim.Switches{SignIn: true}, ticket.Misconfigured, ticket.Doubtful, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t, sim.Switches{})
			ours := s.AddQueue("Aviary")
			id := s.AddTicket(ours, "Ours", "")
			sys := connect(t, url, s.Token("jitney", true))
			s.Set(tt.sw)
			if _, err := sys.Tickets(t.Context(), ticket.Query{Company: ours}); (err == nil) != (tt.read == "") || err != nil && ticket.TroubleOf(err) != tt.read {
				t.Errorf("Tickets: %v; want %q", err, tt.read)
			}
			before := s.Calls()
			if _, err := sys.AddNote(t.Context(), id, note(1)); err == nil || ticket.TroubleOf(err) != tt.write {
				t.Errorf("AddNote: %v; want %q", err, tt.write)
			}
			if n := s.Calls() - before; n != 1 {
				t.Errorf("AddNote made %d calls; want 1", n)
			}
			s.Wait()
			if n := len(s.Comments(note(1).Key)); n != tt.stored {
				t.Errorf("%d notes are stored; want %d", n, tt.stored)
			}
		})
	}
	t.Run("the token is replaced in the middle", func(t *testing.T) {
		s, url := serve(t, sim.Switches{})
		id, token := s.AddTicket(s.AddQueue("Aviary"), "Ours", ""), s.Token("jitney", true)
		sys := connect(t, url, token)
		s.Revoke(token)
		_, err := sys.AddNote(t.Context(), id, note(1))
		if ticket.TroubleOf(err) != ticket.Misconfigured || strings.Contains(err.Error(), token) {
			t.Errorf("AddNote: %v", err)
		}
		if _, err := connect(t, url, s.Token("jitney", true)).AddNote(t.Context(), id, note(1)); err != nil {
			t.Errorf("with the new one: %v", err)
		}
	})
}

func TestKeysOfOtherCaseAreOtherKeys(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddQueue("Aviary"), "Ours", "")
	sys := connect(t, url, s.Token("jitney", true))
	n := note(1)
	n.Key = strings.ToUpper(n.Key)
	if _, err := sys.AddNote(t.Context(), id, n); err != nil {
		t.Fatal(err)
	}
	if got := notes(t, sys, id, note(1).Key); got != 0 {
		t.Errorf("found %d times", got)
	}
}

func TestFiveHundredTickets(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	ours := s.AddQueue("Aviary")
	var all []string
	for i := range 500 {
		id := s.AddTicket(ours, fmt.Sprint("Ticket ", i), "")
		if all = append(all, id); i%100 == 0 {
			s.SetStatus(id, "resolved")
		}
	}
	sys := connect(t, url, s.Token("jitney", true))
	seen, q := 0, ticket.Query{Company: ours}
	for {
		page, err := sys.Tickets(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Tickets)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
		s.AddTicket(ours, "New meanwhile", "")
	}
	if calls := s.Calls(); seen != 495 || calls > 6 {
		t.Errorf("%d tickets in %d calls; want 495 in 5", seen, calls)
	}
	before := s.Calls()
	found, err := sys.Find(t.Context(), all...)
	if calls := s.Calls() - before; err != nil || len(found) != 500 || calls > 20 {
		t.Errorf("Find: %d of 500 in %d calls, %v", len(found), calls, err)
	}
}

func TestCheck(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	token := s.Token("jitney", true)
	check := func(sys ticket.System) string {
		found, err := sys.(ticket.Checker).Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(found)
	}
	if got := check(connect(t, url, token)); !strings.Contains(got, "sees no queue") || !strings.Contains(got, "signed in as jitney") || !strings.Contains(got, "without encryption") {
		t.Error(got)
	}
	s.AddQueue("Aviary")
	if got := check(connect(t, url, token)); !strings.Contains(got, "by the custom field JitneyKey") || !strings.Contains(got, "1 queues") || !strings.Contains(got, "time is booked") || !strings.Contains(got, "ModifyTicket") {
		t.Error(got)
	}
	s.Set(sim.Switches{NoKeys: true})
	if got := check(connect(t, url, token)); !strings.Contains(got, "warning") || !strings.Contains(got, "Aviary") {
		t.Error(got)
	}
	s.Revoke(token)
	if got := check(connect(t, url, token)); !strings.Contains(got, "does not accept the credentials") || strings.Contains(got, token) {
		t.Error(got)
	}
}

func TestCompanies(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	q := s.AddQueue("Aviary")
	for i := range 250 {
		s.AddQueue(fmt.Sprint("Customer ", i))
	}
	s.AddTicket(q, "A", "O'Brien")
	s.AddTicket(q, "B", "Globex")
	s.AddTicket(q, "C", "Globex")
	token := s.Token("jitney", true)
	all, err := connect(t, url, token).(ticket.Importer).Companies(t.Context())
	if err != nil || len(all) != 251 || all[0] != (ticket.Company{ID: q, Name: "Aviary"}) {
		t.Errorf("queues: %d, %v", len(all), err)
	}
	sys := connect(t, url, token, "company", "custom field", "company_field", sim.CompanyField)
	if all, err = sys.(ticket.Importer).Companies(t.Context()); err != nil || fmt.Sprint(all) != "[{Globex Globex false} {O'Brien O'Brien false}]" {
		t.Errorf("values: %v, %v", all, err)
	}
	if got, err := sys.(ticket.Picker).Options(t.Context(), "key_field"); err != nil || fmt.Sprint(got) != "[{JitneyKey JitneyKey}]" {
		t.Errorf("Options: %v, %v", got, err)
	}
}

func TestSettings(t *testing.T) {
	good := map[string]string{"url": "https://rt.example.com"}
	token := map[string]secret.Text{"token": secret.New("1-14-abc")}
	tests := []struct {
		name  string
		field string
		value string
		ok    bool
	}{
		{"address and token", "", "", true},
		{"no address", "url", "", false},
		{"an address without encryption", "url", "http://rt.example.com", false},
		{"one that the operator named", "url", "http://127.0.0.5/rt", true},
		{"a field with a quote", "key_field", "a'b", false},
		{"a field with a brace", "key_field", "a} = 'x' OR CF.{b", false},
		{"a company that is nothing", "company", "project", false},
		{"a custom field without a name", "company", "custom field", false},
		{"rubbish for an authority", "ca", "rubbish", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := ticket.Settings{Values: map[string]string{"url": good["url"]}, Secrets: token}
			if tt.field != "" {
				s.Values[tt.field] = tt.value
			}
			err := rt.Kind(here).Valid(s)
			if (err == nil) != tt.ok || err != nil && access.KindOf(err) != access.Invalid {
				t.Errorf("%v", err)
			}
		})
	}
	for _, bad := range []string{"", "a b", "a\r\nX-Evil: 1", strings.Repeat("x", 600)} {
		err := rt.Kind(reach.Rules{}).Valid(ticket.Settings{Values: good, Secrets: map[string]secret.Text{"token": secret.New(bad)}})
		if err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("token %q: %v", bad, err)
		}
	}
}

func TestASlowSystemHoldsNobodyUp(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	ours := s.AddQueue("Aviary")
	sys := connect(t, url, s.Token("jitney", true))
	s.Set(sim.Switches{Slow: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := sys.Tickets(ctx, ticket.Query{Company: ours}); ticket.TroubleOf(err) != ticket.Down || time.Since(began) > 50*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
