package servicenow_test

import (
	"net/http/httptest"
	"testing"

	"jitney/secret"
	sim "jitney/sim/servicenow"
	"jitney/ticket"
	"jitney/ticket/reach"
	"jitney/ticket/servicenow"
	"jitney/ticket/tickettest"
)

var here = reach.Rules{Private: []string{"127.0.0.0/8"}}

const password = "s3cret-0002"

func settings(url string, more ...string) ticket.Settings {
	s := ticket.Settings{Values: map[string]string{"url": url, "user": sim.User}, Secrets: map[string]secret.Text{"password": secret.New(password)}}
	for i := 0; i+1 < len(more); i += 2 {
		switch more[i] {
		case "password", "client_secret":
			s.Secrets[more[i]] = secret.New(more[i+1])
		default:
			s.Values[more[i]] = more[i+1]
		}
	}
	return s
}

func connect(t *testing.T, url string, more ...string) ticket.System {
	t.Helper()
	sys, err := servicenow.Kind(here).Open(t.Context(), settings(url, more...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.(interface{ Close() error }).Close() })
	return sys
}

// serve starts a simulated instance, and at the end looks whether it was asked
// anything that the real one does not know.
func serve(t *testing.T, sw sim.Switches) (*sim.Server, string) {
	t.Helper()
	s := sim.New(sw, secret.New(password))
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Wait()
		srv.Close()
		for _, odd := range s.Odd() {
			t.Errorf("odd: %s", odd)
		}
	})
	return s, srv.URL
}

func TestContract(t *testing.T) {
	application := []string{"client_id", sim.ClientID, "client_secret", password}
	ways := map[string]struct {
		sw   sim.Switches
		more []string
	}{
		"as documented": {sim.Switches{}, nil},
		"conditions that nobody understands count": {sim.Switches{Strict: true}, nil},
		"a journal that the account does not see":  {sim.Switches{JournalHidden: true}, nil},
		"a journal that the account may not read":  {sim.Switches{JournalForbidden: true}, nil},
		"notes that are seen in the journal only":  {sim.Switches{NotesHidden: true}, nil},
		"answers that nobody counts":               {sim.Switches{NoCounts: true}, nil},
		"a user with an application":               {sim.Switches{NoBasic: true}, application},
		"cases of Customer Service Management":     {sim.Switches{Cases: true}, []string{"table", "sn_customerservice_case"}},
		"an application without a user":            {sim.Switches{NoBasic: true, ClientCredentials: true}, append(application, "user", "")},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			tickettest.Run(t, func(t *testing.T) tickettest.Desk {
				s, url := serve(t, way.sw)
				d := tickettest.Desk{System: connect(t, url, way.more...), Company: s.AddCompany("Aviary O'Brien"), Other: s.AddCompany("Bakery"),
					Open:  func(t *testing.T, company, title string) string { return s.AddTicket(company, title) },
					Close: func(t *testing.T, id string) { s.Close(id) }}
				if !way.sw.JournalHidden && !way.sw.JournalForbidden { // the ticket itself does not say who wrote
					d.Paste = func(t *testing.T, id, key string) { s.Paste(id, key) }
				}
				if way.sw.NotesHidden { // where nobody ever wrote a note, nothing shows that they can be read
					s.Fill(s.AddTicket(d.Other, "Old"), 1, "x")
				}
				return d
			})
		})
	}
}
