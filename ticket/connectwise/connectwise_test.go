package connectwise_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/connectwise"
	"jitney/ticket"
	"jitney/ticket/connectwise"
	"jitney/ticket/tickettest"
)

func TestSettings(t *testing.T) {
	const url = "https://na.myconnectwise.net"
	tests := []struct {
		name  string
		more  []string
		wrong string // part of the error
	}{
		{"all that is needed", nil, ""},
		{"an address of a private network without https", []string{"url", "http://10.0.0.1"}, "https"},
		{"an address with a path", []string{"url", url + "/v4_6_release"}, "host alone"},
		{"an address with a user", []string{"url", "https://a:b@na.myconnectwise.net"}, "address"},
		{"a company that leaves its place in the path", []string{"company", "../x"}, "company ID"},
		{"a company that adds to the user name", []string{"company", "a+b:c"}, "company ID"},
		{"a company of dots", []string{"company", ".."}, "company ID"},
		{"no public key", []string{"public_key", ""}, "public key"},
		{"a private key with a line break", []string{"private_key", "a\r\nX: y"}, "private key"},
		{"no client ID", []string{"client_id", ""}, "client ID"},
		{"another place for notes", []string{"note", "mail"}, "Notes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := connectwise.Kind(here).Valid(settings(url, tt.more...))
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong) || access.KindOf(err) != access.Invalid) {
				t.Errorf("got %v; want %q", err, tt.wrong)
			}
		})
	}
}

func TestCraftedCompanyListsNothing(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	s.AddTicket(b, 1, "Theirs")
	sys := connect(t, url)
	for _, company := range []string{a + " or company/id=" + b, a + ")", "-1", "0", `"`, "99999999999", ""} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: company}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("company %q: %+v, %v", company, page, err)
		}
	}
	for _, text := range []string{`x" or company/id=` + b + ` or summary contains "`, `" or id>0 or summary contains "`, `' or 1=1`, `]`, strings.Repeat("é", 80)} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a, Text: text}); err != nil || len(page.Tickets) != 0 || page.Foreign != 0 {
			t.Errorf("text %q: %+v, %v", text, page, err)
		}
	}
	own := s.AddTicket(a, 1, `Screen 27" is "dark"`)
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a, Text: `27" is "DARK`}); err != nil || len(page.Tickets) != 1 || page.Tickets[0].ID != own {
		t.Errorf("a search with quotes: %+v, %v", page, err)
	}
}

func TestOthersTicketsAreReportedAndLeftOut(t *testing.T) {
	s, url := serve(t, sim.Switches{IgnoreCompany: true})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	s.AddTicket(b, 1, "Theirs")
	page, err := connect(t, url).Tickets(t.Context(), ticket.Query{Company: a})
	if err != nil || len(page.Tickets) != 0 || page.Foreign != 1 {
		t.Errorf("%+v, %v; want one foreign ticket", page, err)
	}
}

func TestStates(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A"), s.AddCompany("B")
	hidden := s.AddBoard("Secret")
	child, parent, gone, away, unseen := s.AddTicket(a, 1, "Child"), s.AddTicket(a, 1, "Parent"), s.AddTicket(a, 1, "Gone"), s.AddTicket(a, 1, "Away"), s.AddTicket(a, hidden, "Unseen")
	s.Merge(child, parent)
	s.Remove(gone)
	s.Transfer(away, b)
	s.Hide(hidden)
	s.Assign(parent, "bree")
	sys := connect(t, url)
	found, err := sys.Find(t.Context(), child, parent, gone, away, unseen)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 || found[child].MergedInto != parent || !found[child].Open || found[away].Company != b || found[parent].Assignee != "bree" {
		t.Errorf("found %+v", found)
	}
	if at := found[parent]; time.Since(at.OpenedAt) > time.Hour || !strings.Contains(at.URL, "service_recid="+parent) {
		t.Errorf("shown as %+v", at)
	}
	s.Close(parent)
	if found, err = sys.Find(t.Context(), child); err != nil || found[child].Open {
		t.Errorf("a ticket merged into a closed one: %+v, %v", found, err)
	}
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a}); err != nil || len(page.Tickets) != 0 {
		t.Errorf("listed %+v, %v; want neither the merged nor the closed one", page, err)
	}
	s.Set(sim.Switches{Bare: true})
	s.Reopen(parent)
	if found, err = sys.Find(t.Context(), parent); err != nil || found[parent].Open {
		t.Errorf("a ticket whose state is not told counts as open: %+v, %v", found, err)
	}
}

