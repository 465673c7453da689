package autotask_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/autotask"
	"jitney/ticket"
	"jitney/ticket/autotask"
	"jitney/ticket/tickettest"
)

func TestSettings(t *testing.T) {
	tests := []struct {
		name  string
		more  []string
		wrong string // part of the error
	}{
		{"all that is needed", nil, ""},
		{"choices and closed statuses", []string{"publish", "2", "note_type", "3", "closed", "5, 21,"}, ""},
		{"an address without https", []string{"url", "http://webservices2.autotask.net"}, "https"},
		{"no user", []string{"user", ""}, "username"},
		{"a secret with a line break", []string{"secret", "a\r\nX: y"}, "secret"},
		{"no tracking identifier", []string{"code", ""}, "tracking identifier"},
		{"a choice that is no number", []string{"publish", "Internal"}, "numbers"},
		{"statuses that are no numbers", []string{"closed", "5,done"}, "numbers"},
		{"companies of another sort", []string{"companies", "vendors"}, "Companies"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := autotask.Kind(here).Valid(settings("", tt.more...))
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong) || access.KindOf(err) != access.Invalid) {
				t.Errorf("got %v; want %q", err, tt.wrong)
			}
		})
	}
}

func TestCraftedCompanyListsNothing(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A", 1), s.AddCompany("B", 1)
	s.AddTicket(b, "Theirs")
	sys := connect(t, url)
	for _, company := range []string{a + `},{"op":"or"`, `{"op":"exist"}`, "-1", "00", `"`, "9999999999999999", ""} {
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: company}); err != nil || len(page.Tickets) != 0 {
			t.Errorf("company %q: %+v, %v", company, page, err)
		}
	}
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a, Text: `x"},{"op":"gt","field":"id","value":0}`}); err != nil || len(page.Tickets) != 0 || page.Foreign != 0 {
		t.Errorf("a crafted text: %+v, %v", page, err)
	}
	own := s.AddTicket("0", "Our own server")
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: "0"}); err != nil || len(page.Tickets) != 1 || page.Tickets[0].ID != own || page.Tickets[0].Company != "0" {
		t.Errorf("the company with number 0: %+v, %v", page, err)
	}
}

func TestOthersTicketsAreReportedAndLeftOut(t *testing.T) {
	s, url := serve(t, sim.Switches{IgnoreCompany: true})
	a, b := s.AddCompany("A", 1), s.AddCompany("B", 1)
	s.AddTicket(b, "Theirs")
	page, err := connect(t, url).Tickets(t.Context(), ticket.Query{Company: a})
	if err != nil || len(page.Tickets) != 0 || page.Foreign != 1 {
		t.Errorf("%+v, %v; want one foreign ticket", page, err)
	}
}

func TestStates(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a, b := s.AddCompany("A", 1), s.AddCompany("B", 1)
	invoiced, dated, gone, away := s.AddTicket(a, "Invoiced"), s.AddTicket(a, "Dated"), s.AddTicket(a, "Gone"), s.AddTicket(a, "Away")
	s.SetStatus(invoiced, sim.StatusInvoiced)
	s.Complete(dated)
	s.Remove(gone)
	s.Transfer(away, b)
	s.Assign(invoiced, 29)
	sys := connect(t, url)
	found, err := sys.Find(t.Context(), invoiced, dated, gone, away)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 || !found[invoiced].Open || found[dated].Open || found[away].Company != b || found[invoiced].Assignee != "29" || found[invoiced].Status != "Invoiced" {
		t.Errorf("found %+v", found)
	}
	if at := found[invoiced]; time.Since(at.OpenedAt) > time.Hour || !strings.Contains(at.URL, "TicketID="+invoiced) || !strings.HasPrefix(at.Number, "T20") {
		t.Errorf("shown as %+v", at)
	}
	if found, err = connect(t, url, "closed", "21").Find(t.Context(), invoiced); err != nil || found[invoiced].Open {
		t.Errorf("with a status that counts as closed: %+v, %v", found, err)
	}
}

func TestNotes(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddCompany("A", 1), "Printer")
	s.Fill(id, 600)
	n := ticket.Note{Key: tickettest.Key(t, "granted"), Body: "The tech account ann is now enabled\nReason: a\x00b"}
	sys := connect(t, url)
	ref, err := sys.AddNote(t.Context(), id, n)
	if err != nil || ref.ID == "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	texts, internal := s.Notes(n.Key)
	if want := "The tech account ann is now enabled\nReason: ab\n[" + n.Key + "]"; len(texts) != 1 || !internal || texts[0] != want {
		t.Errorf("written %q, internal %v; want %q", texts, internal, want)
	}
	if refs, err := sys.Notes(t.Context(), id, n.Key); err != nil || len(refs) != 1 || refs[0].ID != ref.ID || time.Since(refs[0].At) > time.Hour {
		t.Errorf("found %+v, %v; want %s", refs, err, ref.ID)
	}
	s.Fill(id, 3000)
	if refs, err := sys.Notes(t.Context(), id, n.Key+"x"); len(refs) != 0 || err == nil || ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("among more notes than are read: %+v, %v; nobody knows that it is not there", refs, err)
	}
}

