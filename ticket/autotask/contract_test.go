package autotask_test

import (
	"net/http/httptest"
	"testing"

	"jitney/secret"
	sim "jitney/sim/autotask"
	"jitney/ticket"
	"jitney/ticket/autotask"
	"jitney/ticket/reach"
	"jitney/ticket/tickettest"
)

var here = reach.Rules{Private: []string{"127.0.0.0/8"}}

const password = "s3cret$0001"

func settings(url string, more ...string) ticket.Settings {
	s := ticket.Settings{Values: map[string]string{"url": url, "user": sim.User},
		Secrets: map[string]secret.Text{"secret": secret.New(password), "code": secret.New(sim.Code)}}
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
	sys, err := autotask.Kind(here).Open(t.Context(), settings(url, more...))
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
	s := sim.New(sw, secret.New(password))
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
	for name, chosen := range map[string]string{"choices that are found out": "", "choices that are made": "2"} {
		t.Run(name, func(t *testing.T) {
			tickettest.Run(t, func(t *testing.T) tickettest.Desk {
				s, url := serve(t, sim.Switches{})
				return tickettest.Desk{System: connect(t, url, "publish", chosen, "note_type", chosen), Company: s.AddCompany("Aviary O'Brien", 1), Other: s.AddCompany("Bakery", 1),
					Open:  func(t *testing.T, company, title string) string { return s.AddTicket(company, title) },
					Close: func(t *testing.T, id string) { s.SetStatus(id, sim.StatusComplete) }}
			})
		})
	}
}
