//go:build desks

package rt_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"jitney/lab"
	sim "jitney/sim/rt"
	"jitney/ticket"
	"jitney/ticket/tickettest"
)

// TestContractOnTheRealOne runs the contract on Request Tracker itself.
func TestContractOnTheRealOne(t *testing.T) {
	real := lab.RequestTracker(t)
	tickettest.Run(t, func(t *testing.T) tickettest.Desk {
		return tickettest.Desk{System: connect(t, real.URL, real.Token), Company: real.Queue(t), Other: real.Queue(t),
			Open:  func(t *testing.T, company, title string) string { return open(t, real, company, title, "") },
			Close: func(t *testing.T, id string) { change(t, real, id, map[string]any{"Status": "resolved"}) },
			Paste: func(t *testing.T, id, key string) {
				ask(t, real, http.MethodPost, "ticket/"+id+"/comment", map[string]any{"Content": "See [" + key + "]", "ContentType": "text/plain", "TxnCustomFields": map[string]string{sim.KeyField: key}}, nil)
			}}
	})
}

// TestANoteOfSomebodyElseOnTheRealOne is about tickets without the key field.
func TestANoteOfSomebodyElseOnTheRealOne(t *testing.T) {
	real := lab.RequestTracker(t)
	sys, id, n := connect(t, real.URL, real.Token, "key_field", ""), open(t, real, real.Queue(t), "A", ""), note(7)
	ask(t, real, http.MethodPost, "ticket/"+id+"/comment", map[string]any{"Content": "See [" + n.Key + "]", "ContentType": "text/plain"}, nil)
	if got := notes(t, sys, id, n.Key); got != 0 {
		t.Errorf("%d notes of ours before it was written", got)
	}
	if _, err := sys.AddNote(t.Context(), id, n); err != nil || notes(t, sys, id, n.Key) != 1 {
		t.Errorf("%d, %v", notes(t, sys, id, n.Key), err)
	}
}

