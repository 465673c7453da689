package servicenow_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/sim/hosted"
	sim "jitney/sim/servicenow"
	"jitney/ticket"
	"jitney/ticket/servicenow"
	"jitney/ticket/tickettest"
)

func TestSettings(t *testing.T) {
	const url = "https://aviary.service-now.com"
	tests := []struct {
		name  string
		more  []string
		wrong string // part of the error
	}{
		{"all that is needed", nil, ""},
		{"an application without a user", []string{"user", "", "client_id", "abc", "client_secret", "x"}, ""},
		{"another table", []string{"table", "u_msp_case", "company_field", "u_customer"}, ""},
		{"comments", []string{"notes", "comments (customers see them)"}, ""},
		{"closed states", []string{"closed", "6, -5,"}, ""},
		{"an address without https", []string{"url", "http://aviary.service-now.com"}, "https"},
		{"an address with a path", []string{"url", url + "/api/now"}, "host alone"},
		{"nobody who signs in", []string{"user", ""}, "Enter a user"},
		{"a user without a password", []string{"password", ""}, "password"},
		{"a user with a colon", []string{"user", "a:b"}, "user"},
		{"an application without a secret", []string{"client_id", "abc"}, "client secret"},
		{"a table that is a path", []string{"table", "incident/../sys_user"}, "names"},
		{"a field that adds a condition", []string{"company_field", "company^ORactive"}, "names"},
		{"states that add a condition", []string{"closed", "6^active=true"}, "states"},
		{"notes that are neither", []string{"notes", "x"}, "Notes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := servicenow.Kind(here).Valid(settings(url, tt.more...))
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong) || access.KindOf(err) != access.Invalid) {
				t.Errorf("got %v; want %q", err, tt.wrong)
			}
		})
	}
}

func TestCraftedQueriesListNothing(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	theirs := s.AddTicket(b, "Theirs")
	sys := connect(t, url)
	for _, company := range []string{a + "^ORcompany=" + b, strings.ToUpper(a), "javascript:gs.getUserID()", "", "*"} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: company}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("company %q: %+v, %v", company, page, err)
		}
	}
	for _, text := range []string{"x^ORcompany=" + b, "x^NQactive=true", "Theirs", "INC0010001", "javascript:1"} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a, Text: text}); err != nil || len(page.Tickets) != 0 || page.Foreign != 0 {
			t.Errorf("text %q: %+v, %v", text, page, err)
		}
	}
	for _, cursor := range []string{"-1", "1&sysparm_query=", "9999", "x"} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: b, Cursor: cursor}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("cursor %q: %+v, %v", cursor, page, err)
		}
	}
	if found, err := sys.Find(t.Context(), theirs+"^ORactive=true", "../sys_user/"+theirs); err != nil || len(found) != 0 {
		t.Errorf("Find with crafted ids: %v, %v", found, err)
	}
}

// TestOthersTicketsAreReportedAndLeftOut has a table whose field is not the
// one of the settings: ServiceNow leaves the condition out.
func TestOthersTicketsAreReportedAndLeftOut(t *testing.T) {
	s, url := serve(t, sim.Switches{NoCompany: true})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	s.AddTicket(b, "Theirs")
	page, err := connect(t, url).Tickets(t.Context(), ticket.Query{Company: a})
	if err != nil || len(page.Tickets) != 0 || page.Foreign != 1 {
		t.Errorf("%+v, %v; want one foreign ticket", page, err)
	}
	s.Set(sim.Switches{NoCompany: true, Strict: true})
	if page, err = connect(t, url).Tickets(t.Context(), ticket.Query{Company: a}); err != nil || len(page.Tickets) != 0 || page.Foreign != 0 {
		t.Errorf("strict: %+v, %v", page, err)
	}
}

func TestStates(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	add := func(f func(id string)) string { id := s.AddTicket(a, "Printer"); f(id); return id }
	held := add(func(id string) { s.SetState(id, sim.StateOnHold); s.Assign(id, "Bree") })
	resolved := add(func(id string) { s.SetState(id, sim.StateResolved) })
	ended, gone, hidden := add(s.Deactivate), add(s.Remove), add(s.Hide)
	away := add(func(id string) { s.Transfer(id, b) })
	found, err := connect(t, url).Find(t.Context(), held, resolved, ended, gone, hidden, away)
	if err != nil || len(found) != 4 || !found[held].Open || found[resolved].Open || found[ended].Open || found[away].Company != b {
		t.Fatalf("found %+v, %v", found, err)
	}
	if h := found[held]; h.Assignee != "Bree" || h.Status != "On Hold" || h.Number != "INC0010001" || time.Since(h.OpenedAt) > time.Hour || !strings.HasSuffix(h.URL, "/nav_to.do?uri=incident.do%3Fsys_id%3D"+held) {
		t.Errorf("shown as %+v", h)
	}
	if found, err = connect(t, url, "closed", "3").Find(t.Context(), held, resolved); err != nil || found[held].Open || !found[resolved].Open {
		t.Errorf("with other closed states: %+v, %v", found, err)
	}
}

