package halo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"jitney/ticket/reach"
)

// A record is a ticket as it comes.
type record struct {
	ID             int64  `json:"id"`
	Summary        string `json:"summary"`
	StatusID       int64  `json:"status_id"`
	StatusName     string `json:"status_name"`
	ClientID       int64  `json:"client_id"`
	AgentID        int64  `json:"agent_id"`
	AgentName      string `json:"agent_name"`
	Inactive       bool   `json:"inactive"`
	DateOccurred   stamp  `json:"dateoccurred"`
	DateClosed     stamp  `json:"dateclosed"`
	LastActionDate stamp  `json:"lastactiondate"`
}

// A stamp is a time; what is not set or cannot be read is zero.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var v string
	if json.Unmarshal(text, &v) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} { // times without a zone are UTC
		if at, err := time.Parse(layout, v); err == nil && at.Year() > 1901 {
			s.Time = at.UTC()
			return nil
		}
	}
	return nil
}

// A list is what a call for several things comes back with: an object with
// them under their name, or only them.
type list[T any] struct {
	count int
	items []T
}

func (l *list[T]) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &l.items) == nil {
		return nil
	}
	var named map[string]json.RawMessage
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	_ = json.Unmarshal(named["record_count"], &l.count)
	for _, name := range []string{"tickets", "actions", "clients", "statuses", "outcomes"} {
		if items, ok := named[name]; ok {
			return json.Unmarshal(items, &l.items)
		}
	}
	return errors.New("no list among what came")
}

// A cursor says which page of which size comes.
type cursor struct{ page, size int }

func (c cursor) String() string { return strconv.Itoa(c.page) + "-" + strconv.Itoa(c.size) }

// parseCursor reads a cursor; an empty one is the first page.
func parseCursor(text string, limit int) (cursor, bool) {
	c := cursor{page: 1, size: limit}
	if c.size <= 0 || c.size > most {
		c.size = most
	}
	if text == "" {
		return c, true
	}
	page, size, _ := strings.Cut(text, "-")
	p, pageOK := parseID(page)
	n, sizeOK := parseID(size)
	if !pageOK || !sizeOK || p > 1000 || n > most {
		return c, false
	}
	return cursor{page: int(p), size: int(n)}, true
}

// A part is one page of tickets, and the cursor of the next.
type part struct {
	items []record
	next  string
}

// list reads one page of tickets. Without a parameter of odd spelling there
// are no pages, and everything comes at once; a smaller page than was asked
// for is the size of the others too.
func (s *system) list(ctx context.Context, q url.Values, at cursor) (part, error) {
	q.Set("pageinate", "true")
	q.Set("page_size", strconv.Itoa(at.size))
	q.Set("page_no", strconv.Itoa(at.page))
	q.Set("order", "dateoccurred")
	q.Set("orderdesc", "true")
	var found list[record]
	if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "api/Tickets", Query: q, Into: &found}); err != nil {
		return part{}, err
	}
	n := len(found.items)
	if n > at.size { // it does not heed pages
		from, to := min((at.page-1)*at.size, n), min(at.page*at.size, n)
		p := part{items: found.items[from:to]}
		if to < n {
			p.next = cursor{at.page + 1, at.size}.String()
		}
		return p, nil
	}
	p := part{items: found.items}
	switch {
	case n == at.size && (found.count == 0 || at.page*n < found.count):
		p.next = cursor{at.page + 1, n}.String()
	case n > 0 && at.page == 1 && n < found.count: // it sends smaller pages
		p.next = cursor{2, n}.String()
	}
	return p, nil
}
