// Package freshdesk connects Freshdesk through its REST interface (API v2):
// five calls, no library.
//
// A customer's company is a company there, by its number. Lists come with
// closed tickets among the open ones and are sifted here; the search of
// Freshdesk is not used, for it lags and may not look at companies. A note is
// private and carries its key in its last line. The package sends credentials
// to the host in its settings only, and never repeats a request that writes.
package freshdesk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// The statuses that mean closed in every Freshdesk.
const (
	statusResolved = 4
	statusClosed   = 5
)

// A system is one connected Freshdesk.
type system struct {
	settings
	client *reach.Client

	statusNames, agentNames book
	self                    ticket.Account
}

var (
	_ ticket.System   = (*system)(nil)
	_ ticket.Checker  = (*system)(nil)
	_ ticket.Importer = (*system)(nil)
	_ ticket.Picker   = (*system)(nil)
)

const (
	most  = 100 // items of one page, the most that Freshdesk sends
	scan  = 5   // pages of tickets that are sifted for one list
	pages = 300 // the last page that Freshdesk has
)

// begin is a time before all tickets. Without one, Freshdesk lists only what
// was made in the last thirty days.
const begin = "2010-01-01T00:00:00Z"

// Limits reports what Freshdesk takes. No length of a note is documented;
// nobody reads longer ones. The grace is longer than its front ends hold a
// request whose caller left.
func (s *system) Limits() ticket.Limits {
	return ticket.Limits{Body: 16 << 10, Grace: 2 * time.Minute, Finds: 30}
}

// Close ends idle connections.
func (s *system) Close() error { return s.client.Close() }

