package freshdesk_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/freshdesk"
	"jitney/sim/hosted"
	"jitney/ticket"
	"jitney/ticket/freshdesk"
	"jitney/ticket/tickettest"
)

func TestSettings(t *testing.T) {
	const url = "https://aviary.freshdesk.com"
	tests := []struct {
		name  string
		more  []string
		wrong string // part of the error
	}{
		{"all that is needed", nil, ""},
		{"further closed statuses", []string{"closed", "8, 9,"}, ""},
		{"public notes", []string{"notes", "public (customers see them)"}, ""},
		{"an address without https", []string{"url", "http://aviary.freshdesk.com"}, "https"},
		{"an address with a path", []string{"url", url + "/api/v2"}, "host alone"},
		{"no key", []string{"key", ""}, "API key"},
		{"a key with a line break", []string{"key", "a\nb"}, "API key"},
		{"a key that holds a password", []string{"key", "a:b"}, "API key"},
		{"notes that are neither", []string{"notes", "x"}, "Notes"},
		{"statuses that are no numbers", []string{"closed", "8,done"}, "numbers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := freshdesk.Kind(here).Valid(settings(url, tt.more...))
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong) || access.KindOf(err) != access.Invalid) {
				t.Errorf("got %v; want %q", err, tt.wrong)
			}
		})
	}
}

func TestCraftedQueriesListNothing(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	s.AddTicket(b, "Theirs")
	sys := connect(t, url)
	for _, company := range []string{a + "&company_id=" + b, a + " OR 1", "-1", "0", `"`, "9999999999999999999", ""} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: company}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("company %q: %+v, %v", company, page, err)
		}
	}
	for _, text := range []string{"x&company_id=" + b, "1"} { // the second is the number of theirs
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a, Text: text}); err != nil || len(page.Tickets) != 0 || page.Foreign != 0 {
			t.Errorf("text %q: %+v, %v", text, page, err)
		}
	}
	for _, cursor := range []string{"2", "2-", "0-1", "1-100", "301-0", "2&company_id=1", "x"} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: b, Cursor: cursor}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("cursor %q: %+v, %v", cursor, page, err)
		}
	}
	before := s.Calls()
	if found, err := sys.Find(t.Context(), "1/../../agents/me", "1?include=x", "01", "-1"); err != nil || len(found) != 0 || s.Calls() != before {
		t.Errorf("Find with crafted ids: %v, %v, %d calls", found, err, s.Calls()-before)
	}
}

func TestNamesAreNotAskedForAgainAndAgain(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	company := s.AddCompany("A")
	for range 50 {
		s.Assign(s.AddTicket(company, "Printer"), sim.Agent)
	}
	for _, sw := range []sim.Switches{{}, {NoFields: true, NoAgents: true}, {Network: hosted.Network{Throttle: 2}}} {
		s.Set(sw)
		sys, before := connect(t, url), s.Calls()
		for range 3 {
			_, _ = sys.Tickets(t.Context(), ticket.Query{Company: company})
		}
		if n := s.Calls() - before; n > 6 {
			t.Errorf("%+v: %d calls for three lists", sw, n)
		}
	}
}

func TestOthersTicketsAreReportedAndLeftOut(t *testing.T) {
	s, url := serve(t, sim.Switches{IgnoreCompany: true})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	s.AddTicket(b, "Theirs")
	page, err := connect(t, url).Tickets(t.Context(), ticket.Query{Company: a})
	if err != nil || len(page.Tickets) != 0 || page.Foreign != 1 {
		t.Errorf("%+v, %v; want one foreign ticket", page, err)
	}
}

