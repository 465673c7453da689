package kaseyabms_test

import (
	"net/http/httptest"
	"testing"

	"jitney/secret"
	sim "jitney/sim/kaseyabms"
	"jitney/ticket"
	"jitney/ticket/kaseyabms"
	"jitney/ticket/reach"
	"jitney/ticket/tickettest"
)

var here = reach.Rules{Private: []string{"127.0.0.0/8"}}

const password = "s3cret &+=0001"

func settings(url string, more ...string) ticket.Settings {
	s := ticket.Settings{Values: map[string]string{"url": url, "company": sim.Tenant, "user": sim.User, "note_type": "3"},
		Secrets: map[string]secret.Text{"password": secret.New(password)}}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i] == "password" || more[i] == "totp" {
			s.Secrets[more[i]] = secret.New(more[i+1])
			continue
		}
		s.Values[more[i]] = more[i+1]
	}
	return s
}

func connect(t *testing.T, url string, more ...string) ticket.System {
	t.Helper()
	sys, err := kaseyabms.Kind(here).Open(t.Context(), settings(url, more...))
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
	ways := map[string]sim.Switches{
		"as clients see it":                   {},
		"with the names that are documented":  {Pascal: true, Missing404: true},
		"filters that do not hold":            {IgnoreCompleted: true, MissingNull: true},
		"titles only as a whole":              {ExactTitle: true, NewestFirst: true},
		"everything in one answer":            {NoPages: true},
		"answers that are smaller than asked": {PageCap: 2},
	}
	for name, sw := range ways {
		t.Run(name, func(t *testing.T) {
			tickettest.Run(t, func(t *testing.T) tickettest.Desk {
				s, url := serve(t, sw)
				return tickettest.Desk{System: connect(t, url), Company: s.AddAccount("Aviary O'Brien"), Other: s.AddAccount("Bakery"), OneByOne: true,
					Open:  func(t *testing.T, company, title string) string { return s.AddTicket(company, title) },
					Close: func(t *testing.T, id string) { s.Close(id) }}
			})
		})
	}
}
