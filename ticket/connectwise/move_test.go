package connectwise

import (
	"net/http/httptest"
	"testing"
	"time"

	"jitney/secret"
	sim "jitney/sim/connectwise"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// TestTheSiteMovesToAnotherRelease looks inside, for the time that an answer
// about the codebase is believed.
func TestTheSiteMovesToAnotherRelease(t *testing.T) {
	s := sim.New(sim.Switches{}, secret.New("private"))
	srv := httptest.NewServer(s)
	defer srv.Close()
	opened, err := Kind(reach.Rules{Private: []string{"127.0.0.0/8"}}).Open(t.Context(), ticket.Settings{
		Values:  map[string]string{"url": srv.URL, "company": sim.Company, "public_key": sim.PublicKey},
		Secrets: map[string]secret.Text{"private_key": secret.New("private"), "client_id": secret.New(sim.ClientID)}})
	if err != nil {
		t.Fatal(err)
	}
	sys := opened.(*system)
	defer sys.Close()
	id := s.AddTicket(s.AddCompany("A"), 1, "Printer")
	find := func() {
		t.Helper()
		if found, err := sys.Find(t.Context(), id); err != nil || len(found) != 1 {
			t.Errorf("Find: %v, %v", found, err)
		}
	}
	later := func() { sys.askedAt = time.Now().Add(-time.Minute) }
	find()
	s.Move("v2025_2/")
	later()
	find() // a call that reads is made again there
	s.Move("v2025_3")
	later()
	n := ticket.Note{Key: "jitney:moved:granted:1", Body: "x"}
	if _, err := sys.AddNote(t.Context(), id, n); ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("AddNote: %v; want %s, for it surely had no effect", err, ticket.Down)
	}
	if _, err := sys.AddNote(t.Context(), id, n); err != nil {
		t.Errorf("AddNote, later: %v", err)
	}
	if texts, _ := s.Notes(n.Key); len(texts) != 1 {
		t.Errorf("written %d times", len(texts))
	}
}

func TestHostedSitesHaveAHostForCalls(t *testing.T) {
	for site, want := range map[string]string{"https://na.myconnectwise.net": "https://api-na.myconnectwise.net", "https://EU.myconnectwise.net/": "https://api-eu.myconnectwise.net",
		"https://api-au.myconnectwise.net": "https://api-au.myconnectwise.net", "https://cw.example.com": "https://cw.example.com", "https://myconnectwise.net.evil.example": "https://myconnectwise.net.evil.example"} {
		checked, err := parse(reach.Rules{}, ticket.Settings{Values: map[string]string{"url": site, "company": "a", "public_key": "b"},
			Secrets: map[string]secret.Text{"private_key": secret.New("c"), "client_id": secret.New("d")}})
		if err != nil || checked.api.Base != want {
			t.Errorf("%s: %s, %v; want %s", site, checked.api.Base, err, want)
		}
	}
}
