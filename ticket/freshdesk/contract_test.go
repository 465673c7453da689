package freshdesk_test

import (
	"net/http/httptest"
	"testing"

	"jitney/secret"
	sim "jitney/sim/freshdesk"
	"jitney/ticket"
	"jitney/ticket/freshdesk"
	"jitney/ticket/reach"
	"jitney/ticket/tickettest"
)

var here = reach.Rules{Private: []string{"127.0.0.0/8"}}

const key = "FreshKey00000000001"

func settings(url string, more ...string) ticket.Settings {
	s := ticket.Settings{Values: map[string]string{"url": url}, Secrets: map[string]secret.Text{"key": secret.New(key)}}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i] == "key" {
			s.Secrets["key"] = secret.New(more[i+1])
			continue
		}
		s.Values[more[i]] = more[i+1]
	}
	return s
}

func connect(t *testing.T, url string, more ...string) ticket.System {
	t.Helper()
	sys, err := freshdesk.Kind(here).Open(t.Context(), settings(url, more...))
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
	s := sim.New(sw, secret.New(key))
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
	ways := map[string]sim.Switches{
		"as documented":                           {},
		"pages smaller than asked for":            {PageCap: 2},
		"conversations with the newest first":     {NewestFirst: true, PageCap: 1},
		"conversations without their text":        {NoPlainText: true},
		"an agent who may not read its fields":    {NoFields: true},
		"an agent who sees some groups only":      {Scoped: true},
		"a trash whose tickets can still be read": {ShowTrash: true},
	}
	for name, sw := range ways {
		t.Run(name, func(t *testing.T) {
			tickettest.Run(t, func(t *testing.T) tickettest.Desk {
				s, url := serve(t, sw)
				return tickettest.Desk{System: connect(t, url), Company: s.AddCompany("Aviary O'Brien"), Other: s.AddCompany("Bakery"), OneByOne: true,
					Open:  func(t *testing.T, company, title string) string { return s.AddTicket(company, title) },
					Close: func(t *testing.T, id string) { s.SetStatus(id, sim.StatusClosed) },
					Paste: func(t *testing.T, id, key string) { s.Paste(id, key) }}
			})
		})
	}
}
