package kaseyabms_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/sim/hosted"
	sim "jitney/sim/kaseyabms"
	"jitney/ticket"
	"jitney/ticket/kaseyabms"
	"jitney/ticket/tickettest"
)

func TestSettings(t *testing.T) {
	const url = "https://api.bms.kaseya.com"
	tests := []struct {
		name  string
		more  []string
		wrong string // part of the error
	}{
		{"all that is needed", nil, ""},
		{"the address with its version", []string{"url", url + "/v2/"}, ""},
		{"a key of one-time codes as it is shown", []string{"totp", "jbsw y3dp ehpk 3pxp"}, ""},
		{"a code instead of its key", []string{"totp", "123456"}, "key"},
		{"an address without https", []string{"url", "http://api.bms.kaseya.com"}, "https"},
		{"no company", []string{"company", ""}, "company name"},
		{"a user of two lines", []string{"user", "a\nb"}, "username"},
		{"no password", []string{"password", ""}, "password"},
		{"a note type that is no number", []string{"note_type", "General"}, "number"},
		{"statuses that are no numbers", []string{"closed", "6,done"}, "numbers"},
		{"notes that are neither", []string{"note", "both"}, "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := kaseyabms.Kind(here).Valid(settings(url, tt.more...))
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(strings.ToLower(err.Error()), tt.wrong) || access.KindOf(err) != access.Invalid) {
				t.Errorf("got %v; want %q", err, tt.wrong)
			}
		})
	}
}

func TestCraftedCompanyListsNothing(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddAccount("A"), s.AddAccount("B")
	s.AddTicket(b, "Theirs")
	sys := connect(t, url)
	for _, company := range []string{a + "," + b, a + `","Title":"`, "-1", "0", `"`, "99999999999", ""} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: company}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("company %q: %+v, %v", company, page, err)
		}
	}
	for _, text := range []string{`x","AccountIds":"` + b, "13287001", "AV-1"} { // the others are numbers of theirs
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a, Text: text}); err != nil || len(page.Tickets) != 0 || page.Foreign != 0 {
			t.Errorf("text %q: %+v, %v", text, page, err)
		}
	}
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: b, Cursor: "x"}); err != nil || len(page.Tickets) != 0 {
		t.Errorf("a cursor that is none: %+v, %v", page, err)
	}
}

func TestOthersTicketsAreReportedAndLeftOut(t *testing.T) {
	s, url := serve(t, sim.Switches{IgnoreAccount: true})
	a, b := s.AddAccount("A"), s.AddAccount("B")
	s.AddTicket(b, "Theirs")
	page, err := connect(t, url).Tickets(t.Context(), ticket.Query{Company: a})
	if err != nil || len(page.Tickets) != 0 || page.Foreign != 1 {
		t.Errorf("%+v, %v; want one foreign ticket", page, err)
	}
}

func TestAnEmptyPageThatShouldNotBeIsNotBelieved(t *testing.T) {
	s, url := serve(t, sim.Switches{NoFirst: true})
	a := s.AddAccount("A")
	s.AddTicket(a, "Ours")
	if page, err := connect(t, url).Tickets(t.Context(), ticket.Query{Company: a}); err == nil || ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("%+v, %v; it says that there is one", page, err)
	}
}

func TestStates(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b, hidden := s.AddAccount("A"), s.AddAccount("B"), s.AddAccount("Hidden")
	s.Hide(hidden)
	billed, dated, again, gone, away, unseen := s.AddTicket(a, "Billed"), s.AddTicket(a, "Dated"), s.AddTicket(a, "Again"), s.AddTicket(a, "Gone"), s.AddTicket(a, "Away"), s.AddTicket(hidden, "Unseen")
	s.SetStatus(billed, sim.StatusBilled)
	s.Date(dated)
	s.Close(again)
	s.Reopen(again)
	s.Remove(gone)
	s.Transfer(away, b)
	s.Assign(billed, "Bree")
	found, err := connect(t, url).Find(t.Context(), billed, dated, again, gone, away, unseen)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 4 || !found[billed].Open || found[dated].Open || !found[again].Open || found[away].Company != b || found[billed].Assignee != "Bree" || found[billed].Status != "Billed" || found[billed].Number != "AV-1" {
		t.Errorf("found %+v", found)
	}
	if at := found[billed]; time.Since(at.OpenedAt) > time.Hour {
		t.Errorf("shown as %+v", at)
	}
	sys := connect(t, url, "closed", "31")
	if found, err = sys.Find(t.Context(), billed); err != nil || found[billed].Open {
		t.Errorf("with a status that counts as closed: %+v, %v", found, err)
	}
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a}); err != nil || len(page.Tickets) != 1 || page.Tickets[0].ID != again {
		t.Errorf("listed %+v, %v", page, err)
	}
}

