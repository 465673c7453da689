package redmine_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/redmine"
	"jitney/ticket"
	"jitney/ticket/reach"
	"jitney/ticket/redmine"
	"jitney/ticket/tickettest"
)

var (
	here = reach.Rules{Private: []string{"127.0.0.0/8"}}
	full = []string{sim.AddNotes, sim.PrivateNotes}
)

func connect(t *testing.T, url, key string, more ...string) ticket.System {
	t.Helper()
	s := ticket.Settings{Values: map[string]string{"url": url}, Secrets: map[string]secret.Text{"key": secret.New(key)}}
	for i := 0; i+1 < len(more); i += 2 {
		s.Values[more[i]] = more[i+1]
	}
	sys, err := redmine.Kind(here).Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.(interface{ Close() error }).Close() })
	return sys
}

func serve(t *testing.T) (*sim.Server, string) {
	t.Helper()
	s := sim.New(sim.Switches{})
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Wait()
		srv.Close()
		for _, odd := range s.Odd() {
			t.Errorf("the server was asked: %s", odd)
		}
	})
	return s, srv.URL
}

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

func ids(page ticket.Page) (all []string) {
	for _, t := range page.Tickets {
		all = append(all, t.ID)
	}
	return all
}

func TestContract(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("a version that does not tell closed statuses %v", old), func(t *testing.T) {
			tickettest.Run(t, func(t *testing.T) tickettest.Desk {
				s, url := serve(t)
				s.Set(sim.Switches{NoClosed: old})
				ours, theirs := s.AddProject("Aviary", ""), s.AddProject("Bakery", "")
				return tickettest.Desk{System: connect(t, url, s.Key("jitney", full, ours, theirs)), Company: ours, Other: theirs,
					Open:  func(t *testing.T, company, title string) string { return s.AddIssue(company, title) },
					Close: func(t *testing.T, id string) { s.SetStatus(id, "Closed") },
					Paste: func(t *testing.T, id, key string) { s.Paste(id, key) }}
			})
		})
	}
}

func TestNoCraftedTextReachesAnotherCompany(t *testing.T) {
	s, url := serve(t)
	ours, theirs := s.AddProject("Aviary", ""), s.AddProject("Globex", "")
	mine, other := s.AddIssue(ours, "It's 100% broken"), s.AddIssue(theirs, "Theirs")
	sys := connect(t, url, s.Key("jitney", full, ours, theirs))
	for _, evil := range []string{"1/../2", "aviary", "1,2", "*", "1|2", "!1", ">=0", "' OR 1=1", "0", " ", "1 ", "99999999999", "../users/current", "2?x=", "1&project_id=2", "#" + other, other} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: evil}); evil != other && (err != nil || len(page.Tickets) > 0 || page.Foreign > 0) {
			t.Errorf("company %q finds %+v, %v", evil, page, err)
		}
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours, Text: evil}); err != nil || slices.Contains(ids(page), other) {
			t.Errorf("text %q finds %+v, %v", evil, page, err)
		}
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours, Cursor: evil}); err != nil || slices.Contains(ids(page), other) {
			t.Errorf("cursor %q finds %+v, %v", evil, page, err)
		}
		if found, err := sys.Find(t.Context(), evil); evil != other && (err != nil || len(found) > 0) {
			t.Errorf("id %q finds %v, %v", evil, found, err)
		}
		if refs, err := sys.Notes(t.Context(), mine, evil); err != nil || len(refs) > 0 {
			t.Errorf("key %q finds %v, %v", evil, refs, err)
		}
	}
	s.Set(sim.Switches{IgnoreCompany: true})
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours}); err != nil || !slices.Equal(ids(page), []string{mine}) || page.Foreign != 1 {
		t.Errorf("a list of every project: %+v, %v", page, err)
	}
	s.Set(sim.Switches{Swap: map[string]string{mine: other}})
	if refs, err := sys.Notes(t.Context(), mine, note(1).Key); err == nil {
		t.Errorf("an id that answers with another ticket: %v", refs)
	}
	if _, err := sys.AddNote(t.Context(), mine, note(1)); err == nil || len(s.Notes("Enabled", false)) > 0 {
		t.Errorf("a note to an id that answers with another ticket: %v", err)
	}
}