// A record is a ticket as it comes.
type record struct {
	ID          int64     `json:"id"`
	Subject     string    `json:"subject"`
	Status      int64     `json:"status"`
	CompanyID   int64     `json:"company_id"`
	ResponderID int64     `json:"responder_id"`
	Spam        bool      `json:"spam"`
	Deleted     bool      `json:"deleted"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// A cursor says with which ticket of which page a list goes on.
type cursor struct{ page, from int }

func (c cursor) String() string { return strconv.Itoa(c.page) + "-" + strconv.Itoa(c.from) }

// parseCursor reads a cursor; an empty one is the beginning.
func parseCursor(text string) (cursor, bool) {
	if text == "" {
		return cursor{page: 1}, true
	}
	page, from, _ := strings.Cut(text, "-")
	p, pageOK := parseID(page)
	n, fromOK := parseID(from)
	c := cursor{int(p), int(n)}
	return c, pageOK && (fromOK || from == "0") && p <= pages && n < most
}

// Tickets lists the open tickets of a company, the newest first. Pages are
// numbered, so a ticket that is deleted in between can hide another one until
// the list is read again. A company with hundreds of closed tickets gets an
// incomplete page with a cursor rather than a slow one.
func (s *system) Tickets(ctx context.Context, q ticket.Query) (page ticket.Page, err error) {
	at, ok := parseCursor(q.Cursor)
	if _, isID := parseID(q.Company); !ok || !isID {
		return ticket.Page{}, nil
	}
	limit := q.Limit
	if limit <= 0 || limit > most {
		limit = most
	}
	text := strings.ToLower(strings.TrimSpace(q.Text))
	seen := map[string]bool{}
	for n := range scan {
		var found []record
		more, err := s.list(ctx, "tickets", at.page, url.Values{"company_id": {q.Company}, "updated_since": {begin}, "order_by": {"created_at"}, "order_type": {"desc"}}, &found)
		if err != nil {
			return ticket.Page{}, err
		}
		for i := at.from; i < len(found); i++ {
			t := s.show(ctx, found[i])
			switch {
			case found[i].ID <= 0 || !t.Open || seen[t.ID]:
			case t.Company != q.Company:
				page.Foreign++
			case !matches(t, text):
			case len(page.Tickets) == limit:
				page.Next = cursor{at.page, i}.String()
				return page, nil
			default:
				seen[t.ID] = true
				page.Tickets = append(page.Tickets, t)
			}
		}
		at = cursor{page: at.page + 1}
		if page.Next = ""; !more || at.page > pages {
			return page, nil
		}
		if page.Next = at.String(); len(page.Tickets) == limit {
			return page, nil
		}
		if id := strings.TrimPrefix(text, "#"); n == 0 && q.Cursor == "" && !seen[id] {
			seen[id] = true // it may be further back than is read
			if err := s.addNumber(ctx, &page, q.Company, id); err != nil {
				return ticket.Page{}, err
			}
		}
	}
	return page, nil
}

// addNumber adds the ticket that is called id to a page.
func (s *system) addNumber(ctx context.Context, page *ticket.Page, company, id string) error {
	found, err := s.Find(ctx, id)
	if t, ok := found[id]; ok && t.Open && t.Company == company {
		page.Tickets = append(page.Tickets, t)
	}
	return err
}

// matches reports whether text, in lower case, is a part of the title or is
// the number.
func matches(t ticket.Ticket, text string) bool {
	return strings.Contains(strings.ToLower(t.Title), text) || t.Number == strings.TrimPrefix(text, "#")
}

// Find reports the tickets with these ids, one call each, for Freshdesk has no
// way to ask for several. What is in the trash counts as gone.
func (s *system) Find(ctx context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	found := make(map[string]ticket.Ticket, len(ids))
	for _, id := range ids {
		if _, ok := parseID(id); !ok {
			continue
		}
		var r record
		_, err := s.get(ctx, "tickets/"+id, nil, &r)
		if kind := ticket.TroubleOf(err); err != nil && (kind == ticket.Gone || kind == ticket.Forbidden) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if number(r.ID) == id && !r.Deleted {
			found[id] = s.show(ctx, r)
		}
	}
	return found, nil
}

// show makes a Ticket of what came. A ticket that was merged into another is
// closed, and nothing tells which one that is.
func (s *system) show(ctx context.Context, r record) ticket.Ticket {
	t := ticket.Ticket{
		ID: number(r.ID), Number: number(r.ID), Title: reach.Clean(r.Subject, 300), Status: s.statusNames.words(ctx)[r.Status],
		Open:         r.Status > 0 && !slices.Contains(s.closed, r.Status) && !r.Spam && !r.Deleted,
		AcceptsNotes: true, // a closed ticket takes private notes and stays closed
		URL:          s.client.URL("a/tickets/"+number(r.ID), ""),
		OpenedAt:     r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if t.Status == "" {
		t.Status = number(r.Status)
	}
	if r.CompanyID > 0 {
		t.Company = number(r.CompanyID)
	}
	if r.ResponderID > 0 {
		if t.Assignee = s.agentNames.words(ctx)[r.ResponderID]; t.Assignee == "" {
			t.Assignee = number(r.ResponderID)
		}
	}
	return t
}

// list reads one page of something and reports whether there are more.
func (s *system) list(ctx context.Context, path string, page int, q url.Values, into any) (more bool, err error) {
	if q == nil {
		q = url.Values{}
	}
	q.Set("page", strconv.Itoa(page))
	q.Set("per_page", strconv.Itoa(most))
	answer, err := s.get(ctx, path, q, into)
	if err != nil {
		return false, err
	}
	var items []json.RawMessage
	_ = json.Unmarshal(answer.Body, &items)
	return len(items) >= most || len(items) > 0 && strings.Contains(answer.Header.Get("Link"), `rel="next"`), nil
}

func (s *system) get(ctx context.Context, path string, q url.Values, into any) (reach.Answer, error) {
	return s.do(ctx, reach.Call{Method: http.MethodGet, Path: path, Query: q, Into: into})
}

// do makes a call and tells the refusals apart that come with one status: what
// the agent may not see, and an account that may do nothing.
func (s *system) do(ctx context.Context, call reach.Call) (reach.Answer, error) {
	call.Path = "api/v2/" + call.Path
	answer, err := s.client.Do(ctx, call)
	if err == nil || answer.Status < 400 || answer.Status >= 500 {
		return answer, err
	}
	var said struct {
		Code        string
		Description string
		Errors      []struct{ Field, Message string }
	}
	_ = json.Unmarshal(answer.Body, &said)
	switch {
	case answer.Status == http.StatusForbidden && said.Code != "" && said.Code != "access_denied":
		return answer, trouble(ticket.Misconfigured, "Freshdesk lets this account do nothing: "+reach.Clean(said.Code, 60)+".", err)
	case answer.Status == http.StatusBadRequest && len(said.Errors) > 0:
		return answer, trouble(ticket.Rejected, "Freshdesk does not take this: "+reach.Clean(said.Errors[0].Field+": "+said.Errors[0].Message, 200), err)
	}
	return answer, err
}

func trouble(kind ticket.TroubleKind, text string, err error) *ticket.Trouble {
	return &ticket.Trouble{Kind: kind, Text: text, Err: err}
}