func TestANoteIsAsLongAsThisAutotaskTakes(t *testing.T) {
	key := tickettest.Key(t, "granted")
	for length, kind := range map[int]ticket.TroubleKind{300: "", 32000: "", len(key): ticket.Rejected} {
		s, url := serve(t, sim.Switches{NoteLength: length})
		sys, id := connect(t, url), s.AddTicket(s.AddCompany("A", 1), "Printer")
		_, err := sys.AddNote(t.Context(), id, ticket.Note{Key: key, Body: strings.Repeat("äb ", 1000) + "\n[" + key + "]"})
		if (err == nil) != (kind == "") || err != nil && ticket.TroubleOf(err) != kind {
			t.Errorf("%d: %v; want %q", length, err, kind)
		}
		refs, nerr := sys.Notes(t.Context(), id, key)
		if nerr != nil || len(refs) == 1 != (kind == "") {
			t.Errorf("%d: found %+v, %v", length, refs, nerr)
		}
		if said := check(t, sys); strings.Contains(said, fmt.Sprintf("notes of %d characters only", length)) != (length < 4800) {
			t.Errorf("%d: said\n%s", length, said)
		}
	}
}

func TestTroubles(t *testing.T) {
	tests := []struct {
		name        string
		sw          sim.Switches
		more        []string
		read, write ticket.TroubleKind
		fresh       bool // the choices are not known yet
	}{
		{"too many calls", sim.Switches{Throttle: 1}, nil, ticket.Throttled, ticket.Throttled, false},
		{"a gateway that fails", sim.Switches{ErrorPages: 1}, nil, ticket.Down, ticket.Doubtful, false},
		{"a gateway that fails before the choices are known", sim.Switches{ErrorPages: 1}, nil, ticket.Down, ticket.Down, true},
		{"a lost answer", sim.Switches{LoseAnswers: 1}, nil, "", ticket.Doubtful, false},
		{"a lost request", sim.Switches{LoseRequests: 1}, nil, "", ticket.Doubtful, false},
		{"a failure that says nothing", sim.Switches{Moody: true}, nil, "", ticket.Doubtful, false},
		{"a missing right, told with status 500", sim.Switches{NoNotes: true}, nil, "", ticket.Forbidden, false},
		{"a refusal, told with status 200", sim.Switches{Refused200: true}, nil, "", ticket.Rejected, false},
		{"two choices that are both internal", sim.Switches{TwoInside: true}, nil, "", ticket.Misconfigured, true},
		{"a wrong secret", sim.Switches{}, []string{"secret", "other"}, ticket.Misconfigured, ticket.Misconfigured, false},
		{"a wrong user", sim.Switches{}, []string{"user", "nobody"}, ticket.Misconfigured, ticket.Misconfigured, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t, sim.Switches{})
			company := s.AddCompany("A", 1)
			id := s.AddTicket(company, "Printer")
			sys := connect(t, url, tt.more...)
			if !tt.fresh {
				check(t, sys)
			}
			s.Set(tt.sw)
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

func TestCredentialsStayWithAutotask(t *testing.T) {
	var stolen int
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen++ }))
	defer thief.Close()
	for _, zone := range []string{thief.URL, "https://autotask.net.evil.example/", "https://evilautotask.net/", "http://ww1.autotask.net/", "https://x:y@ww1.autotask.net/", "https://ww1.autotask.net:8443/", "", "%zz"} {
		s, url := serve(t, sim.Switches{Zone: zone})
		if zone == "" {
			s.Set(sim.Switches{Zone: " "})
		}
		id := s.AddTicket(s.AddCompany("A", 1), "Printer")
		if _, err := connect(t, url).Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured || stolen != 0 {
			t.Errorf("zone %q: %v; %d calls elsewhere", zone, err, stolen)
		}
	}
}

func TestRotatedSecret(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	id := s.AddTicket(s.AddCompany("A", 1), "Printer")
	sys := connect(t, url)
	if _, err := sys.Find(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	s.Rotate(secret.New("another"))
	if _, err := sys.Find(t.Context(), id); ticket.TroubleOf(err) != ticket.Misconfigured {
		t.Errorf("with the old secret: %v", err)
	}
	if _, err := connect(t, url, "secret", "another").Find(t.Context(), id); err != nil {
		t.Errorf("with the new secret: %v", err)
	}
}

func TestManyTicketsAndFewCallsAtATime(t *testing.T) {
	s, url := serve(t, sim.Switches{Slow: time.Millisecond})
	company := s.AddCompany("A", 1)
	var ids []string
	for i := range 1200 {
		ids = append(ids, s.AddTicket(company, fmt.Sprintf("Ticket %d", i)))
	}
	sys := connect(t, url)
	page, err := sys.Tickets(t.Context(), ticket.Query{Company: company, Limit: 50})
	if err != nil || len(page.Tickets) != 50 || page.Tickets[0].ID != ids[1199] || page.Next != ids[1150] {
		t.Errorf("the first page: %d tickets, next %s, %v", len(page.Tickets), page.Next, err)
	}
	before := s.Calls()
	found, err := sys.Find(t.Context(), ids...)
	if err != nil || len(found) != 1200 || s.Calls()-before > 6 {
		t.Errorf("found %d in %d calls, %v", len(found), s.Calls()-before, err)
	}
	var all sync.WaitGroup
	for range 12 { // the server complains about more than three at a time
		all.Go(func() {
			if _, err := sys.Find(t.Context(), ids[0]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