func TestSubprojectsAreOtherCompanies(t *testing.T) {
	s, url := serve(t)
	parent := s.AddProject("All customers", "")
	child := s.AddProject("Globex", parent)
	mine := s.AddIssue(parent, "Ours")
	s.AddIssue(child, "Theirs")
	page, err := connect(t, url, s.Key("jitney", full, parent, child)).Tickets(t.Context(), ticket.Query{Company: parent})
	if err != nil || !slices.Equal(ids(page), []string{mine}) || page.Foreign != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestANoteIsPrivateOrNotWritten(t *testing.T) {
	s, url := serve(t)
	ours := s.AddProject("Aviary", "")
	id := s.AddIssue(ours, "Ours")
	loud := s.Key("loud", []string{sim.AddNotes}, ours)
	if _, err := connect(t, url, loud).AddNote(t.Context(), id, note(1)); ticket.TroubleOf(err) != ticket.Forbidden || len(s.Notes("", false)) > 0 {
		t.Errorf("without the right to private notes: %v, %v", err, s.Notes("", false))
	}
	if _, err := connect(t, url, loud, "notes", "public").AddNote(t.Context(), id, note(2)); err != nil || len(s.Notes("", true)) != 1 {
		t.Errorf("public by choice: %v, %v", err, s.Notes("", true))
	}
	mute := s.Key("mute", nil, ours)
	for _, way := range []string{"private", "public"} {
		if _, err := connect(t, url, mute, "notes", way).AddNote(t.Context(), id, note(3)); ticket.TroubleOf(err) != ticket.Forbidden {
			t.Errorf("without the right to notes: %v", err)
		}
	}
	sys := connect(t, url, s.Key("jitney", full, ours))
	if ref, err := sys.AddNote(t.Context(), id, note(4)); err != nil || ref.ID == "" || len(s.Notes(note(4).Key, true)) > 0 {
		t.Errorf("%+v, %v", ref, err)
	}
	s.Set(sim.Switches{DropNotes: true})
	if _, err := sys.AddNote(t.Context(), id, note(5)); ticket.TroubleOf(err) != ticket.Forbidden {
		t.Errorf("a note that is taken and not kept: %v", err)
	}
}

func TestNotesAreShownLetterByLetter(t *testing.T) {
	s, url := serve(t)
	ours := s.AddProject("Aviary", "")
	id, key := s.AddIssue(ours, "Ours"), s.Key("jitney", full, ours)
	evil := "adm@contoso.com @admin\n{{include(Secrets)}} </pre> </PRE > ``` ~~~ \x00\x1b[31m\u202e"
	for way, want := range map[string]string{
		"Textile":  "<pre>\nadm@contoso.com @ admin\n{ {include(Secrets)}} < /pre> < /PRE > ` ` ` ~ ~ ~ [31m\n[jitney:g1:granted:7]\n</pre>",
		"Markdown": "~~~\nadm@contoso.com @ admin\n{ {include(Secrets)}} < /pre> < /PRE > ` ` ` ~ ~ ~ [31m\n[jitney:g1:granted:7]\n~~~",
	} {
		n := note(7)
		n.Body = evil
		if _, err := connect(t, url, key, "markup", way).AddNote(t.Context(), id, n); err != nil {
			t.Fatal(err)
		}
		all := s.Notes("", false)
		if got := all[len(all)-1]; got != want {
			t.Errorf("%s: %q\nwant %q", way, got, want)
		}
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
		{"a gateway's page", sim.Switches{ErrorPages: 1}, ticket.Down, ticket.Down, 0},
		{"a sign-in page", sim.Switches{SignIn: true}, ticket.Misconfigured, ticket.Misconfigured, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t)
			ours := s.AddProject("Aviary", "")
			id := s.AddIssue(ours, "Ours")
			sys := connect(t, url, s.Key("jitney", full, ours))
			s.Set(tt.sw)
			if _, err := sys.Tickets(t.Context(), ticket.Query{Company: ours}); (err == nil) != (tt.read == "") || err != nil && ticket.TroubleOf(err) != tt.read {
				t.Errorf("Tickets: %v; want %q", err, tt.read)
			}
			if _, err := sys.AddNote(t.Context(), id, note(1)); err == nil || ticket.TroubleOf(err) != tt.write {
				t.Errorf("AddNote: %v; want %q", err, tt.write)
			}
			if _, writes := s.Calls(); writes > 1 {
				t.Errorf("AddNote wrote %d times", writes)
			}
			s.Wait()
			if n := len(s.Notes(note(1).Key, false)); n != tt.stored {
				t.Errorf("%d notes are stored; want %d", n, tt.stored)
			}
		})
	}
}

func TestTicketsMoveAndVanish(t *testing.T) {
	s, url := serve(t)
	ours, theirs, hidden := s.AddProject("Aviary", ""), s.AddProject("Globex", ""), s.AddProject("Hidden", "")
	a, b, c := s.AddIssue(ours, "A"), s.AddIssue(ours, "B"), s.AddIssue(hidden, "C")
	key := s.Key("jitney", full, ours, theirs)
	sys := connect(t, url, key)
	s.Move(a, theirs)
	s.Delete(b)
	if got, ok := find(t, sys, a); !ok || got.Company != theirs {
		t.Errorf("moved: %+v", got)
	}
	for _, id := range []string{b, c} {
		if got, ok := find(t, sys, id); ok {
			t.Errorf("%+v", got)
		}
	}
	if _, err := sys.AddNote(t.Context(), b, note(1)); ticket.TroubleOf(err) != ticket.Gone {
		t.Errorf("a note to a deleted ticket: %v", err)
	}
	s.Revoke(key)
	if _, err := sys.AddNote(t.Context(), a, note(1)); ticket.TroubleOf(err) != ticket.Misconfigured || strings.Contains(err.Error(), key) {
		t.Errorf("with a key that was replaced: %v", err)
	}
}

