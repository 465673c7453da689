package halo_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/halo"
	"jitney/ticket"
	"jitney/ticket/halo"
	"jitney/ticket/tickettest"
)

func TestSettings(t *testing.T) {
	const url = "https://aviary.halopsa.com"
	tests := []struct {
		name  string
		more  []string
		wrong string // part of the error
	}{
		{"all that is needed", nil, ""},
		{"an authorisation server of its own", []string{"auth_url", "https://auth.halopsa.com/token"}, ""},
		{"an authorisation server without https", []string{"auth_url", "http://auth.halopsa.com"}, "https"},
		{"an address without https", []string{"url", "http://aviary.halopsa.com"}, "https"},
		{"an instance that adds a parameter", []string{"tenant", "a&b=c"}, "instance"},
		{"an instance that is a path", []string{"tenant", "a/b"}, "instance"},
		{"no client ID", []string{"client_id", ""}, "client ID"},
		{"a secret with a line break", []string{"client_secret", "a\nb"}, "client secret"},
		{"an outcome of two lines", []string{"outcome", "a\nb"}, "outcome"},
		{"statuses that are no numbers", []string{"closed", "9,done"}, "numbers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := halo.Kind(here).Valid(settings(url, tt.more...))
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tt.wrong)) || access.KindOf(err) != access.Invalid) {
				t.Errorf("got %v; want %q", err, tt.wrong)
			}
		})
	}
}

func TestCraftedCompanyListsNothing(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddClient("A"), s.AddClient("B")
	s.AddTicket(b, "Theirs")
	sys := connect(t, url)
	for _, company := range []string{a + "&client_id=" + b, a + "," + b, "-1", "0", `"`, "99999999999", ""} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: company}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("company %q: %+v, %v", company, page, err)
		}
	}
	for _, text := range []string{"x&client_id=" + b, "2001"} { // the second is the number of theirs
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a, Text: text}); err != nil || len(page.Tickets) != 0 || page.Foreign != 0 {
			t.Errorf("text %q: %+v, %v", text, page, err)
		}
	}
	for _, cursor := range []string{"2", "2-", "0-10", "2-1000", "2&client_id=1", "x"} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: b, Cursor: cursor}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("cursor %q: %+v, %v", cursor, page, err)
		}
	}
}

func TestOthersTicketsAreReportedAndLeftOut(t *testing.T) {
	s, url := serve(t, sim.Switches{IgnoreClient: true})
	a, b := s.AddClient("A"), s.AddClient("B")
	s.AddTicket(b, "Theirs")
	page, err := connect(t, url).Tickets(t.Context(), ticket.Query{Company: a})
	if err != nil || len(page.Tickets) != 0 || page.Foreign != 1 {
		t.Errorf("%+v, %v; want one foreign ticket", page, err)
	}
}

func TestStates(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b, hidden := s.AddClient("A"), s.AddClient("B"), s.AddClient("Hidden")
	s.Hide(hidden)
	billed, dated, deleted, gone, away, unseen := s.AddTicket(a, "Billed"), s.AddTicket(a, "Dated"), s.AddTicket(a, "Deleted"), s.AddTicket(a, "Gone"), s.AddTicket(a, "Away"), s.AddTicket(hidden, "Unseen")
	s.SetStatus(billed, sim.StatusBilled)
	s.Date(dated)
	s.Deactivate(deleted)
	s.Remove(gone)
	s.Transfer(away, b)
	s.Assign(billed, "Bree")
	found, err := connect(t, url).Find(t.Context(), billed, dated, deleted, gone, away, unseen)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 4 || !found[billed].Open || found[dated].Open || found[deleted].Open || found[away].Company != b || found[billed].Assignee != "Bree" || found[billed].Status != "Billed" {
		t.Errorf("found %+v", found)
	}
	if at := found[billed]; time.Since(at.OpenedAt) > time.Hour || !strings.HasSuffix(at.URL, "/ticket?id="+billed) {
		t.Errorf("shown as %+v", at)
	}
	s.Set(sim.Switches{Forbids: true})
	if found, err = connect(t, url).Find(t.Context(), billed, unseen); err != nil || len(found) != 1 {
		t.Errorf("with one that is forbidden: %+v, %v; want the others all the same", found, err)
	}
	sys := connect(t, url, "closed", "31")
	if found, err = sys.Find(t.Context(), billed); err != nil || found[billed].Open {
		t.Errorf("with a status that counts as closed: %+v, %v", found, err)
	}
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a}); err != nil || len(page.Tickets) != 0 {
		t.Errorf("listed %+v, %v", page, err)
	}
}

func TestNotes(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddClient("A"), "Printer")
	s.Fill(id, 120)
	n := ticket.Note{Key: tickettest.Key(t, "granted"), Body: "The account ann@a.example is now enabled\nReason: <img src=x> $-FAULTID <<ticket^id>> & more"}
	sys := connect(t, url)
	ref, err := sys.AddNote(t.Context(), id, n)
	if err != nil || ref.ID == "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	texts, internal := s.Notes(n.Key)
	if want := "The account ann@a.example is now enabled<br>Reason: &lt;img src=x&gt; $ -FAULTID &lt; &lt;ticket^id&gt; &gt; &amp; more<br>[" + n.Key + "]"; len(texts) != 1 || !internal || texts[0] != want {
		t.Errorf("written %q, internal %v; want %q", texts, internal, want)
	}
	if refs, err := sys.Notes(t.Context(), id, n.Key); err != nil || len(refs) != 1 || refs[0].ID != ref.ID || time.Since(refs[0].At) > time.Hour {
		t.Errorf("found %+v, %v; want %s", refs, err, ref.ID)
	}
	s.Fill(id, 2000)
	if refs, err := sys.Notes(t.Context(), id, n.Key+"x"); len(refs) != 0 || err == nil || ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("among more actions than are read: %+v, %v; nobody knows that it is not there", refs, err)
	}
}

