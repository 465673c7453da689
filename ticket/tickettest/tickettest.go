// Package tickettest holds the tests that every ticket system of jitney must
// pass, and systems that lose, delay and repeat answers to test those who
// call them. It is for tests only and never reaches a real customer's desk.
package tickettest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"jitney/ticket"
)

// A Desk is a system under test, with the means to prepare it.
type Desk struct {
	System ticket.System

	// Company is the system's id of a company; Other is another one.
	Company, Other string

	// Open opens a ticket of a company and reports its id; Close closes it.
	Open  func(t *testing.T, company, title string) (id string)
	Close func(t *testing.T, id string)

	// Paste has somebody else write a note that carries key; nil where the
	// system does not tell who wrote a note, or not who we are.
	Paste func(t *testing.T, id, key string)

	// UniqueKeys says that the system itself refuses to write a key twice.
	UniqueKeys bool

	// OneByOne says that Find makes a call for each ticket, so that somebody
	// has to ration them.
	OneByOne bool
}

// Run runs the suite. open prepares a fresh desk, or fresh companies on a
// shared one, for each test.
func Run(t *testing.T, open func(t *testing.T) Desk) {
	tests := []struct {
		name string
		run  func(*testing.T, Desk)
	}{
		{"an open ticket of the company is listed and found", listed},
		{"a ticket of another company is not listed", otherCompany},
		{"a closed ticket is found, closed, and not listed", closed},
		{"what does not exist is missing from the answer, not an error", missing},
		{"a long list comes in pages without a gap", pages},
		{"part of number or title finds a ticket", search},
		{"hostile text comes back as it was", hostile},
		{"a note is found by its key, and only on its ticket", keyed},
		{"two keys of which one begins like the other are two notes", prefixes},
		{"a key that somebody else wrote is no note of ours", pasted},
		{"a note to no ticket is gone", noTicket},
		{"the limits are such that one can live with them", limits},
		{"a note as long as the limit is taken", longest},
		{"a lost request leaves nothing", lost},
		{"a lost answer leaves the note, to be found by its key", answerLost},
		{"after the grace a late request has landed", late},
		{"two writers with one key leave one note where keys are unique", twoWriters},
		{"a call ends when its context does", cancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func listed(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "The printer")
	got := find(t, d, id)
	if got.ID != id || got.Company != d.Company || !got.Open || !got.AcceptsNotes || got.Title != "The printer" || got.Number == "" || got.OpenedAt.IsZero() {
		t.Errorf("Find: %+v", got)
	}
	if all := list(t, d, ticket.Query{Company: d.Company}); len(all) != 1 || all[0].ID != id {
		t.Errorf("Tickets: %+v; want only %s", all, id)
	}
}

func otherCompany(t *testing.T, d Desk) {
	id := d.Open(t, d.Other, "Theirs")
	if all := list(t, d, ticket.Query{Company: d.Company}); len(all) != 0 {
		t.Errorf("Tickets lists another company's: %+v", all)
	}
	if got := find(t, d, id); got.Company != d.Other {
		t.Errorf("Find says company %q; want %q", got.Company, d.Other)
	}
	if all := list(t, d, ticket.Query{}); len(all) != 0 {
		t.Errorf("a query without a company lists %+v", all)
	}
}

func closed(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "Done soon")
	d.Close(t, id)
	if got := find(t, d, id); got.Open {
		t.Errorf("Find: %+v; want it closed", got)
	}
	if all := list(t, d, ticket.Query{Company: d.Company}); len(all) != 0 {
		t.Errorf("Tickets lists a closed one: %+v", all)
	}
}

func missing(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "Here")
	found, err := d.System.Find(t.Context(), id, "99999999", "' or 1=1", "")
	if err != nil || len(found) != 1 {
		t.Errorf("Find: %v, %v; want only %s", found, err, id)
	}
	if refs, err := d.System.Notes(t.Context(), "99999999", "jitney:none:granted:1"); len(refs) != 0 || err != nil && ticket.TroubleOf(err) != ticket.Gone {
		t.Errorf("Notes of no ticket: %v, %v", refs, err)
	}
}

