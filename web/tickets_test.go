package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/ticket"
)

// memShelf keeps what ticket systems told.
type memShelf struct {
	lists   map[string]access.TicketList
	choices []access.Choices
}

func (m *memShelf) TicketList(_ context.Context, _, company string) (access.TicketList, error) {
	return m.lists[company], nil
}

func (m *memShelf) SetTicketList(_ context.Context, l access.TicketList) error {
	if m.lists == nil {
		m.lists = map[string]access.TicketList{}
	}
	m.lists[l.Company] = l
	return nil
}

func (m *memShelf) DropTicketLists(context.Context, string) error { m.lists = nil; return nil }

func (m *memShelf) Choices(context.Context, string) ([]access.Choices, error) { return m.choices, nil }

func (m *memShelf) SetChoices(_ context.Context, all ...access.Choices) error {
	m.choices = all
	return nil
}

// memBacklog has one note that was given up, and counts hints.
type memBacklog struct{ retried, hints int }

func (m *memBacklog) Parked(context.Context, string, int) ([]access.Work, error) {
	return []access.Work{{ID: "w1", Key: "jitney:g1:ended:1", Grant: "g1", ParkedAt: time.Now(), Result: "The ticket <b>takes no notes</b>.", Payload: []byte(`{"ticket":{"Number":"4711"}}`)}}, nil
}

func (m *memBacklog) Retry(context.Context, string, ...access.Event) error { m.retried++; return nil }
func (m *memBacklog) Ensure(context.Context, access.Work) error            { m.hints++; return nil }

func (bureauSystem) Options(context.Context, string) ([]ticket.Option, error) {
	return []ticket.Option{{Value: "5", Title: "Complete"}, {Value: "21", Title: "Closed <by mail>"}}, nil
}

// connected is a world with one connected ticket system, and its page.
func connected(t *testing.T) (*world, string) {
	w := newWorld(t)
	w.fill()
	w.ask(t, ada, "/ticket-systems", url.Values{"kind": {"bureau"}, "field-url": {"https://tickets.example"}, "field-token": {"abc"}}).must(t, http.StatusSeeOther)
	return w, "/ticket-systems/" + w.bureaus.only(t)
}

func TestSettingsAreChosenFromWhatTheSystemTells(t *testing.T) {
	w, page := connected(t)
	a := w.ask(t, ada, page, nil).must(t, http.StatusOK, `type="checkbox" name="field-closed" value="21"`, "Closed &lt;by mail&gt; (21)", "Not chosen", "Read what can be chosen")
	checkPage(t, page, a)
	w.ask(t, ada, page+"/choices", url.Values{}).must(t, http.StatusSeeOther)
	w.ask(t, ada, page, url.Values{"version": {"1"}, "name": {"B"}, "field-url": {"https://tickets.example"}, "field-closed": {"", "5", "21"}, "field-outcome": {"5"}}).must(t, http.StatusSeeOther)
	id := strings.TrimPrefix(page, "/ticket-systems/")
	if got := w.bureaus.connections[id].Settings; got["closed"] != "5, 21" || got["outcome"] != "5" {
		t.Errorf("stored %+v", got)
	}
	c := w.bureaus.connections[id]
	c.Settings["closed"] = "5, 99"
	w.bureaus.connections[id] = c
	w.ask(t, ada, page, nil).must(t, http.StatusOK, "99 (not listed there any more)")
}

func TestWhatWasNotWrittenAndWebhooks(t *testing.T) {
	w, page := connected(t)
	a := w.ask(t, ada, page, nil).must(t, http.StatusOK, "Not written: 1", "&lt;b&gt;takes no notes&lt;/b&gt;", "Retry all", "None: calls are refused")
	checkPage(t, page, a)
	w.ask(t, ada, page+"/retry", url.Values{}).must(t, http.StatusSeeOther)
	w.ask(t, otto, page+"/retry", url.Values{}).must(t, http.StatusNotFound)
	if w.backlog.retried != 1 {
		t.Errorf("%d were started again", w.backlog.retried)
	}
	made := w.ask(t, ada, page+"/webhook", url.Values{}).must(t, http.StatusOK, "Copy it now")
	key := regexp.MustCompile(`id="hooksecret"[^>]*>([A-Z0-9]+)<`).FindStringSubmatch(string(made.body))
	if key == nil || strings.Contains(string(w.ask(t, ada, page, nil).must(t, http.StatusOK, "Set, and never shown again").body), key[1]) {
		t.Fatal("the secret is not shown once")
	}
	call := func(signature string) int {
		r := httptest.NewRequest(http.MethodPost, strings.Replace(page, "/ticket-systems/", "/hooks/", 1), strings.NewReader(`{"Id":1}`))
		r.Header.Set("X-Jitney-Signature", signature)
		out := httptest.NewRecorder()
		w.handler.ServeHTTP(out, r)
		return out.Code
	}
	mac := hmac.New(sha256.New, []byte(key[1]))
	mac.Write([]byte(`{"Id":1}`))
	if got := call("sha256=" + hex.EncodeToString(mac.Sum(nil))); got != http.StatusAccepted || w.backlog.hints != 1 {
		t.Errorf("a signed call: %d, %d hints", got, w.backlog.hints)
	}
	if got := call("sha256=00"); got != http.StatusUnauthorized || w.backlog.hints != 1 {
		t.Errorf("one that is not: %d", got)
	}
}