func TestNotes(t *testing.T) {
	s, url := serve(t, sim.Switches{PageCap: 50})
	id := s.AddTicket(s.AddAccount("A"), "Printer")
	s.Fill(id, 120)
	n := ticket.Note{Key: tickettest.Key(t, "granted"), Body: "The account ann@a.example is now enabled\nReason: <img src=x> & more"}
	sys := connect(t, url)
	ref, err := sys.AddNote(t.Context(), id, n)
	if err != nil || ref.ID == "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	texts, internal := s.Notes(n.Key)
	if want := "The account ann@a.example is now enabled<br>Reason: &lt;img src=x&gt; &amp; more<br>[" + n.Key + "]"; len(texts) != 1 || !internal || texts[0] != want {
		t.Errorf("written %q, internal %v; want %q", texts, internal, want)
	}
	if refs, err := sys.Notes(t.Context(), id, n.Key); err != nil || len(refs) != 1 || refs[0].ID != ref.ID || time.Since(refs[0].At) > time.Hour {
		t.Errorf("found %+v, %v; want %s", refs, err, ref.ID)
	}
	s.Fill(id, 1000)
	if refs, err := sys.Notes(t.Context(), id, n.Key+"x"); len(refs) != 0 || err == nil || ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("among more notes than are read: %+v, %v; nobody knows that it is not there", refs, err)
	}
	public := n
	public.Key += "-2"
	if _, err := connect(t, url, "note", "public (customers see them)").AddNote(t.Context(), id, public); err != nil {
		t.Error(err)
	}
	if _, internal := s.Notes(public.Key); internal {
		t.Error("a note that was to be public is internal")
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
		{"a gateway that fails", sim.Switches{Network: hosted.Network{ErrorPages: 1}}, nil, ticket.Down, ticket.Down}, // nobody can sign in
		{"no tokens", sim.Switches{AuthDown: true}, nil, ticket.Down, ticket.Down},
		{"failures with status 200", sim.Switches{Failures: true}, nil, ticket.Down, ticket.Doubtful},
		{"a lost answer", sim.Switches{Network: hosted.Network{LoseAnswers: 1}}, nil, "", ticket.Doubtful},
		{"a lost request", sim.Switches{Network: hosted.Network{LoseRequests: 1}}, nil, "", ticket.Doubtful},
		{"a missing right", sim.Switches{NoNotes: true}, nil, "", ticket.Forbidden},
		{"a note type that is not there", sim.Switches{}, []string{"note_type", "77"}, "", ticket.Rejected},
		{"a wrong password", sim.Switches{}, []string{"password", "other-0002"}, ticket.Misconfigured, ticket.Misconfigured},
		{"a wrong company", sim.Switches{}, []string{"company", "Other"}, ticket.Misconfigured, ticket.Misconfigured},
		{"a code that is missing", sim.Switches{Codes: true}, nil, ticket.Misconfigured, ticket.Misconfigured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t, tt.sw)
			company := s.AddAccount("A")
			id := s.AddTicket(company, "Printer")
			sys := connect(t, url, tt.more...)
			_, err := sys.Tickets(t.Context(), ticket.Query{Company: company})
			if tt.read == "" && err != nil || tt.read != "" && (err == nil || ticket.TroubleOf(err) != tt.read) {
				t.Errorf("read: %v; want %q", err, tt.read)
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "other-0002")) {
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
	id := s.AddTicket(s.AddAccount("A"), "Printer")
	sys := connect(t, url)
	find := func(want int) {
		t.Helper()
		found, err := sys.Find(t.Context(), id)
		if err != nil || len(found) != 1 || s.Tokens() != want {
			t.Errorf("Find: %v, %v, with %d tokens; want %d", found, err, s.Tokens(), want)
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
		t.Errorf("with the old password: %v", err)
	}
	sys = connect(t, url, "password", "another")
	find(4)
}

func TestOneTimeCodes(t *testing.T) {
	s, url := serve(t, sim.Switches{Codes: true})
	id := s.AddTicket(s.AddAccount("A"), "Printer")
	sys := connect(t, url, "totp", "jbsw y3dp ehpk 3pxp")
	if found, err := sys.Find(t.Context(), id); err != nil || len(found) != 1 {
		t.Fatalf("Find: %v, %v", found, err)
	}
	s.EndTokens()
	_, err := sys.Find(t.Context(), id) // at most seconds later, unless half a minute ended in between
	if trouble, ok := err.(*ticket.Trouble); err != nil && (!ok || trouble.Kind != ticket.Throttled || trouble.After <= 0 || trouble.After > 30*time.Second) {
		t.Errorf("with a code that was used: %v; want to wait for the next", err)
	}
}

func TestCredentialsStayWithTheHost(t *testing.T) {
	var stolen int
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer thief.Close()
	s, url := serve(t, sim.Switches{Network: hosted.Network{Elsewhere: thief.URL}})
	id := s.AddTicket(s.AddAccount("A"), "Printer")
	if _, err := connect(t, url).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || stolen != 0 {
		t.Errorf("Find: %v; %d calls elsewhere", err, stolen)
	}
	for status, want := range map[int]string{http.StatusNotFound: "address", http.StatusOK: "page instead of data"} {
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>sign in</html>"))
		}))
		defer site.Close()
		if _, err := connect(t, site.URL).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || !strings.Contains(err.Error(), want) {
			t.Errorf("a site that answers with a page and %d: %v; want %q", status, err, want)
		}
	}
	sys, err := kaseyabms.Kind(here).Open(t.Context(), settings("https://[::1]:9"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sys.Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured {
		t.Errorf("a server in a private network: %v", err)
	}
}

func TestFiveHundredTickets(t *testing.T) {
	for _, sw := range []sim.Switches{{}, {PageCap: 100, NewestFirst: true}} {
		s, url := serve(t, sw)
		company := s.AddAccount("A")
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
			if cursor == "" && page.Tickets[0].ID != ids[499] {
				t.Errorf("the first is %s; want the newest", page.Tickets[0].ID)
			}
			for _, tk := range page.Tickets {
				seen[tk.ID] = true
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		found, err := sys.Find(t.Context(), ids[:100]...)
		if len(seen) != 500 || err != nil || len(found) != 100 {
			t.Errorf("listed %d, found %d, %v", len(seen), len(found), err)
		}
	}
}

// TestTheShareOfAnHourIsKept asks each second for an hour; BMS allows
// 1500 of one sort, to everybody together.
func TestTheShareOfAnHourIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, err := kaseyabms.Kind(here).Open(t.Context(), settings("https://[::1]:9")) // never reached: refused by the rules
		if err != nil {
			t.Fatal(err)
		}
		throttled := 0
		for range 3600 {
			_, err := sys.Notes(t.Context(), "7", "jitney:g:granted:1")
			trouble, ok := err.(*ticket.Trouble)
			if !ok || trouble.Kind == ticket.Throttled && trouble.After <= 0 {
				t.Fatalf("%v", err)
			}
			if trouble.Kind == ticket.Throttled {
				throttled++
			}
			time.Sleep(time.Second)
		}
		if made := 3600 - throttled; made < 1100 || made > 1250 {
			t.Errorf("%d calls in an hour; want about 1200", made)
		}
	})
}
