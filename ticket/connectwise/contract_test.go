package connectwise_test

import (
	"net/http/httptest"
	"testing"

	"jitney/secret"
	sim "jitney/sim/connectwise"
	"jitney/ticket"
	"jitney/ticket/connectwise"
	"jitney/ticket/reach"
	"jitney/ticket/tickettest"
)

var here = reach.Rules{Private: []string{"127.0.0.0/8"}}

const private = "PrivateKey0001"

func settings(url string, more ...string) ticket.Settings {
	s := ticket.Settings{Values: map[string]string{"url": url, "company": sim.Company, "public_key": sim.PublicKey},
		Secrets: map[string]secret.Text{"private_key": secret.New(private), "client_id": secret.New(sim.ClientID)}}
	for i := 0; i+1 < len(more); i += 2 {
		if _, ok := s.Secrets[more[i]]; ok {
			s.Secrets[more[i]] = secret.New(more[i+1])
			continue
		}
		s.Values[more[i]] = more[i+1]
	}
	return s
}

func connect(t *testing.T, url string, more ...string) ticket.System {
	t.Helper()
	sys, err := connectwise.Kind(here).Open(t.Context(), settings(url, more...))
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
	s := sim.New(sw, secret.New(private))
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
	tickettest.Run(t, func(t *testing.T) tickettest.Desk {
		s, url := serve(t, sim.Switches{})
		other := s.AddBoard("Projects & Sales")
		return tickettest.Desk{System: connect(t, url), Company: s.AddCompany("Aviary O'Brien"), Other: s.AddCompany("Bakery"),
			Open:  func(t *testing.T, company, title string) string { return s.AddTicket(company, other, title) },
			Close: func(t *testing.T, id string) { s.Close(id) }}
	})
}