func TestNotes(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddCompany("A"), 1, "Printer")
	n := ticket.Note{Key: tickettest.Key(t, "granted"), Body: "The tech account ann is now enabled\nReason: ![x](https://evil.example/a.png)"}
	ref, err := connect(t, url).AddNote(t.Context(), id, n)
	if err != nil || ref.ID == "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	texts, internal := s.Notes(n.Key)
	if len(texts) != 1 || !internal || strings.Contains(texts[0], "](") || !strings.HasPrefix(texts[0], "The tech account ann is now enabled\n") || !strings.HasSuffix(texts[0], "\n["+n.Key+"]") {
		t.Errorf("written %q, internal %v", texts, internal)
	}
	s.Fill(id, 230) // more than two pages of newer ones
	if refs, err := connect(t, url).Notes(t.Context(), id, n.Key); err != nil || len(refs) != 1 || refs[0].ID != ref.ID || time.Since(refs[0].At) > time.Hour {
		t.Errorf("found %+v, %v; want %s", refs, err, ref.ID)
	}
	if _, err = connect(t, url, "note", "discussion (customers see it)").AddNote(t.Context(), id, ticket.Note{Key: n.Key + "x", Body: "For all"}); err != nil {
		t.Fatal(err)
	}
	if texts, internal = s.Notes("For all"); len(texts) != 1 || internal {
		t.Errorf("written %q, internal %v; want it in the discussion", texts, internal)
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
		{"a lost answer", sim.Switches{LoseAnswers: 1}, nil, "", ticket.Doubtful},
		{"a lost request", sim.Switches{LoseRequests: 1}, nil, "", ticket.Doubtful},
		{"a missing right", sim.Switches{NoNotes: true}, nil, "", ticket.Forbidden},
		{"a wrong private key", sim.Switches{}, []string{"private_key", "other"}, ticket.Misconfigured, ticket.Misconfigured},
		{"a wrong company", sim.Switches{}, []string{"company", "nobody"}, ticket.Misconfigured, ticket.Misconfigured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t, tt.sw)
			company := s.AddCompany("A")
			id := s.AddTicket(company, 1, "Printer")
			sys := connect(t, url, tt.more...)
			_, err := sys.Tickets(t.Context(), ticket.Query{Company: company})
			if tt.read == "" && err != nil || tt.read != "" && (err == nil || ticket.TroubleOf(err) != tt.read) {
				t.Errorf("read: %v; want %q", err, tt.read)
			}
			if err != nil && strings.Contains(err.Error(), private) {
				t.Errorf("the error holds the key: %v", err)
			}
			_, err = sys.AddNote(t.Context(), id, ticket.Note{Key: tickettest.Key(t, "granted"), Body: "x"})
			if err == nil || ticket.TroubleOf(err) != tt.write {
				t.Errorf("write: %v; want %q", err, tt.write)
			}
		})
	}
}

func TestCredentialsStayWithTheHost(t *testing.T) {
	var stolen int
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer thief.Close()
	s, url := serve(t, sim.Switches{Elsewhere: thief.URL})
	id := s.AddTicket(s.AddCompany("A"), 1, "Printer")
	if _, err := connect(t, url).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || stolen != 0 {
		t.Errorf("Find: %v; %d calls elsewhere", err, stolen)
	}
	for _, codebase := range []string{"//" + strings.TrimPrefix(thief.URL, "http://") + "/x", "../..", "a b", "", "v?x=1#"} {
		s.Move(codebase)
		if _, err := connect(t, url).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || stolen != 0 {
			t.Errorf("codebase %q: %v; %d calls elsewhere", codebase, err, stolen)
		}
	}
}

func TestRotatedKey(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddCompany("A"), 1, "Printer")
	sys := connect(t, url)
	if _, err := sys.Find(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	s.Rotate(secret.New("PrivateKey0002"))
	if _, err := sys.Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured {
		t.Errorf("with the old key: %v", err)
	}
	if _, err := connect(t, url, "private_key", "PrivateKey0002").Find(t.Context(), id); err != nil {
		t.Errorf("with the new key: %v", err)
	}
}

func TestFiveHundredTickets(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	company := s.AddCompany("A")
	var ids []string
	for i := range 500 {
		ids = append(ids, s.AddTicket(company, 1, fmt.Sprintf("Ticket %d", i)))
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
	before := s.Calls()
	found, err := sys.Find(t.Context(), ids...)
	if len(seen) != 500 || err != nil || len(found) != 500 || s.Calls()-before > 10 {
		t.Errorf("listed %d, found %d in %d calls, %v", len(seen), len(found), s.Calls()-before, err)
	}
}
