package ticket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"jitney/ticket"
)

// TestCraftedNamesShowNobodyElsesTickets gives customers names that are parts
// of queries, and asks with such texts, ids and cursors, on every desk.
func TestCraftedNamesShowNobodyElsesTickets(t *testing.T) {
	t.Parallel()
	names := []string{`x' OR Queue = 'Globex`, `Acme" or company/id>0 or summary contains "`}
	for name, d := range trials() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine, other := d.company(names[0]), d.company(names[1])
			own, theirs := d.add(mine, "The printer is on fire"), d.add(other, "Salaries of the board")
			sys := d.open(t)
			for _, company := range craftedCompanies(mine, other) {
				demandNone(t, sys, ticket.Query{Company: company}, theirs, "")
			}
			number := theirs
			if found, err := sys.Find(t.Context(), theirs); err == nil {
				number = found[theirs].Number
			}
			for _, text := range craftedTexts(mine, other, theirs, number) {
				demandNone(t, sys, ticket.Query{Company: mine, Text: text}, theirs, mine)
			}
			for _, cursor := range []string{"0", "-1", "1 OR 1=1", "999999999) OR (id > 0", "2&company_id=" + other, other, theirs, `"`, "2^ORcompany=" + other, "../../" + other, "\n"} {
				demandNone(t, sys, ticket.Query{Company: mine, Cursor: cursor}, theirs, mine)
			}
			for _, id := range []string{own + "," + theirs, own + " OR id = " + theirs, own + ") or (id>0", "../" + theirs, own + "/../" + theirs, own + "?id=" + theirs, "0x1", letters(500)} {
				if found, err := sys.Find(t.Context(), id); err != nil || len(found) != 0 {
					t.Errorf("Find %q: %v, %v; want nothing", id, found, err)
				}
				if refs, err := sys.Notes(t.Context(), id, "jitney:g:granted:1"); err == nil && len(refs) != 0 {
					t.Errorf("Notes of %q: %v", id, refs)
				}
				if ref, err := sys.AddNote(t.Context(), id, ticket.Note{Key: "jitney:g:granted:1", Body: "x"}); err == nil {
					t.Errorf("AddNote to %q: %v; want that it is refused", id, ref)
				}
			}
			if page, err := sys.Tickets(t.Context(), ticket.Query{Company: mine}); err != nil || len(page.Tickets) != 1 || page.Tickets[0].ID != own {
				t.Errorf("in the end the list is %+v, %v", page, err)
			}
		})
	}
}

// craftedCompanies are ids that would widen a query which is put together from
// them.
func craftedCompanies(mine, other string) []string {
	all := []string{"", " ", "0", "-1", "*", "%", "_", `"`, `'`, `\`, "null", "true", mine + "," + other, mine + " or company/id=" + other, mine + " OR Queue = " + other, mine + ") OR (id > 0",
		mine + "&client_id=" + other, mine + "&company_id=" + other, mine + "^ORcompany=" + other, mine + "^NQcompany=" + other, mine + "\n" + other, mine + "/../" + other, "../" + other,
		mine + "#", mine + "?", mine + `","AccountIds":"` + other, `{"op":"gt","field":"id","value":0}`, "javascript:gs.getUserID()", "99999999999999999999", letters(300)}
	return slices.DeleteFunc(all, func(company string) bool { return company == mine || company == other })
}

// craftedTexts are what somebody may type into the search.
func craftedTexts(mine, other, theirs, number string) []string {
	return []string{"Salaries", theirs, "#" + theirs, number, `" or company/id=` + other + ` or summary contains "`, `' OR Queue = ` + other + ` OR Subject LIKE '`, `') OR id = ` + theirs + ` OR ('`,
		`\' OR id = ` + theirs + ` OR Subject LIKE \'`, `x^ORcompany=` + other, `x^NQcompany=` + other, "x&client_id=" + other, "x&project_id=" + other, "%", "_", "*", `x","AccountIds":"` + other,
		`" OR company_id:` + other + ` OR "`, "printer" + mine, letters(5000), "\x00\xff", "🖨️" + strings.Repeat("é", 100)}
}