func pages(t *testing.T, d Desk) {
	want := map[string]bool{}
	for i := range 7 {
		want[d.Open(t, d.Company, fmt.Sprintf("Ticket %d", i))] = true
	}
	q, n := ticket.Query{Company: d.Company, Limit: 3}, 0
	for {
		page, err := d.System.Tickets(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Tickets) > 3 {
			t.Errorf("a page holds %d tickets; want at most 3", len(page.Tickets))
		}
		for _, ticket := range page.Tickets {
			if !want[ticket.ID] {
				t.Errorf("%s is listed twice, or never opened", ticket.ID)
			}
			delete(want, ticket.ID)
		}
		if n++; page.Next == "" || n > 10 {
			break
		}
		q.Cursor = page.Next
	}
	if len(want) > 0 {
		t.Errorf("never listed: %v", want)
	}
}

func search(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "The printer is on fire")
	d.Open(t, d.Company, "Something else")
	number := find(t, d, id).Number
	for _, text := range []string{"printer", "PRINTER", number} {
		if all := list(t, d, ticket.Query{Company: d.Company, Text: text}); len(all) != 1 || all[0].ID != id {
			t.Errorf("Tickets with %q: %+v; want only %s", text, all, id)
		}
	}
}

func hostile(t *testing.T, d Desk) {
	for _, title := range []string{`<script>alert(1)</script>`, `Robert'); DROP TABLE tickets;--`, "{{.}} ${x} %s", "Ünïcødé ✓"} {
		id := d.Open(t, d.Company, title)
		if got := find(t, d, id).Title; got != title {
			t.Errorf("the title %q came back as %q", title, got)
		}
		if _, err := d.System.AddNote(t.Context(), id, ticket.Note{Key: Key(t, "granted"), Subject: title, Body: title}); err != nil {
			t.Errorf("a note with %q: %v", title, err)
		}
		if n := count(t, d, id, Key(t, "granted")); n != 1 {
			t.Errorf("%d notes after %q; want 1", n, title)
		}
	}
}

func keyed(t *testing.T, d Desk) {
	id, other := d.Open(t, d.Company, "A"), d.Open(t, d.Company, "B")
	if _, err := d.System.AddNote(t.Context(), id, note(t, "granted")); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, id, Key(t, "granted")); n != 1 {
		t.Errorf("%d notes with the key; want 1", n)
	}
	if n := count(t, d, id, Key(t, "ended")); n != 0 {
		t.Errorf("%d notes with another key; want 0", n)
	}
	if n := count(t, d, other, Key(t, "granted")); n != 0 {
		t.Errorf("%d notes on another ticket; want 0", n)
	}
}

func prefixes(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "A")
	for _, kind := range []string{"granted:1", "granted:11"} {
		if _, err := d.System.AddNote(t.Context(), id, note(t, kind)); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, d, id, Key(t, "granted:1")); n != 1 {
		t.Errorf("the shorter key finds %d notes; want 1", n)
	}
}

func pasted(t *testing.T, d Desk) {
	if d.Paste == nil {
		return
	}
	id := d.Open(t, d.Company, "A")
	d.Paste(t, id, Key(t, "ended"))
	if n := count(t, d, id, Key(t, "ended")); n != 0 {
		t.Errorf("%d notes of ours; want 0", n)
	}
	if _, err := d.System.AddNote(t.Context(), id, note(t, "ended")); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, id, Key(t, "ended")); n != 1 {
		t.Errorf("%d notes of ours after it was written; want 1", n)
	}
}

func noTicket(t *testing.T, d Desk) {
	_, err := d.System.AddNote(t.Context(), "99999999", note(t, "granted"))
	if err == nil || ticket.TroubleOf(err) != ticket.Gone {
		t.Errorf("AddNote: %v; want %s", err, ticket.Gone)
	}
}

// limits looks at the grace itself, which trials replace by shorter ones: a
// front end can hold a request for a minute after its caller has left.
func limits(t *testing.T, d Desk) {
	l := d.System.Limits()
	if l.Body < 2000 {
		t.Errorf("notes of %d bytes are too short for ours", l.Body)
	}
	if l.Grace < 2*time.Minute && !d.UniqueKeys {
		t.Errorf("a request whose answer was lost can have an effect for longer than %v", l.Grace)
	}
	if (l.Finds > 0) != d.OneByOne {
		t.Errorf("%d tickets a minute can be looked for; one call for each: %v", l.Finds, d.OneByOne)
	}
}

