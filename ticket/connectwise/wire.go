package connectwise

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A ref names another thing.
type ref struct {
	ID         int64
	Name       string
	Identifier string
}

// A stamp is a time; what is not set or cannot be read is zero.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var v string
	if json.Unmarshal(text, &v) == nil {
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			s.Time = at.UTC()
		}
	}
	return nil
}

// A record is a ticket as it comes. Whether it is closed is not always told;
// what is not told is not taken for open.
type record struct {
	ID                     int64
	Summary                string
	Board, Status, Company ref
	Owner                  ref
	Resources              string
	ClosedFlag             *bool
	MergedParentTicket     ref
	Info                   struct{ DateEntered, LastUpdated stamp } `json:"_info"`
}

// wanted are the fields of a record.
const wanted = "id,summary,board,status,company,owner,resources,closedFlag,mergedParentTicket,_info"

// isID reports whether id is the number of something in ConnectWise, fit to
// stand in a condition and a path.
func isID(id string) bool {
	return len(id) > 0 && len(id) <= 10 && id[0] != '0' && strings.Trim(id, "0123456789") == "" && (len(id) < 10 || id <= "2147483647")
}

// ticketNumber is an id that isID holds for.
func ticketNumber(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

// said is what an answer says went wrong.
func said(body []byte) string {
	var why struct {
		Message string
		Errors  []struct{ Message string }
	}
	_ = json.Unmarshal(body, &why)
	for _, e := range why.Errors {
		why.Message += " " + e.Message
	}
	return why.Message
}

func number(id int64) string { return strconv.FormatInt(id, 10) }

// plain is the longest part of text that needs no escaping in a condition,
// whose quotes nobody documented how to escape.
func plain(text string) (best string) {
	safe := func(r rune) bool { return strings.ContainsRune(letters+" -_.:@#/", r) || r > 0xbf && r < 0x2000 }
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return !safe(r) }) {
		if part = strings.TrimSpace(part); len(part) > len(best) {
			best = part
		}
	}
	return best
}

// moveWait is how long an answer about the codebase is believed at least.
const moveWait = 30 * time.Second

// where reports the codebase, the part of every path that names the release
// the site runs. It is asked for once, and again when a call finds nothing.
func (s *system) where(ctx context.Context, stale string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.codebase != "" && (s.codebase != stale || time.Since(s.askedAt) < moveWait) {
		return s.codebase, nil
	}
	var info struct{ Codebase string }
	_, err := s.site.Do(ctx, reach.Call{Method: http.MethodGet, Path: "login/companyinfo/" + s.company, Into: &info})
	if err != nil {
		if ticket.TroubleOf(err) == ticket.Gone {
			err = &ticket.Trouble{Kind: ticket.Misconfigured, Text: "ConnectWise PSA does not know the company ID of this connection.", Err: err}
		}
		return "", err
	}
	codebase := strings.Trim(info.Codebase, "/") // it may end in a slash
	if codebase == "" || len(codebase) > 60 || strings.Trim(codebase, letters+"_-.") != "" || strings.Trim(codebase, ".") == "" {
		return "", &ticket.Trouble{Kind: ticket.Misconfigured, Text: "ConnectWise PSA does not know the company ID of this connection.", Err: fmt.Errorf("codebase %.100q", info.Codebase)}
	}
	s.codebase, s.askedAt = codebase, time.Now()
	return codebase, nil
}

// do makes a call. If it finds nothing and the site has moved to another
// codebase since, a call that reads is made again there; one that writes is
// not, for nothing is ever written twice here, but it surely had no effect.
func (s *system) do(ctx context.Context, call reach.Call) (reach.Answer, error) {
	codebase, err := s.where(ctx, "")
	if err != nil {
		return reach.Answer{}, err
	}
	path := call.Path
	call.Path = codebase + "/apis/3.0/" + path
	answer, err := s.api.Do(ctx, call)
	if err == nil || answer.Status != http.StatusNotFound {
		return answer, s.explain(answer, err)
	}
	now, werr := s.where(ctx, codebase)
	if werr != nil || now == codebase {
		return answer, err
	}
	if call.Writes {
		return answer, &ticket.Trouble{Kind: ticket.Down, Text: "ConnectWise PSA has moved to another release; the call will be made again.", Err: err}
	}
	call.Path = now + "/apis/3.0/" + path
	answer, err = s.api.Do(ctx, call)
	return answer, s.explain(answer, err)
}

// explain tells the refusals apart that come with the same status.
func (s *system) explain(a reach.Answer, err error) error {
	if err == nil || a.Status < 400 || a.Status >= 500 {
		return err
	}
	said := strings.ToLower(string(a.Body[:min(len(a.Body), 4096)]))
	if (a.Status == http.StatusBadRequest || a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden) && strings.Contains(said, "clientid") {
		return &ticket.Trouble{Kind: ticket.Misconfigured, Text: "ConnectWise PSA does not accept the client ID of this connection.", Err: err}
	}
	return err
}

func (s *system) get(ctx context.Context, path string, q url.Values, into any) error {
	_, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: path, Query: q, Into: into})
	return err
}