func TestTroubles(t *testing.T) {
	tests := []struct {
		name        string
		sw          sim.Switches
		more        []string
		read, write ticket.TroubleKind
	}{
		{"too many calls", sim.Switches{Throttle: 1}, nil, ticket.Throttled, ticket.Throttled},
		{"a gateway that fails", sim.Switches{ErrorPages: 1}, nil, ticket.Down, ticket.Doubtful},
		{"no tokens", sim.Switches{AuthDown: true}, nil, ticket.Down, ticket.Down},
		{"a lost answer", sim.Switches{LoseAnswers: 1}, nil, "", ticket.Doubtful},
		{"a lost request", sim.Switches{LoseRequests: 1}, nil, "", ticket.Doubtful},
		{"a missing right", sim.Switches{NoActions: true}, nil, "", ticket.Forbidden},
		{"a mandatory field", sim.Switches{Mandatory: true}, nil, "", ticket.Rejected},
		{"an outcome that is not there", sim.Switches{}, []string{"outcome", "Whatever"}, "", ticket.Rejected},
		{"a wrong secret", sim.Switches{}, []string{"client_secret", "other"}, ticket.Misconfigured, ticket.Misconfigured},
		{"a wrong instance", sim.Switches{}, []string{"tenant", "other"}, ticket.Misconfigured, ticket.Misconfigured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t, tt.sw)
			company := s.AddClient("A")
			id := s.AddTicket(company, "Printer")
			sys := connect(t, url, tt.more...)
			_, err := sys.Tickets(t.Context(), ticket.Query{Company: company})
			if tt.read == "" && err != nil || tt.read != "" && (err == nil || ticket.TroubleOf(err) != tt.read) {
				t.Errorf("read: %v; want %q", err, tt.read)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error holds the secret: %v", err)
			}
			_, err = sys.AddNote(t.Context(), id, ticket.Note{Key: tickettest.Key(t, "granted"), Body: "x"})
			if err == nil || ticket.TroubleOf(err) != tt.write {
				t.Errorf("write: %v; want %q", err, tt.write)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddClient("A"), "Printer")
	sys := connect(t, url)
	find := func(want int) {
		t.Helper()
		found, err := sys.Find(t.Context(), id)
		if _, tokens := s.Calls(); err != nil || len(found) != 1 || tokens != want {
			t.Errorf("Find: %v, %v, with %d tokens; want %d", found, err, tokens, want)
		}
	}
	find(1)
	find(1) // the same again
	s.EndTokens()
	find(2)
	s.EndTokens()
	n := ticket.Note{Key: tickettest.Key(t, "granted"), Body: "x"}
	if _, err := sys.AddNote(t.Context(), id, n); ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("AddNote: %v; want %s, for it surely had no effect", err, ticket.Down)
	}
	if _, err := sys.AddNote(t.Context(), id, n); err != nil {
		t.Errorf("AddNote, later: %v", err)
	}
	s.Rotate(secret.New("another"))
	if _, err := sys.Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured {
		t.Errorf("with the old secret: %v", err)
	}
	sys = connect(t, url, "client_secret", "another")
	find(4)
}

func TestCredentialsStayWithTheHosts(t *testing.T) {
	var stolen int
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer thief.Close()
	s, url := serve(t, sim.Switches{Elsewhere: thief.URL})
	id := s.AddTicket(s.AddClient("A"), "Printer")
	if _, err := connect(t, url).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || stolen != 0 {
		t.Errorf("Find: %v; %d calls elsewhere", err, stolen)
	}
	moved := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer moved.Close()
	if _, err := connect(t, url, "auth_url", moved.URL).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || stolen != 0 {
		t.Errorf("Find with an authorisation server that redirects: %v; %d calls elsewhere", err, stolen)
	}
	sys, err := halo.Kind(here).Open(t.Context(), settings(url, "auth_url", "https://[::1]:9/auth"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sys.Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured {
		t.Errorf("an authorisation server in a private network: %v", err)
	}
}

func TestFiveHundredTickets(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	company := s.AddClient("A")
	var ids []string
	for i := range 500 {
		ids = append(ids, s.AddTicket(company, fmt.Sprintf("Ticket %d", i)))
	}
	sys := connect(t, url)
	seen, cursor := map[string]bool{}, ""
	for range 10 {
		page, err := sys.Tickets(t.Context(), ticket.Query{Company: company, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, tk := range page.Tickets {
			seen[tk.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	before, _ := s.Calls()
	found, err := sys.Find(t.Context(), ids...)
	if after, _ := s.Calls(); len(seen) != 500 || err != nil || len(found) != 500 || after-before > 10 {
		t.Errorf("listed %d, found %d in %d calls, %v", len(seen), len(found), after-before, err)
	}
}