func longest(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "A")
	n := note(t, "granted")
	n.Body = strings.Repeat("x", d.System.Limits().Body-2*len(n.Key)-10)
	if _, err := d.System.AddNote(t.Context(), id, n); err != nil {
		t.Errorf("a body of %d bytes, limit %d: %v", len(n.Body), d.System.Limits().Body, err)
	}
	if n := count(t, d, id, n.Key); n != 1 {
		t.Errorf("%d notes; want 1", n)
	}
}

func lost(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "A")
	broken := &Unreliable{System: d.System, Fault: func(int) Fault { return RequestLost }}
	if _, err := broken.AddNote(t.Context(), id, note(t, "granted")); ticket.TroubleOf(err) != ticket.Doubtful {
		t.Errorf("AddNote: %v; want doubt", err)
	}
	if n := count(t, d, id, Key(t, "granted")); n != 0 {
		t.Errorf("%d notes; want 0", n)
	}
}

func answerLost(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "A")
	broken := &Unreliable{System: d.System, Fault: func(int) Fault { return AnswerLost }}
	if _, err := broken.AddNote(t.Context(), id, note(t, "granted")); ticket.TroubleOf(err) != ticket.Doubtful {
		t.Errorf("AddNote: %v; want doubt", err)
	}
	if n := count(t, d, id, Key(t, "granted")); n != 1 {
		t.Errorf("%d notes; want 1", n)
	}
}

func late(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "A")
	broken := &Unreliable{System: d.System, Fault: func(int) Fault { return Late }, Delay: 50 * time.Millisecond}
	if _, err := broken.AddNote(t.Context(), id, note(t, "granted")); ticket.TroubleOf(err) != ticket.Doubtful {
		t.Errorf("AddNote: %v; want doubt", err)
	}
	broken.Wait()
	if n := count(t, d, id, Key(t, "granted")); n != 1 {
		t.Errorf("%d notes; want 1", n)
	}
}

func twoWriters(t *testing.T, d Desk) {
	if !d.UniqueKeys {
		return // the caller keeps notes apart by a lane for each ticket
	}
	id := d.Open(t, d.Company, "A")
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			_, err := d.System.AddNote(t.Context(), id, note(t, "granted"))
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("AddNote: %v", err)
		}
	}
	if n := count(t, d, id, Key(t, "granted")); n != 1 {
		t.Errorf("%d notes; want 1", n)
	}
}

func cancelled(t *testing.T, d Desk) {
	id := d.Open(t, d.Company, "A")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.System.AddNote(ctx, id, note(t, "granted")); err == nil {
		t.Error("AddNote with an ended context reports success")
	}
}

// Key makes the key of a note for this test.
func Key(t *testing.T, kind string) string {
	if !strings.Contains(kind, ":") {
		kind += ":1"
	}
	sum := 0
	for _, r := range t.Name() {
		sum = sum*31 + int(r)
	}
	return fmt.Sprintf("jitney:test%d:%s", uint32(sum), kind)
}

func note(t *testing.T, kind string) ticket.Note {
	return ticket.Note{Key: Key(t, kind), Subject: "Access", Body: "The tech account ann-aviary is now enabled"}
}

func find(t *testing.T, d Desk, id string) ticket.Ticket {
	t.Helper()
	found, err := d.System.Find(t.Context(), id)
	if err != nil {
		t.Fatalf("Find %s: %v", id, err)
	}
	return found[id]
}

func list(t *testing.T, d Desk, q ticket.Query) []ticket.Ticket {
	t.Helper()
	page, err := d.System.Tickets(t.Context(), q)
	if err != nil {
		t.Fatalf("Tickets %+v: %v", q, err)
	}
	return page.Tickets
}

func count(t *testing.T, d Desk, id, key string) int {
	t.Helper()
	refs, err := d.System.Notes(t.Context(), id, key)
	if err != nil {
		t.Fatalf("Notes of %s with %s: %v", id, key, err)
	}
	return len(refs)
}