func TestStates(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	add := func(f func(id string)) string { id := s.AddTicket(a, "Printer"); f(id); return id }
	pending := add(func(id string) { s.SetStatus(id, sim.StatusPending); s.Assign(id, sim.Agent) })
	resolved := add(func(id string) { s.SetStatus(id, sim.StatusResolved) })
	billed := add(func(id string) { s.SetStatus(id, sim.StatusBilled) })
	spam, trash, gone, hidden := add(s.Spam), add(s.Trash), add(s.Remove), add(s.Hide)
	away, nobody := add(func(id string) { s.Transfer(id, b) }), add(func(id string) { s.Transfer(id, "") })
	all := []string{pending, resolved, billed, spam, trash, gone, hidden, away, nobody}
	for _, sw := range []sim.Switches{{}, {ShowTrash: true}, {NoFields: true}, {NoAgents: true}} {
		s.Set(sw)
		who := "bree@aviary.example"
		if sw.NoAgents {
			who = "8"
		}
		found, err := connect(t, url).Find(t.Context(), all...)
		if err != nil || len(found) != 7 || !found[pending].Open || found[resolved].Open || !found[billed].Open || found[spam].Open ||
			found[away].Company != b || found[nobody].Company != "" || !found[hidden].Open || found[pending].Assignee != who {
			t.Errorf("%+v: found %+v, %v", sw, found, err)
		}
		if status := found[pending].Status; status != "Pending" && !(sw.NoFields && status == "3") {
			t.Errorf("%+v: the status is %q", sw, status)
		}
	}
	if found, err := connect(t, url).Find(t.Context(), pending); err != nil || time.Since(found[pending].OpenedAt) > time.Hour || found[pending].URL != url+"/a/tickets/"+pending {
		t.Errorf("shown as %+v, %v", found, err)
	}
	s.Set(sim.Switches{Scoped: true})
	if found, err := connect(t, url).Find(t.Context(), pending, hidden); err != nil || len(found) != 1 {
		t.Errorf("an agent who sees some groups only: %+v, %v; want the others all the same", found, err)
	}
	s.Set(sim.Switches{Suspended: true})
	if found, err := connect(t, url).Find(t.Context(), pending); ticket.TroubleOf(err) != ticket.Misconfigured || len(found) != 0 {
		t.Errorf("a suspended account: %+v, %v; want no ticket to look gone", found, err)
	}
	s.Set(sim.Switches{})
	if found, err := connect(t, url, "closed", "8").Find(t.Context(), billed); err != nil || found[billed].Open {
		t.Errorf("with a status that counts as closed: %+v, %v", found, err)
	}
}

func TestNotes(t *testing.T) {
	s, url := serve(t, sim.Switches{PageCap: 50})
	id := s.AddTicket(s.AddCompany("A"), "Printer")
	s.Fill(id, 120)
	n := ticket.Note{Key: tickettest.Key(t, "granted"), Body: "The account ann@a.example is now enabled\nReason: <img src=x> {{ticket.url}} {% if x %} & more"}
	sys := connect(t, url)
	ref, err := sys.AddNote(t.Context(), id, n)
	if err != nil || ref.ID == "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	texts, private := s.Notes(n.Key)
	if want := "The account ann@a.example is now enabled<br>Reason: &lt;img src=x&gt; { {ticket.url} } { % if x % } &amp; more<br>[" + n.Key + "]"; len(texts) != 1 || !private || texts[0] != want {
		t.Errorf("written %q, private %v; want %q", texts, private, want)
	}
	if refs, err := sys.Notes(t.Context(), id, n.Key); err != nil || len(refs) != 1 || refs[0].ID != ref.ID || time.Since(refs[0].At) > time.Hour {
		t.Errorf("found %+v, %v; want %s", refs, err, ref.ID)
	}
	s.Fill(id, 1500)
	if refs, err := sys.Notes(t.Context(), id, n.Key+"x"); len(refs) != 0 || err == nil || ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("among more notes than are read: %+v, %v; nobody knows that it is not there", refs, err)
	}
	if _, err := connect(t, url, "notes", "public (customers see them)").AddNote(t.Context(), id, ticket.Note{Key: n.Key + "2", Body: "x"}); err != nil {
		t.Fatal(err)
	}
	if texts, private := s.Notes(n.Key + "2"); len(texts) != 1 || private {
		t.Errorf("a public note: %q, private %v", texts, private)
	}
}

