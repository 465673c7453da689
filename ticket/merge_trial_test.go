package ticket_test

import (
	"testing"

	"jitney/ticket"
)

// TestANoteIsFoundAgainWhenItsTicketWasMerged merges a ticket after a note was
// written whose answer was lost, and before another is.
func TestANoteIsFoundAgainWhenItsTicketWasMerged(t *testing.T) {
	t.Parallel()
	for name, d := range trials() {
		if d.merge == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			company := d.company("Aviary")
			part, whole := d.add(company, "A part"), d.add(company, "The whole")
			sys := d.open(t)
			count := func(want int, keys ...string) {
				t.Helper()
				for _, key := range keys {
					if refs, err := sys.Notes(t.Context(), part, key); err != nil || len(refs) != want {
						t.Errorf("%s is found %d times, %v; want %d", key, len(refs), err, want)
					}
				}
			}
			before, after := "jitney:g:granted:1", "jitney:g:ended:1"
			if _, err := sys.AddNote(t.Context(), part, ticket.Note{Key: before, Body: "x"}); err != nil {
				t.Fatal(err)
			}
			d.merge(part, whole)
			count(1, before)
			count(0, after)
			if _, err := sys.AddNote(t.Context(), part, ticket.Note{Key: after, Body: "x"}); err != nil {
				t.Fatal(err)
			}
			count(1, before, after)
		})
	}
}