// TestCases has the states of the table of cases as ServiceNow ships it.
func TestCases(t *testing.T) {
	s, url := serve(t, sim.Switches{Cases: true})
	a := s.AddCompany("A")
	s.AddVendor("Printers Ltd")
	s.AddOwn("Aviary MSP")
	sys := connect(t, url, "table", "sn_customerservice_case")
	for state, open := range map[string]bool{sim.CaseNew: true, sim.CaseOpen: true, sim.CaseAwaiting: true, sim.CaseResolved: false, sim.CaseClosed: false, sim.CaseCancelled: false} {
		id := s.AddTicket(a, "Printer")
		s.SetState(id, state)
		found, err := sys.Find(t.Context(), id)
		page, lerr := sys.Tickets(t.Context(), ticket.Query{Company: a})
		listed := slices.ContainsFunc(page.Tickets, func(t ticket.Ticket) bool { return t.ID == id })
		if err != nil || lerr != nil || found[id].Open != open || found[id].Company != a || listed != open || page.Foreign > 0 {
			t.Errorf("%s: %+v, %v; listed %v, %v", state, found[id], err, page, lerr)
		}
	}
	importer, _ := ticket.As[ticket.Importer](sys)
	if all, err := importer.Companies(t.Context()); err != nil || len(all) != 1 || all[0].ID != a {
		t.Errorf("companies: %+v, %v", all, err)
	}
	if said := check(t, sys); strings.Contains(said, "error") || !strings.Contains(said, "in the states Resolved, Closed, Cancelled.") {
		t.Errorf("said\n%s", said)
	}
}

func TestNotes(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddCompany("A"), "Printer")
	n := ticket.Note{Key: tickettest.Key(t, "granted"), Body: "The account ann@a.example is now enabled\nReason: [code]<img src=x>[/CODE] @[sys_user:1] [[code]code] & <b>"}
	sys := connect(t, url)
	if _, err := sys.AddNote(t.Context(), id, n); err != nil {
		t.Fatal(err)
	}
	texts, internal := s.Notes(n.Key)
	if want := "The account ann@a.example is now enabled\nReason: [ code]<img src=x>[ /CODE] @ [sys_user:1] [[ code]code] & <b>\n[" + n.Key + "]"; len(texts) != 1 || !internal || texts[0] != want {
		t.Errorf("written %q, internal %v; want %q", texts, internal, want)
	}
	if refs, err := sys.Notes(t.Context(), id, n.Key); err != nil || len(refs) != 1 || refs[0].ID == "" || time.Since(refs[0].At) > time.Hour {
		t.Errorf("found %+v, %v", refs, err)
	}
	public := ticket.Note{Key: n.Key + "2", Body: "x"}
	if _, err := connect(t, url, "notes", "comments (customers see them)").AddNote(t.Context(), id, public); err != nil {
		t.Fatal(err)
	}
	if texts, internal := s.Notes(public.Key); len(texts) != 1 || internal {
		t.Errorf("a comment: %q, internal %v", texts, internal)
	}
	if refs, err := sys.Notes(t.Context(), id, public.Key); err != nil || len(refs) != 1 {
		t.Errorf("a comment, after the setting changed: %+v, %v", refs, err)
	}
	s.Set(sim.Switches{JournalHidden: true})
	s.Fill(id, 2, "again ["+public.Key+"] and "+public.Key+"2")
	if refs, err := sys.Notes(t.Context(), id, public.Key); err != nil || len(refs) != 3 {
		t.Errorf("duplicates on the ticket itself: %+v, %v; want 3", refs, err)
	}
	s.Set(sim.Switches{})
	s.Fill(id, 500, n.Key+"x1 and more")
	if refs, err := sys.Notes(t.Context(), id, n.Key+"x"); len(refs) != 0 || ticket.TroubleOf(err) != ticket.Down || err == nil {
		t.Errorf("among more notes than are read: %+v, %v; nobody knows that it is not there", refs, err)
	}
}

// TestNobodyWritesBlindly is about accounts that cannot see what they wrote.
func TestNobodyWritesBlindly(t *testing.T) {
	for _, sw := range []sim.Switches{{JournalHidden: true, NotesHidden: true}, {JournalForbidden: true, NotesHidden: true}} {
		s, url := serve(t, sw)
		id := s.AddTicket(s.AddCompany("A"), "Printer")
		if refs, err := connect(t, url).Notes(t.Context(), id, tickettest.Key(t, "granted")); err == nil || ticket.TroubleOf(err) != ticket.Forbidden {
			t.Errorf("%+v: Notes: %v, %v; want %s, so that nothing is written", sw, refs, err, ticket.Forbidden)
		}
	}
	s, url := serve(t, sim.Switches{NoteLength: 40})
	id := s.AddTicket(s.AddCompany("A"), "Printer")
	if _, err := connect(t, url).AddNote(t.Context(), id, ticket.Note{Key: tickettest.Key(t, "granted"), Body: strings.Repeat("x", 60)}); ticket.TroubleOf(err) != ticket.Forbidden {
		t.Errorf("a note whose key was cut off: %v; want it not to count as written", err)
	}
}

