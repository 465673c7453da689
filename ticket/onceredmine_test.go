package ticket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"jitney/secret"
	simredmine "jitney/sim/redmine"
	"jitney/ticket"
	"jitney/ticket/redmine"
)

func isUpdate(r *http.Request) bool { return r.Method == http.MethodPut }

func openRedmine(t *testing.T, url, key string) ticket.System {
	t.Helper()
	sys, err := redmine.Kind(here).Open(t.Context(), ticket.Settings{Values: map[string]string{"url": url}, Secrets: map[string]secret.Text{"key": secret.New(key)}})
	if err != nil {
		t.Fatal(err)
	}
	return sys
}

// TestEachNoteIsThereOnceOnRedmine is the trial where a note has no id and its
// answer no word.
func TestEachNoteIsThereOnceOnRedmine(t *testing.T) {
	t.Parallel()
	s := simredmine.New(simredmine.Switches{})
	srv := httptest.NewServer(s)
	defer srv.Close()
	project := s.AddProject("Aviary", "")
	key := s.Key("jitney", []string{simredmine.AddNotes, simredmine.PrivateNotes}, project)
	var tickets []string
	for i := range 40 {
		tickets = append(tickets, s.AddIssue(project, fmt.Sprint("Ticket ", i)))
	}
	const late = 200 * time.Millisecond
	l, proxied := newLossy(t, srv.URL, late, isUpdate)
	once(t, l, openRedmine(t, proxied, key), openRedmine(t, srv.URL, key), tickets, 5)
	if all, public := len(s.Notes("[jitney:trial-", false)), len(s.Notes("", true)); all != 200 || public != 0 {
		t.Errorf("the server holds %d notes, %d of them public; want 200, none public", all, public)
	}
}
