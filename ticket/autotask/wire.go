package autotask

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A filter is one condition of a query. Values travel as JSON, so that no
// text of anybody can end up as a condition.
type filter struct {
	Op    string   `json:"op"`
	Field string   `json:"field,omitempty"`
	Value any      `json:"value,omitempty"`
	Items []filter `json:"items,omitempty"`
}

func is(op, field string, value any) filter { return filter{Op: op, Field: field, Value: value} }

func either(items ...filter) filter { return filter{Op: "or", Items: items} }

type query struct {
	Filter        []filter `json:"filter"`
	MaxRecords    int      `json:"MaxRecords"`
	IncludeFields []string `json:"IncludeFields"`
}

// An answer is what a query comes back with. The address of the next page is
// never followed; only that there is one counts.
type answer[T any] struct {
	Items       []T
	PageDetails struct{ NextPageURL *string }
	Errors      []string
}

// A record is a ticket as it comes.
type record struct {
	ID                                          int64
	TicketNumber, Title                         string
	Status                                      int64
	CompanyID                                   *int64 // the company with number 0 is the one that owns the database
	AssignedResourceID                          int64
	CreateDate, LastActivityDate, CompletedDate stamp
}

func (r record) number() int64 { return r.ID }

var wanted = []string{"id", "ticketNumber", "title", "status", "companyID", "assignedResourceID", "createDate", "lastActivityDate", "completedDate"}

// A stamp is a time; what is not set or cannot be read is zero.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var v string
	if json.Unmarshal(text, &v) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} { // times without a zone are UTC
		if at, err := time.Parse(layout, v); err == nil {
			s.Time = at.UTC()
			return nil
		}
	}
	return nil
}

// parseID reads the number of something in Autotask. Zero is one.
func parseID(id string) (int64, bool) {
	if len(id) == 0 || len(id) > 15 || strings.Trim(id, "0123456789") != "" || id[0] == '0' && id != "0" {
		return 0, false
	}
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil
}

func number(id int64) string { return strconv.FormatInt(id, 10) }

// readAll reads everything that filters let through, the oldest first. Each
// answer goes on above the highest number of the one before it.
func readAll[T interface{ number() int64 }](ctx context.Context, s *system, entity string, filters []filter, fields []string) (all []T, err error) {
	last := int64(-1)
	for range pages {
		var found answer[T]
		q := query{Filter: append(filters[:len(filters):len(filters)], is("gt", "id", last)), MaxRecords: most, IncludeFields: fields}
		if _, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "V1.0/" + entity + "/query", Body: q, Into: &found}); err != nil {
			return nil, err
		}
		if len(found.Errors) > 0 && len(found.Items) == 0 {
			return nil, judged(ticket.Down, found.Errors, nil)
		}
		before, ordered := last, true
		for _, item := range found.Items {
			if n := item.number(); n > before {
				all = append(all, item)
				ordered = ordered && n > last
				last = max(n, last)
			}
		}
		if found.PageDetails.NextPageURL == nil && len(found.Items) < most || last == before {
			return all, nil
		}
		if !ordered { // what comes next could lie below
			break
		}
	}
	return all, errLong
}

// errLong says that a list is longer than is read.
var errLong = &ticket.Trouble{Kind: ticket.Down, Text: "Autotask has more of this than can be read."}

// judged says what the words of a refusal mean, for Autotask answers with
// status 500 where a right is missing, and with status 200 where fields are.
// What they do not tell stays what it was.
func judged(otherwise ticket.TroubleKind, words []string, err error) error {
	said := strings.ToLower(strings.Join(words, " "))
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(said, part) {
				return true
			}
		}
		return false
	}
	t := &ticket.Trouble{Kind: otherwise, Err: err}
	switch {
	case has("permission", "impersonation", "security level", "not authorized", "access denied", "do not have access"):
		t.Kind, t.Text = ticket.Forbidden, "Autotask does not allow this to the API user of the connection; look at its security level."
	case has("threshold", "thread limit", "too many requests"):
		t.Kind, t.After, t.Text = ticket.Throttled, 5*time.Minute, "Autotask asks for fewer calls."
	case has("is required", "required field", "picklist", "maximum length", "exceeds"):
		t.Kind, t.Text = ticket.Rejected, "Autotask does not take this: "+reach.Clean(strings.Join(words, " "), 200)
	default:
		t.Text = "Autotask failed."
	}
	return t
}

// words are what an answer says went wrong.
func words(body []byte) []string {
	var said struct{ Errors []string }
	_ = json.Unmarshal(body, &said)
	return said.Errors
}