func TestTroubles(t *testing.T) {
	application := []string{"client_id", sim.ClientID, "client_secret", password, "user", ""}
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
		{"a failure inside of a success", sim.Switches{Cancelled: true}, nil, ticket.Down, ""},
		{"a missing right", sim.Switches{NoWrites: true}, nil, "", ticket.Forbidden},
		{"a missing right that nobody tells of", sim.Switches{NotesDropped: true}, nil, "", ticket.Forbidden},
		{"a table that is not there", sim.Switches{}, []string{"table", "u_nothing"}, ticket.Misconfigured, ticket.Misconfigured},
		{"a wrong password", sim.Switches{}, []string{"password", "other"}, ticket.Misconfigured, ticket.Misconfigured},
		{"a wrong client secret", sim.Switches{ClientCredentials: true}, append(application, "client_secret", "other"), ticket.Misconfigured, ticket.Misconfigured},
		{"a grant that is not allowed", sim.Switches{}, application, ticket.Misconfigured, ticket.Misconfigured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t, tt.sw)
			company := s.AddCompany("A")
			id := s.AddTicket(company, "Printer")
			if tt.name == "a table that is not there" {
				url = bare(t)
			}
			sys := connect(t, url, tt.more...)
			_, err := sys.Tickets(t.Context(), ticket.Query{Company: company})
			if tt.read == "" && err != nil || tt.read != "" && (err == nil || ticket.TroubleOf(err) != tt.read) {
				t.Errorf("read: %v; want %q", err, tt.read)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%+v", err), password) {
				t.Errorf("the error holds the password: %v", err)
			}
			_, err = sys.AddNote(t.Context(), id, ticket.Note{Key: tickettest.Key(t, "granted"), Body: "x"})
			if tt.write == "" && err != nil || tt.write != "" && (err == nil || ticket.TroubleOf(err) != tt.write) {
				t.Errorf("write: %v; want %q", err, tt.write)
			}
		})
	}
}

// bare is an instance that is asked what no instance knows.
func bare(t *testing.T) string {
	s := sim.New(sim.Switches{}, secret.New(password))
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestTokens(t *testing.T) {
	s, url := serve(t, sim.Switches{NoBasic: true})
	id := s.AddTicket(s.AddCompany("A"), "Printer")
	sys := connect(t, url, "client_id", sim.ClientID, "client_secret", password)
	for want := 1; want <= 2; want++ {
		for range 2 {
			if found, err := sys.Find(t.Context(), id); err != nil || len(found) != 1 || s.Tokens() != want {
				t.Errorf("Find: %v, %v, with %d tokens; want %d", found, err, s.Tokens(), want)
			}
		}
		s.EndTokens()
	}
	if _, err := sys.AddNote(t.Context(), id, ticket.Note{Key: tickettest.Key(t, "granted"), Body: "x"}); ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("AddNote without a token that holds: %v; want %s, for it surely had no effect", err, ticket.Down)
	}
	s.Rotate(secret.New("another"))
	if _, err := sys.Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured {
		t.Errorf("with the old secrets: %v", err)
	}
}

func TestCredentialsStayWithTheHost(t *testing.T) {
	var stolen int
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer thief.Close()
	s, url := serve(t, sim.Switches{Network: hosted.Network{Elsewhere: thief.URL}})
	id := s.AddTicket(s.AddCompany("A"), "Printer")
	for _, more := range [][]string{nil, {"client_id", sim.ClientID, "client_secret", password}} {
		if _, err := connect(t, url, more...).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || stolen != 0 {
			t.Errorf("Find: %v; %d calls elsewhere", err, stolen)
		}
	}
}

// TestLongLists has 500 tickets, and many that the account may not see, which
// leave holes in the answers.
func TestLongLists(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	company := s.AddCompany("A")
	var ids []string
	for i := range 500 {
		ids = append(ids, s.AddTicket(company, fmt.Sprintf("Ticket %d", i)))
	}
	for range 230 {
		s.Hide(s.AddTicket(company, "Unseen"))
	}
	sys := connect(t, url)
	seen, cursor, calls := map[string]bool{}, "", s.Calls()
	for range 20 {
		page, err := sys.Tickets(t.Context(), ticket.Query{Company: company, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Tickets) == 0 {
			t.Errorf("a page without tickets, though there are more")
		}
		for _, tk := range page.Tickets {
			seen[tk.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	listed := s.Calls() - calls
	found, err := sys.Find(t.Context(), ids...)
	if len(seen) != 500 || listed > 10 || err != nil || len(found) != 500 || s.Calls()-calls-listed > 10 {
		t.Errorf("listed %d in %d calls, found %d in %d, %v", len(seen), listed, len(found), s.Calls()-calls-listed, err)
	}
}
