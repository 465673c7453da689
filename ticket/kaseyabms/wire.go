package kaseyabms

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// An envelope is what every answer comes in. Whether its names begin with
// capitals differs from what is documented, and does not matter here.
type envelope[T any] struct {
	Success      *bool
	Error        json.RawMessage
	Result       T
	TotalRecords int
}

// failed reports what the envelope says went wrong; empty if nothing did.
func (e envelope[T]) failed() string {
	_, said := e.why()
	if e.Success != nil && *e.Success || e.Success == nil && said == "" {
		return ""
	}
	if said == "" {
		return "no reason"
	}
	return said
}

// why reads the code and the words of an error.
func (e envelope[T]) why() (code int, said string) {
	var info struct {
		Code             int
		Message, Details string
		SubErrors        []string
	}
	if json.Unmarshal(e.Error, &info) == nil {
		return info.Code, strings.TrimSpace(info.Message + " " + info.Details + " " + strings.Join(info.SubErrors, " "))
	}
	_ = json.Unmarshal(e.Error, &said)
	return 0, said
}

// A record is a ticket as it comes.
type record struct {
	ID                 int64
	TicketNumber       string
	Title              string
	AccountID          int64
	StatusID           int64
	StatusName         string
	AssigneeName       string
	CreatedOn          stamp
	OpenDate           stamp
	CompletedDate      stamp
	ReOpenedDate       stamp
	LastActivityUpdate stamp
}

// A stamp is a time; what is not set or cannot be read is zero.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var v string
	if json.Unmarshal(text, &v) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} { // times without a zone are taken for UTC
		if at, err := time.Parse(layout, v); err == nil && at.Year() > 1901 {
			s.Time = at.UTC()
			return nil
		}
	}
	return nil
}

// do makes a call and takes its answer out of the envelope: call.Into, and how
// many there are in all, where that is told. If its token is not accepted, a
// call that reads is made again with another one; one that writes is not, but
// it surely had no effect.
func (s *system) do(ctx context.Context, call reach.Call) (total int, err error) {
	if wait := s.budget.take(endpoint(call), time.Now()); wait > 0 {
		t := trouble(ticket.Throttled, "Jitney has used up its share of the calls to Kaseya BMS for now.", nil)
		t.After = wait
		return 0, t
	}
	token, err := s.issuer.get(ctx)
	if err != nil {
		return 0, err
	}
	total, status, err := s.once(ctx, call)
	if err == nil || status != http.StatusUnauthorized {
		return total, err
	}
	s.issuer.drop(token)
	if _, terr := s.issuer.get(ctx); terr != nil {
		return 0, terr
	}
	if call.Writes {
		return 0, trouble(ticket.Down, "Kaseya BMS asked to sign in again; the call will be made again.", err)
	}
	total, _, err = s.once(ctx, call)
	return total, err
}

// once makes a call, and says with which status it was refused, be that in the
// answer or on it.
func (s *system) once(ctx context.Context, call reach.Call) (total, status int, err error) {
	var got envelope[json.RawMessage]
	into := call.Into
	call.Into = &got
	answer, err := s.client.Do(ctx, call)
	lost := ticket.Down
	if call.Writes {
		lost = ticket.Doubtful
	}
	if err != nil {
		if json.Unmarshal(answer.Body, &got) == nil { // an envelope can come with any status
			if code, said := got.why(); said != "" && answer.Status >= 400 && answer.Status < 500 && ticket.TroubleOf(err) == ticket.Rejected {
				return 0, answer.Status, refusal(code, said, lost)
			}
		}
		return 0, answer.Status, err
	}
	if said := got.failed(); said != "" {
		code, _ := got.why()
		return 0, code, refusal(code, said, lost)
	}
	if err := json.Unmarshal(got.Result, into); len(got.Result) > 0 && err != nil {
		return 0, answer.Status, trouble(lost, "Kaseya BMS answered with something that cannot be read.", err)
	}
	return got.TotalRecords, answer.Status, nil
}

// refusal says what an answer means that tells of a failure. There is no list
// of codes; those that are ones of HTTP are read as such.
func refusal(code int, said string, lost ticket.TroubleKind) error {
	said = reach.Clean(said, 200)
	err := fmt.Errorf("code %d: %s", code, said)
	low := strings.ToLower(said)
	has := func(part string) bool { return strings.Contains(low, part) }
	switch {
	case code == http.StatusUnauthorized:
		return trouble(ticket.Misconfigured, "Kaseya BMS does not accept the credentials of this connection.", err)
	case code == http.StatusForbidden, has("permission"), has("not authorized"), has("access denied"):
		return trouble(ticket.Forbidden, "Kaseya BMS does not allow this to the user of the connection.", err)
	case code == http.StatusNotFound, has("not found"), has("not exist"), has("no longer exist"):
		return trouble(ticket.Gone, "Kaseya BMS has no such ticket, or does not show it to the user of the connection.", err)
	case code == http.StatusTooManyRequests, has("too many"), has("limit exceeded"), has("quota"):
		t := trouble(ticket.Throttled, "Kaseya BMS asks for fewer calls.", err)
		t.After = time.Minute
		return t
	case code >= 500:
		return trouble(lost, "Kaseya BMS failed: "+said, err)
	}
	return trouble(ticket.Rejected, "Kaseya BMS does not take this: "+said, err)
}

func trouble(kind ticket.TroubleKind, text string, err error) *ticket.Trouble {
	return &ticket.Trouble{Kind: kind, Text: text, Err: err}
}

// endpoint names what a call counts for: its path with the numbers taken out.
func endpoint(call reach.Call) string {
	parts := strings.Split(call.Path, "/")
	for i, part := range parts {
		if _, ok := parseID(part); ok {
			parts[i] = "{}"
		}
	}
	return call.Method + " " + strings.Join(parts, "/")
}

// A budget keeps calls to four fifths of the 1500 in an hour that BMS allows
// for each endpoint, and of which it does not tell how many are left. There is
// a stock for busy minutes.
type budget struct {
	mu   sync.Mutex
	used map[string]share
}

type share struct {
	used float64 // of the stock
	at   time.Time
}

const (
	hourly = 900
	stock  = 300
)

// take takes one call, or reports how long to wait for one.
func (b *budget) take(endpoint string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	const each = time.Hour / hourly
	s := b.used[endpoint]
	if !s.at.IsZero() {
		s.used = max(s.used-float64(now.Sub(s.at))/float64(each), 0)
	}
	s.at = now
	if b.used == nil {
		b.used = map[string]share{}
	}
	defer func() { b.used[endpoint] = s }()
	if s.used+1 > stock {
		return time.Duration((s.used + 1 - stock) * float64(each))
	}
	s.used++
	return 0
}