// demandNone lists, and demands that their ticket is not there, nor anything
// else that is not of company. Nothing at all may come for an empty one.
func demandNone(t *testing.T, sys ticket.System, q ticket.Query, theirs, company string) {
	t.Helper()
	page, err := sys.Tickets(t.Context(), q)
	if err != nil {
		t.Errorf("%.200q: %v; want what there is, which may be nothing", fmt.Sprint(q), err)
	}
	for _, got := range page.Tickets {
		if got.ID == theirs || company == "" || got.Company != company {
			t.Errorf("%+v lists %+v", q, got)
		}
	}
}

// TestADeskThatListsEverybodysTicketsIsNotBelieved has filters on companies not
// hold, on every desk where they may not.
func TestADeskThatListsEverybodysTicketsIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, d := range trials() {
		if d.leak == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine, other := d.company("Aviary"), d.company("Bakery")
			own := d.add(mine, "The printer")
			for i := range 5 {
				d.add(other, fmt.Sprint("The printer ", i))
			}
			sys := d.open(t)
			d.leak()
			for _, text := range []string{"", "printer"} {
				page, err := sys.Tickets(t.Context(), ticket.Query{Company: mine, Text: text})
				if err != nil || len(page.Tickets) != 1 || page.Tickets[0].ID != own || page.Foreign != 5 {
					t.Errorf("with text %q: %+v, %v; want ours, and five foreign ones reported", text, page, err)
				}
			}
		})
	}
}

// TestFiveHundredTicketsOfACustomer pages through many, beside as many of
// another customer, on every desk.
func TestFiveHundredTicketsOfACustomer(t *testing.T) {
	t.Parallel()
	for name, d := range trials() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine, other := d.company("Aviary"), d.company("Bakery")
			want := map[string]bool{}
			var all []string
			for i := range 500 {
				id := d.add(mine, fmt.Sprintf("Ticket %d of ours", i))
				all, want[id] = append(all, id), true
				d.add(other, fmt.Sprintf("Ticket %d of theirs", i))
			}
			sys := d.open(t)
			q, calls := ticket.Query{Company: mine, Limit: 50}, 0
			for {
				page, err := sys.Tickets(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if calls++; calls == 1 && !slices.ContainsFunc(page.Tickets, func(got ticket.Ticket) bool { return got.ID == all[499] }) {
					t.Error("the newest is not on the first page")
				}
				for _, got := range page.Tickets {
					if !want[got.ID] {
						t.Errorf("%s is listed twice, or is not ours", got.ID)
					}
					delete(want, got.ID)
				}
				if q.Cursor = page.Next; page.Next == "" || calls > 30 {
					break
				}
			}
			if len(want) > 0 || calls > 12 {
				t.Errorf("after %d pages %d were never listed", calls, len(want))
			}
			page, err := sys.Tickets(t.Context(), ticket.Query{Company: mine, Text: "Ticket 77 of", Limit: 50})
			if err != nil || len(page.Tickets) != 1 || page.Tickets[0].ID != all[77] {
				t.Errorf("searched: %+v, %v", page, err)
			}
			found, err := sys.Find(t.Context(), all[:60]...)
			if err != nil || len(found) != 60 {
				t.Errorf("found %d, %v", len(found), err)
			}
		})
	}
}

// TestWhatCanBeSeveralCanBeChosenSo looks at the settings of every kind.
func TestWhatCanBeSeveralCanBeChosenSo(t *testing.T) {
	for name, d := range trials() {
		for _, f := range d.kind.Fields {
			if several := strings.Contains(f.Example, ", "); f.Picked && several != f.Many {
				t.Errorf("%s: %s is meant for several: %v; can be chosen so: %v", name, f.Title, several, f.Many)
			}
		}
	}
}
