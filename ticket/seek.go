package ticket

import (
	"context"
	"strings"
)

// Seek finds a ticket of a company by its id, or by its number, which may also
// come in the place of the id. What belongs to another company, or is another
// ticket than the one that was asked for, is not found.
func Seek(ctx context.Context, sys System, company, id, number string) (t Ticket, ok bool, err error) {
	if id != "" {
		found, err := sys.Find(ctx, id)
		if t, ok = found[id]; err != nil || ok {
			return t, ok && err == nil && t.ID == id && t.Company == company, err
		}
		number = id
	}
	number = strings.TrimPrefix(number, "#")
	page, err := sys.Tickets(ctx, Query{Company: company, Text: number, Limit: 50})
	if err != nil {
		return t, false, err
	}
	for _, t := range page.Tickets {
		if t.Company == company && sameNumber(t.Number, number) {
			return t, true, nil
		}
	}
	// One that is closed is in no list. Where the number is the id it is found
	// all the same.
	found, err := sys.Find(ctx, number)
	t, ok = found[number]
	return t, ok && err == nil && t.Company == company && sameNumber(t.Number, number), err
}

func sameNumber(a, b string) bool {
	return b != "" && strings.EqualFold(strings.TrimPrefix(a, "#"), b)
}