func TestFiveHundredTickets(t *testing.T) {
	s, url := serve(t)
	ours := s.AddProject("Aviary", "")
	var all []string
	for i := range 500 {
		all = append(all, s.AddIssue(ours, fmt.Sprint("Ticket ", i)))
	}
	sys := connect(t, url, s.Key("jitney", full, ours))
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
		s.AddIssue(ours, "New meanwhile")
	}
	if calls, _ := s.Calls(); seen != 500 || calls > 6 {
		t.Errorf("%d tickets in %d calls", seen, calls)
	}
	if found, err := sys.Find(t.Context(), all...); err != nil || len(found) != 500 {
		t.Errorf("Find: %d, %v", len(found), err)
	}
}

func TestCheckAndCompanies(t *testing.T) {
	s, url := serve(t)
	var all []string
	for i := range 120 {
		all = append(all, s.AddProject(fmt.Sprint("Customer ", i), ""))
	}
	check := func(key string, more ...string) string {
		found, err := connect(t, url, key, more...).(ticket.Checker).Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(found)
	}
	key := s.Key("jitney", full, all...)
	if got := check(key); !strings.Contains(got, "signed in as jitney") || !strings.Contains(got, "Notes are private.") || !strings.Contains(got, "120 projects") || !strings.Contains(got, "without encryption") {
		t.Error(got)
	}
	if got := check(key); !strings.Contains(got, "time can be booked in 0 of the 20 projects that were looked at, and a status be set in 0") || !strings.Contains(got, "Log spent time") {
		t.Error(got)
	}
	if got := check(s.Key("worker", []string{sim.LogTime, sim.ViewTime, sim.EditIssues}, all[0])); !strings.Contains(got, "time can be booked in 1 of the 1 projects that were looked at, and a status be set in 1") {
		t.Error(got)
	}
	s.Set(sim.Switches{TwoWaiting: true})
	if got := check(key); !strings.Contains(got, "Closed are tickets with the status Closed. Statuses: New, Closed, Waiting, waiting.") {
		t.Error(got)
	}
	s.Set(sim.Switches{NeverClosed: true})
	if got := check(key); !strings.Contains(got, "{warning No status of Redmine closes a ticket") {
		t.Error(got)
	}
	s.Set(sim.Switches{})
	if got := check(s.Key("loud", []string{sim.AddNotes}, all[0])); !strings.Contains(got, "error") || !strings.Contains(got, "Customer 0") {
		t.Error(got)
	}
	if got := check(s.Key("root", nil), "notes", "public"); !strings.Contains(got, "administrator") || !strings.Contains(got, "Notes are public") {
		t.Error(got)
	}
	companies, err := connect(t, url, key).(ticket.Importer).Companies(t.Context())
	if err != nil || len(companies) != 120 || companies[0] != (ticket.Company{ID: "1", Name: "Customer 0"}) {
		t.Errorf("%d companies, %v", len(companies), err)
	}
	s.Revoke(key)
	if got := check(key); !strings.Contains(got, "does not accept the credentials") || strings.Contains(got, key) {
		t.Error(got)
	}
}

func TestSettings(t *testing.T) {
	for value, ok := range map[[2]string]bool{
		{"url", "https://redmine.example.com"}: true, {"url", ""}: false, {"url", "http://redmine.example.com"}: false, {"url", "http://127.0.0.1/redmine"}: true,
		{"notes", "public"}: true, {"notes", "loud"}: false, {"markup", "Markdown"}: true, {"markup", "HTML"}: false,
	} {
		s := ticket.Settings{Values: map[string]string{"url": "https://redmine.example.com"}, Secrets: map[string]secret.Text{"key": secret.New("abc")}}
		s.Values[value[0]] = value[1]
		if err := redmine.Kind(here).Valid(s); (err == nil) != ok || err != nil && access.KindOf(err) != access.Invalid {
			t.Errorf("%v: %v", value, err)
		}
	}
	for _, bad := range []string{"", "a b", "a\r\nX: 1"} {
		if err := redmine.Kind(here).Valid(ticket.Settings{Values: map[string]string{"url": "https://redmine.example.com"}, Secrets: map[string]secret.Text{"key": secret.New(bad)}}); err == nil {
			t.Errorf("key %q is taken", bad)
		}
	}
}

func TestASlowSystemHoldsNobodyUp(t *testing.T) {
	s, url := serve(t)
	ours := s.AddProject("Aviary", "")
	sys := connect(t, url, s.Key("jitney", full, ours))
	s.Set(sim.Switches{Slow: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := sys.Tickets(ctx, ticket.Query{Company: ours}); ticket.TroubleOf(err) != ticket.Down || time.Since(began) > 50*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
