//go:build desks

package redmine_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"jitney/access"
	"jitney/lab"
	"jitney/ticket"
	"jitney/ticket/tickettest"
)

// TestContractOnTheRealOne runs the contract on Redmine itself.
func TestContractOnTheRealOne(t *testing.T) {
	real := lab.RunRedmine(t)
	tickettest.Run(t, func(t *testing.T) tickettest.Desk {
		return tickettest.Desk{System: connect(t, real.URL, real.Key), Company: real.Project(t), Other: real.Project(t),
			Open:  func(t *testing.T, company, title string) string { return open(t, real, company, title) },
			Close: func(t *testing.T, id string) { finish(t, real, id) },
			Paste: func(t *testing.T, id, key string) {
				ask(t, real, http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{"notes": "See [" + key + "]"}}, nil)
			}}
	})
}

// TestTheRealOneIsAsTheSimulatedOne looks at the oddities that the simulation
// was written after.
func TestTheRealOneIsAsTheSimulatedOne(t *testing.T) {
	real := lab.RunRedmine(t)
	ours, theirs := real.Project(t), real.Project(t)
	sys := connect(t, real.URL, real.Key)
	id, other := open(t, real, ours, "It's 100% broken"), open(t, real, theirs, "Theirs")

	t.Run("crafted text finds nothing of others", func(t *testing.T) {
		for _, evil := range []string{ours + "/../" + theirs, "customer-01", ours + "," + theirs, "*", "' OR 1=1 --", "%", "!" + other, other} {
			if page, err := sys.Tickets(t.Context(), ticket.Query{Company: evil}); evil != other && (err != nil || len(page.Tickets) > 0) {
				t.Errorf("company %q: %+v, %v", evil, page, err)
			}
			if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours, Text: evil}); err != nil || page.Foreign > 0 || slices.Contains(ids(page), other) {
				t.Errorf("text %q: %+v, %v", evil, page, err)
			}
		}
		if page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours, Text: "it's 100%"}); err != nil || !slices.Equal(ids(page), []string{id}) {
			t.Errorf("%+v, %v", page, err)
		}
	})
	t.Run("a subproject is another company", func(t *testing.T) {
		var made struct{ Project struct{ ID int } }
		n, _ := strconv.Atoi(ours)
		ask(t, real, http.MethodPost, "projects.json", map[string]any{"project": map[string]any{"name": "Below", "identifier": "below", "parent_id": n, "inherit_members": true, "tracker_ids": []int{1}}}, &made)
		below := open(t, real, strconv.Itoa(made.Project.ID), "Below")
		page, err := sys.Tickets(t.Context(), ticket.Query{Company: ours})
		if err != nil || slices.Contains(ids(page), below) || page.Foreign != 0 || len(page.Tickets) == 0 {
			t.Errorf("%+v, %v", page, err)
		}
	})
	t.Run("a note on a closed ticket leaves it closed, and a deleted one is missing", func(t *testing.T) {
		id := open(t, real, ours, "Done")
		finish(t, real, id)
		if _, err := sys.AddNote(t.Context(), id, note(1)); err != nil {
			t.Fatal(err)
		}
		if got, ok := find(t, sys, id); !ok || got.Open || got.Status != "Closed" {
			t.Errorf("%+v", got)
		}
		ask(t, real, http.MethodDelete, "issues/"+id+".json", nil, nil)
		if got, ok := find(t, sys, id); ok {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a note is private, or not written", func(t *testing.T) {
		if _, err := connect(t, real.URL, real.Loud).AddNote(t.Context(), id, note(2)); ticket.TroubleOf(err) != ticket.Forbidden {
			t.Errorf("without the right to private notes: %v", err)
		}
		if _, err := connect(t, real.URL, real.Mute, "notes", "public").AddNote(t.Context(), id, note(2)); ticket.TroubleOf(err) != ticket.Forbidden {
			t.Errorf("without the right to notes: %v", err)
		}
		if refs, err := sys.Notes(t.Context(), id, note(2).Key); err != nil || len(refs) != 0 {
			t.Errorf("%+v, %v", refs, err)
		}
		if _, err := sys.AddNote(t.Context(), id, note(3)); err != nil {
			t.Fatal(err)
		}
		if refs, err := connect(t, real.URL, real.Mute).Notes(t.Context(), id, note(3).Key); err != nil || len(refs) != 0 {
			t.Errorf("others see it: %+v, %v", refs, err)
		}
	})
	t.Run("a note is shown letter by letter", func(t *testing.T) {
		n := note(4)
		n.Body = "{{hello_world}} {{macro_list}} *bold* @jitney adm@contoso.com \"x\":http://evil.example #1 </pre><b>b</b>"
		if _, err := sys.AddNote(t.Context(), id, n); err != nil {
			t.Fatal(err)
		}
		html := page(t, real, "issues/"+id)
		i := strings.Index(html, "macro_list")
		if i < 0 {
			t.Fatal("the page does not show the note")
		}
		shown := html[i-40 : min(i+400, len(html))]
		for _, bad := range []string{"<strong>", `href="http://evil`, "<b>", `class="issue`, `class="user`} {
			if strings.Contains(shown, bad) {
				t.Errorf("it has %s:\n%s", bad, shown)
			}
		}
		if !strings.Contains(shown, "adm@contoso.com") {
			t.Errorf("an address is changed:\n%s", shown)
		}
	})
	t.Run("Check tells who we are, and Companies what can be mapped", func(t *testing.T) {
		found, err := sys.(ticket.Checker).Check(t.Context())
		if err != nil || len(found) < 3 || !strings.Contains(found[0].What, "signed in as jitney") || found[len(found)-1].Level != "ok" {
			t.Errorf("%+v, %v", found, err)
		}
		if !slices.ContainsFunc(found, func(f access.Finding) bool {
			return strings.HasPrefix(f.What, "Closed are tickets with the status Closed") && strings.HasPrefix(f.Fix, "Statuses: New")
		}) {
			t.Errorf("which statuses are closed is not told: %+v", found)
		}
		all, err := sys.(ticket.Importer).Companies(t.Context())
		if err != nil || len(all) < 60 || !slices.ContainsFunc(all, func(c ticket.Company) bool { return c.Name == "Customer 01 O'Brien & Sons" && !c.Closed }) {
			t.Errorf("%d, %v", len(all), err)
		}
	})
	t.Run("a wrong key is told, and not shown", func(t *testing.T) {
		_, err := connect(t, real.URL, "0123456789").Tickets(t.Context(), ticket.Query{Company: ours})
		if ticket.TroubleOf(err) != ticket.Misconfigured || strings.Contains(err.Error(), "0123456789") {
			t.Errorf("%v", err)
		}
	})
}

// open opens a ticket on the real one, as its administrator.
func open(t *testing.T, real lab.Redmine, project, title string) string {
	t.Helper()
	var made struct{ Issue struct{ ID int } }
	ask(t, real, http.MethodPost, "issues.json", map[string]any{"issue": map[string]any{"project_id": project, "subject": title, "tracker_id": 1, "status_id": 1, "priority_id": 2}}, &made)
	return strconv.Itoa(made.Issue.ID)
}

func finish(t *testing.T, real lab.Redmine, id string) {
	t.Helper()
	ask(t, real, http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{"status_id": 5}}, nil)
}

func ask(t *testing.T, real lab.Redmine, method, path string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	out := send(t, real, method, path, bytes.NewReader(text))
	if into != nil {
		if err := json.Unmarshal(out, into); err != nil {
			t.Fatal(err)
		}
	}
}

func page(t *testing.T, real lab.Redmine, path string) string {
	t.Helper()
	return string(send(t, real, http.MethodGet, path+"?key="+real.Admin, nil))
}

func send(t *testing.T, real lab.Redmine, method, path string, body io.Reader) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, real.URL+"/"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Redmine-API-Key", real.Admin)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, out, err)
	}
	return out
}
