package ticket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jitney/secret"
	simrt "jitney/sim/rt"
	"jitney/ticket"
	"jitney/ticket/reach"
	"jitney/ticket/rt"
)

var here = reach.Rules{Private: []string{"127.0.0.0/8"}}

func isComment(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/comment") }

func openRT(t *testing.T, url, token, field string) ticket.System {
	t.Helper()
	sys, err := rt.Kind(here).Open(t.Context(), ticket.Settings{Values: map[string]string{"url": url, "key_field": field}, Secrets: map[string]secret.Text{"token": secret.New(token)}})
	if err != nil {
		t.Fatal(err)
	}
	return sys
}

// TestEachNoteIsThereOnceOnRequestTracker writes 200 notes while the network
// loses three of ten answers and delays three of ten requests.
func TestEachNoteIsThereOnceOnRequestTracker(t *testing.T) {
	t.Parallel()
	for _, field := range []string{simrt.KeyField, ""} {
		t.Run(fmt.Sprintf("key field %q", field), func(t *testing.T) {
			t.Parallel()
			s := simrt.New(simrt.Switches{})
			srv := httptest.NewServer(s)
			defer srv.Close()
			queue, token := s.AddQueue("Aviary"), s.Token("jitney", true)
			var tickets []string
			for i := range 40 {
				tickets = append(tickets, s.AddTicket(queue, fmt.Sprint("Ticket ", i), ""))
			}
			const late = 200 * time.Millisecond
			l, proxied := newLossy(t, srv.URL, late, isComment)
			once(t, l, openRT(t, proxied, token, field), openRT(t, srv.URL, token, field), tickets, 5)
			if n := len(s.Comments("[jitney:trial-")); n != 200 {
				t.Errorf("the server holds %d notes; want 200", n)
			}
		})
	}
}

// TestWithoutTheGraceNotesAreThereTwice shows that the trial can fail: who
// looks only once before writing again writes twice.
func TestWithoutTheGraceNotesAreThereTwice(t *testing.T) {
	t.Parallel()
	s := simrt.New(simrt.Switches{})
	srv := httptest.NewServer(s)
	defer srv.Close()
	token := s.Token("jitney", true)
	var tickets []string
	queue := s.AddQueue("Aviary")
	for range 10 {
		tickets = append(tickets, s.AddTicket(queue, "Ticket", ""))
	}
	l, proxied := newLossy(t, srv.URL, waits, isComment)
	counts := deliver(t, l, openRT(t, proxied, token, simrt.KeyField), openRT(t, srv.URL, token, simrt.KeyField), 0, tickets, 2)
	if counts[1] == 20 {
		t.Error("every note is there once, though nobody waited for late ones")
	}
}
