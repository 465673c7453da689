package rt_test

import (
	"net/http/httptest"
	"testing"

	"jitney/secret"
	sim "jitney/sim/rt"
	"jitney/ticket"
	"jitney/ticket/reach"
	"jitney/ticket/rt"
	"jitney/ticket/tickettest"
)

var here = reach.Rules{Private: []string{"127.0.0.0/8"}}

// connect opens a connection with the key field, unless more says otherwise.
func connect(t *testing.T, url, token string, more ...string) ticket.System {
	t.Helper()
	s := ticket.Settings{Values: map[string]string{"url": url, "key_field": sim.KeyField}, Secrets: map[string]secret.Text{"token": secret.New(token)}}
	for i := 0; i+1 < len(more); i += 2 {
		s.Values[more[i]] = more[i+1]
	}
	sys, err := rt.Kind(here).Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.(interface{ Close() error }).Close() })
	return sys
}

// serve starts a simulated server, and at the end looks whether it was asked
// anything that the real one does not know.
func serve(t *testing.T, sw sim.Switches) (*sim.Server, string) {
	t.Helper()
	s := sim.New(sw)
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

func TestContract(t *testing.T) {
	ways := map[string][]string{
		"queues and a key field":      nil,
		"queues, keys in the text":    {"key_field", ""},
		"a key field that is nowhere": {"key_field", "Nowhere"},
		"a custom field":              {"company", "custom field", "company_field", sim.CompanyField},
	}
	for name, more := range ways {
		t.Run(name, func(t *testing.T) {
			tickettest.Run(t, func(t *testing.T) tickettest.Desk {
				s, url := serve(t, sim.Switches{})
				d := tickettest.Desk{System: connect(t, url, s.Token("jitney", true), more...), Company: s.AddQueue("Aviary O'Brien"), Other: s.AddQueue("Bakery"),
					Open:  func(t *testing.T, company, title string) string { return s.AddTicket(company, title, "") },
					Close: func(t *testing.T, id string) { s.SetStatus(id, "resolved") },
					Paste: func(t *testing.T, id, key string) { s.Paste(id, key) }}
				if len(more) == 4 {
					queue := d.Company
					d.Company, d.Other = `Aviary O'Brien \ Sons`, "Bakery"
					d.Open = func(t *testing.T, company, title string) string { return s.AddTicket(queue, title, company) }
				}
				return d
			})
		})
	}
}