// TestTheRealOneIsAsTheSimulatedOne looks at the oddities that the simulation
// was written after.
func TestTheRealOneIsAsTheSimulatedOne(t *testing.T) {
	real := lab.RequestTracker(t)
	ours := real.Queue(t)
	sys := connect(t, real.URL, real.Token)
	old, into := open(t, real, ours, "It's 100% broken", ""), open(t, real, ours, `Back\slash`, "")

	t.Run("crafted text finds nothing of others", func(t *testing.T) {
		open(t, real, "3", "Of the first customer", "")
		for _, evil := range []string{ours + " OR Queue = 3", "x' OR Queue = '3", `x\' OR Queue = '3`, `\`, "'", "1)", `"`} {
			if page, err := sys.Tickets(t.Context(), ticket.Query{Company: evil}); err != nil || len(page.Tickets) > 0 {
				t.Errorf("company %q: %+v, %v", evil, page, err)
			}
			page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours, Text: evil})
			if err != nil || page.Foreign > 0 || len(page.Tickets) > 1 {
				t.Errorf("text %q: %+v, %v", evil, page, err)
			}
		}
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours, Text: `k\s`}); err != nil || !slices.Equal(ids(page), []string{into}) {
			t.Errorf("a backslash: %+v, %v", page, err)
		}
	})
	t.Run("a merged ticket keeps its notes", func(t *testing.T) {
		for _, way := range []string{sim.KeyField, ""} {
			sys := connect(t, real.URL, real.Token, "key_field", way)
			first, second := note(1), note(2)
			first.Key, second.Key = strings.Replace(first.Key, "g1", "m"+way+"1", 1), strings.Replace(second.Key, "g1", "m"+way+"1", 1)
			a, b := open(t, real, ours, "A", ""), open(t, real, ours, "B", "")
			if _, err := sys.AddNote(t.Context(), a, first); err != nil {
				t.Fatal(err)
			}
			change(t, real, a, map[string]any{"MergeInto": b})
			if _, err := sys.AddNote(t.Context(), a, second); err != nil {
				t.Fatal(err)
			}
			if n, m := notes(t, sys, a, first.Key), notes(t, sys, a, second.Key); n != 1 || m != 1 {
				t.Errorf("key field %q: found %d and %d times", way, n, m)
			}
			if got, ok := find(t, sys, a); !ok || got.MergedInto != b || got.ID != a || !got.Open || got.Company != ours {
				t.Errorf("%+v", got)
			}
		}
	})
	t.Run("a note on a resolved ticket leaves it resolved, and a deleted one is missing", func(t *testing.T) {
		change(t, real, old, map[string]any{"Status": "resolved"})
		if _, err := sys.AddNote(t.Context(), old, note(3)); err != nil {
			t.Fatal(err)
		}
		if got, ok := find(t, sys, old); !ok || got.Open || got.Status != "resolved" || !got.AcceptsNotes {
			t.Errorf("%+v", got)
		}
		change(t, real, old, map[string]any{"Status": "deleted"})
		if got, ok := find(t, sys, old); ok {
			t.Errorf("deleted: %+v", got)
		}
	})
	t.Run("a stalled ticket is open", func(t *testing.T) {
		id := open(t, real, ours, "Waits for a part", "")
		change(t, real, id, map[string]any{"Status": "stalled"})
		if got, ok := find(t, sys, id); !ok || !got.Open || got.Status != "stalled" {
			t.Errorf("%+v", got)
		}
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours}); err != nil || !slices.Contains(ids(page), id) {
			t.Errorf("%+v, %v", page, err)
		}
	})
	t.Run("what is hidden looks as if it were not there", func(t *testing.T) {
		narrow := connect(t, real.URL, real.Narrow)
		if page, err := narrow.Tickets(t.Context(), ticket.Query{Company: ours}); err != nil || len(page.Tickets) > 0 {
			t.Errorf("%+v, %v", page, err)
		}
		if got, ok := find(t, narrow, into); ok {
			t.Errorf("%+v", got)
		}
		if _, err := narrow.AddNote(t.Context(), into, note(4)); ticket.TroubleOf(err) != ticket.Forbidden {
			t.Errorf("AddNote: %v", err)
		}
		if all, err := narrow.(ticket.Importer).Companies(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("Companies: %v, %v", all, err)
		}
	})
	t.Run("a customer can be a custom field", func(t *testing.T) {
		company := `Aviary O'Brien \ Sons`
		id := open(t, real, ours, "C", company)
		open(t, real, ours, "D", "Globex")
		sys := connect(t, real.URL, real.Token, "company", "custom field", "company_field", sim.CompanyField)
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: company}); err != nil || !slices.Equal(ids(page), []string{id}) || page.Foreign > 0 {
			t.Errorf("%+v, %v", page, err)
		}
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: "x' OR id > '0"}); err != nil || len(page.Tickets) > 0 {
			t.Errorf("crafted: %+v, %v", page, err)
		}
		if all, err := sys.(ticket.Importer).Companies(t.Context()); err != nil || !slices.Contains(all, ticket.Company{ID: company, Name: company}) {
			t.Errorf("%v, %v", all, err)
		}
	})
	t.Run("Check tells who we are", func(t *testing.T) {
		found, err := sys.(ticket.Checker).Check(t.Context())
		if err != nil || len(found) < 4 || !strings.Contains(found[0].What, "signed in as jitney") || found[len(found)-1].Level != "ok" {
			t.Errorf("%+v, %v", found, err)
		}
	})
	t.Run("a wrong token is told, and not shown", func(t *testing.T) {
		_, err := connect(t, real.URL, "1-27-0123456789").Tickets(t.Context(), ticket.Query{Company: ours})
		if ticket.TroubleOf(err) != ticket.Misconfigured || strings.Contains(err.Error(), "0123456789") {
			t.Errorf("%v", err)
		}
	})
}

// open opens a ticket on the real one, as its administrator.
func open(t *testing.T, real lab.Tracker, queue, title, company string) string {
	t.Helper()
	body := map[string]any{"Queue": queue, "Subject": title, "Content": "x", "ContentType": "text/plain"}
	if company != "" {
		body["CustomFields"] = map[string]string{sim.CompanyField: company}
	}
	var made struct{ ID string }
	ask(t, real, http.MethodPost, "ticket", body, &made)
	return made.ID
}

func change(t *testing.T, real lab.Tracker, id string, body map[string]any) {
	t.Helper()
	ask(t, real, http.MethodPut, "ticket/"+id, body, nil)
}

func ask(t *testing.T, real lab.Tracker, method, path string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, real.URL+"/REST/2.0/"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+real.Root)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(resp.Body); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, out.String(), err)
	}
	if into != nil {
		if err := json.Unmarshal(out.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
}