func TestTroubles(t *testing.T) {
	tests := []struct {
		name        string
		sw          sim.Switches
		more        []string
		read, write ticket.TroubleKind
	}{
		{"too many calls", sim.Switches{Network: hosted.Network{Throttle: 1}}, nil, ticket.Throttled, ticket.Throttled},
		{"a gateway that fails", sim.Switches{Network: hosted.Network{ErrorPages: 1}}, nil, ticket.Down, ticket.Doubtful},
		{"a lost answer", sim.Switches{Network: hosted.Network{LoseAnswers: 1}}, nil, "", ticket.Doubtful},
		{"a lost request", sim.Switches{Network: hosted.Network{LoseRequests: 1}}, nil, "", ticket.Doubtful},
		{"a missing right", sim.Switches{NoNotes: true}, nil, "", ticket.Forbidden},
		{"an account that is not paid for", sim.Switches{Suspended: true}, nil, ticket.Misconfigured, ticket.Misconfigured},
		{"a wrong key", sim.Switches{}, []string{"key", "other"}, ticket.Misconfigured, ticket.Misconfigured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t, tt.sw)
			company := s.AddCompany("A")
			id := s.AddTicket(company, "Printer")
			sys := connect(t, url, tt.more...)
			_, err := sys.Tickets(t.Context(), ticket.Query{Company: company})
			if tt.read == "" && err != nil || tt.read != "" && (err == nil || ticket.TroubleOf(err) != tt.read) {
				t.Errorf("read: %v; want %q", err, tt.read)
			}
			if err != nil && strings.Contains(err.Error(), key) {
				t.Errorf("the error holds the key: %v", err)
			}
			_, err = sys.AddNote(t.Context(), id, ticket.Note{Key: tickettest.Key(t, "granted"), Body: "x"})
			if err == nil || ticket.TroubleOf(err) != tt.write {
				t.Errorf("write: %v; want %q", err, tt.write)
			}
		})
	}
	t.Run("a company that is not there", func(t *testing.T) {
		_, url := serve(t, sim.Switches{})
		if _, err := connect(t, url).Tickets(t.Context(), ticket.Query{Company: "77"}); ticket.TroubleOf(err) != ticket.Rejected || !strings.Contains(err.Error(), "no company matching") {
			t.Errorf("%v", err)
		}
	})
	t.Run("another key, while the connection is in use", func(t *testing.T) {
		s, url := serve(t, sim.Switches{})
		id := s.AddTicket(s.AddCompany("A"), "Printer")
		sys := connect(t, url)
		s.Rotate(secret.New("another"))
		if _, err := sys.Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured {
			t.Errorf("with the old key: %v", err)
		}
		if found, err := connect(t, url, "key", "another").Find(t.Context(), id); err != nil || len(found) != 1 {
			t.Errorf("with the new key: %v, %v", found, err)
		}
	})
}

func TestCredentialsStayWithTheHost(t *testing.T) {
	var stolen int
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer thief.Close()
	s, url := serve(t, sim.Switches{Network: hosted.Network{Elsewhere: thief.URL}})
	id := s.AddTicket(s.AddCompany("A"), "Printer")
	if _, err := connect(t, url).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || stolen != 0 {
		t.Errorf("Find: %v; %d calls elsewhere", err, stolen)
	}
}

// TestLongLists has 500 open tickets, and a company whose few open tickets are
// older than many closed ones.
func TestLongLists(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	old := s.AddTicket(b, "The old printer")
	s.Age(old, 400*24*time.Hour)
	for i := range 650 {
		s.AddTicket(a, fmt.Sprintf("Ticket %d", i))
		s.SetStatus(s.AddTicket(b, "Done"), sim.StatusClosed)
	}
	sys := connect(t, url)
	seen, cursor, calls := map[string]bool{}, "", s.Calls()
	for range 20 {
		page, err := sys.Tickets(t.Context(), ticket.Query{Company: a, Cursor: cursor, Limit: 50})
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
	if len(seen) != 650 || s.Calls()-calls > 30 {
		t.Errorf("listed %d in %d calls", len(seen), s.Calls()-calls)
	}
	page, err := sys.Tickets(t.Context(), ticket.Query{Company: b})
	if err != nil || len(page.Tickets) != 0 || page.Next == "" {
		t.Fatalf("the first part of many closed ones: %+v, %v", page, err)
	}
	if page, err = sys.Tickets(t.Context(), ticket.Query{Company: b, Cursor: page.Next}); err != nil || len(page.Tickets) != 1 || page.Tickets[0].ID != old || page.Next != "" {
		t.Errorf("the rest: %+v, %v; want the one that is older than thirty days", page, err)
	}
	if page, err = sys.Tickets(t.Context(), ticket.Query{Company: b, Text: "#" + old}); err != nil || len(page.Tickets) != 1 {
		t.Errorf("by its number: %+v, %v", page, err)
	}
}