func TestTheFormSearchesTickets(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for i := range 300 {
		w.tickets = append(w.tickets, access.DeskTicket{ID: fmt.Sprint("many", i), Number: fmt.Sprint(20000 + i), Customer: "aviary", Title: fmt.Sprintf("Mailbox %d <full>", i)})
	}
	v := url.Values{"customer": {"aviary"}}
	w.ask(t, maya, "/request/preview", v).must(t, http.StatusOK, "the newest 200 are listed", "Search by number or title")
	v.Set("find", "MAILBOX 29")
	v.Set("ticket", "many7") // stays chosen although it does not match
	a := w.ask(t, maya, "/request/preview", v).must(t, http.StatusOK, "match, read just now", "20299 - Mailbox 299 &lt;full&gt;", `value="many7" selected`)
	if strings.Contains(string(a.body), "20100 - ") {
		t.Error("what does not match is listed")
	}
	v.Set("find", "nothing like it")
	w.ask(t, maya, "/request/preview", v).must(t, http.StatusOK, "No ticket matches")
}

func TestThePageOfAConnectionTellsOfNotesThatAreThereTwice(t *testing.T) {
	w, page := connected(t)
	w.write(access.Event{At: time.Now(), Kind: access.EventNoteTwice, Actor: "jitney", Grant: "active", Subject: strings.TrimPrefix(page, "/ticket-systems/"), Text: "The note is on ticket <1> 2 times."})
	w.write(access.Event{At: time.Now(), Kind: access.EventNoteTwice, Actor: "jitney", Grant: "active", Subject: "another", Text: "The note is on ticket 5 3 times."})
	a := w.ask(t, ada, page, nil).must(t, http.StatusOK, "Written more than once", "The note is on ticket &lt;1&gt; 2 times.")
	checkPage(t, page, a)
	if strings.Contains(string(a.body), "3 times") {
		t.Error("it tells of another connection's")
	}
}

func TestTheFormSaysWhyThereIsNoTicket(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.tickets = nil
	v := url.Values{"customer": {"aviary"}}
	w.ask(t, maya, "/request/preview", v).must(t, http.StatusOK, ">This customer has no open ticket<")
	w.slow.Store(true)
	w.ask(t, maya, "/request/preview", v).must(t, http.StatusOK, ">No tickets to choose from<", "Press Refresh to try again.")
}

func TestWhatPoliciesSayOfTickets(t *testing.T) {
	w := newWorld(t)
	w.fill()
	form := url.Values{"name": {"strict"}, "title": {"Strict"}, "version": {"0"}, "default": {"30"}, "max": {"90"}, "start": {"60"}, "min_reason": {"10"}, "password": {"form"},
		"assigned": {"yes"}, "unverified": {"yes"}, "end_on_close": {"yes"}, "grace": {"0"}, "time_entry": {"yes"}, "status_after": {"Completed"}, "no_reason": {"yes"}}
	w.ask(t, ada, "/settings/policy", form).must(t, http.StatusSeeOther)
	want := access.TicketRules{Unverified: true, Assigned: true, EndOnClose: true, TimeEntry: true, Status: "Completed"}
	if p := w.policies["strict"]; p.Tickets != want || !p.NoReason || p.NoTicket {
		t.Errorf("stored %+v", p)
	}
	w.ask(t, ada, "/settings/policies.json?policy=strict", nil).must(t, http.StatusOK, `"end_on_close":true`, `"close_grace_minutes":0`, `"status_after":"Completed"`, `"no_reason":true`)
	form.Set("version", "1")
	form.Set("grace", "-3")
	w.ask(t, ada, "/settings/policy", form).must(t, http.StatusUnprocessableEntity, "0 to 1440 whole minutes")
}
