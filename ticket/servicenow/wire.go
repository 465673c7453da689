package servicenow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A record is a row as it comes. A field that does not exist, or that the
// account may not see, is not in it.
type record map[string]cell

// A cell is what is stored in a field, and what people are shown instead. It
// comes as both or as one text.
type cell struct {
	Value   string `json:"value"`
	Display string `json:"display_value"`
}

func (c *cell) UnmarshalJSON(text []byte) error {
	var both struct {
		Value   string `json:"value"`
		Display string `json:"display_value"`
	}
	if json.Unmarshal(text, &c.Value) == nil {
		return nil
	}
	if json.Unmarshal(text, &both) == nil { // anything else is as if it were empty
		*c = cell(both)
	}
	return nil
}

func (c cell) shown() string {
	if c.Display != "" {
		return c.Display
	}
	return c.Value
}

// time reads a time of the database, which is in UTC; what is not set or
// cannot be read is zero.
func (c cell) time() time.Time {
	at, err := time.Parse("2006-01-02 15:04:05", c.Value)
	if err != nil {
		return time.Time{}
	}
	return at
}

// get reads a table or a row of one.
func (s *system) get(ctx context.Context, path string, q url.Values, into any) (reach.Answer, error) {
	q.Set("sysparm_exclude_reference_link", "true")
	return s.do(ctx, reach.Call{Method: http.MethodGet, Path: path, Query: q, Into: into})
}

// do makes a call and takes the result out of its answer, which can tell of a
// failure though its status does not: then the result is a part at best.
func (s *system) do(ctx context.Context, call reach.Call) (reach.Answer, error) {
	var said struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	into := call.Into
	call.Path, call.Into = "api/now/table/"+call.Path, &said
	var answer reach.Answer
	var err error
	if s.issuer != nil {
		answer, err = s.issuer.Do(ctx, s.client, call)
	} else {
		answer, err = s.client.Do(ctx, call)
	}
	if err != nil {
		return answer, explain(answer, err)
	}
	lost := ticket.Down
	if call.Writes {
		lost = ticket.Doubtful
	}
	if words := strings.TrimSpace(string(said.Error)); words != "" && words != "null" {
		return answer, trouble(lost, "ServiceNow broke off.", fmt.Errorf("status %d: %s", answer.Status, reach.Clean(words, 300)))
	}
	if err := json.Unmarshal(said.Result, into); err != nil {
		return answer, trouble(lost, "ServiceNow answered with something that cannot be read.", err)
	}
	return answer, nil
}

// explain tells the refusals apart that come with the same status.
func explain(a reach.Answer, err error) error {
	if a.Status == http.StatusBadRequest && strings.Contains(string(a.Body), "Invalid table") {
		return trouble(ticket.Misconfigured, "ServiceNow has no table of that name.", err)
	}
	if _, demands, ok := strings.Cut(string(a.Body), "Data Policy Exception:"); ok && a.Status >= 400 && a.Status < 500 {
		demands, _, _ = strings.Cut(demands, `"`)
		return trouble(ticket.Rejected, "ServiceNow does not take this without other fields: "+reach.Clean(demands, 200), err)
	}
	return err
}

func trouble(kind ticket.TroubleKind, text string, err error) *ticket.Trouble {
	return &ticket.Trouble{Kind: kind, Text: text, Err: err}
}
