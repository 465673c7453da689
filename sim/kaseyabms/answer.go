package kaseyabms

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/sim/hosted"
)

type object = hosted.Object

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.Pass(w, r) {
		return
	}
	if (wire{s}).with().Pascal {
		s.Checked(facts(), wire{s}.route)(w, r)
		return
	}
	a := httptest.NewRecorder()
	s.Checked(facts(), wire{s}.route)(a, r)
	var v any
	if json.Unmarshal(a.Body.Bytes(), &v) != nil {
		w.WriteHeader(a.Code)
		return
	}
	hosted.Send(w, a.Code, lowered(v))
}

// lowered is v with names that begin without a capital, as they come over the
// wire.
func lowered(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for name, one := range v {
			out[strings.ToLower(name[:1])+name[1:]] = lowered(one)
		}
		return out
	case []any:
		for i := range v {
			v[i] = lowered(v[i])
		}
	}
	return v
}

func (s wire) with() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}

// A wire is a server as its callers see it.
type wire struct{ *Server }

func (s wire) route(w http.ResponseWriter, r *http.Request) {
	where := strings.TrimPrefix(r.URL.Path, "/v2/")
	if where == "security/authenticate" {
		s.authenticate(w, r)
		return
	}
	s.mu.Lock()
	until, known := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	s.mu.Unlock()
	parts := strings.Split(where, "/")
	get := r.Method == http.MethodGet
	switch {
	case !known || time.Now().After(until):
		hosted.Send(w, http.StatusUnauthorized, failure(401, "Authorization has been denied for this request."))
	case s.with().Failures:
		hosted.Send(w, http.StatusOK, failure(500, "An error has occurred."))
	case where == "security/userinfo":
		s.mu.Lock()
		defer s.mu.Unlock()
		hosted.Send(w, http.StatusOK, success(object{"UserId": 7, "FullName": "Jitney", "EmailAddress": User, "BusinessName": Tenant, "IsUserSystemAdmin": s.admin}))
	case where == "system/statuses/lookup":
		hosted.Send(w, http.StatusOK, success([]object{{"Id": StatusNew, "Name": "New", "IsActive": true}, {"Id": StatusCompleted, "Name": "Completed", "IsActive": true}, {"Id": StatusBilled, "Name": "Billed", "IsActive": true}}))
	case where == "crm/accounts/lookup":
		s.listAccounts(w, r.URL.Query())
	case where == "servicedesk/tickets/search":
		s.search(w, r)
	case r.Method == http.MethodPatch && len(parts) == 3:
		s.patch(w, r, parts[2])
	case get && len(parts) == 3:
		s.showTicket(w, parts[2])
	case get && len(parts) == 4:
		s.listNotes(w, parts[2], r.URL.Query())
	case len(parts) == 4:
		s.addNote(w, r, parts[2])
	}
}

func success(result any) object { return object{"Success": true, "Result": result} }

func failure(code int, message string) object {
	return object{"Success": false, "Error": object{"Code": code, "Message": message, "StackStrace": "   at Vorex.Api.Filters"}}
}

// authenticate makes a token for the employee.
func (s wire) authenticate(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	f := r.PostForm
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.Now().Unix() / 30
	if f.Get("MFACode") == oneTime(at-1) {
		at-- // it was made before this half minute began
	}
	switch {
	case s.switches.AuthDown:
		hosted.Send(w, http.StatusBadGateway, failure(502, "Bad gateway"))
	case f.Get("GrantType") != "password" || f.Get("Tenant") != Tenant || f.Get("UserName") != User || f.Get("Password") != s.password.Reveal():
		hosted.Send(w, http.StatusOK, failure(0, "The user name or password is incorrect: "+f.Get("Password"))) // careless, as servers are
	case s.switches.Codes && (f.Get("MFACode") != oneTime(at) || at <= s.lastCode):
		hosted.Send(w, http.StatusOK, failure(0, "The MFA code is incorrect"))
	default:
		if s.switches.Codes {
			s.lastCode = at
		}
		token := rand.Text()
		s.issued++
		s.tokens[token] = time.Now().Add(s.life)
		hosted.Send(w, http.StatusOK, success(object{"AccessToken": token, "RefreshToken": rand.Text(), "AccessTokenExpireOn": time.Now().Add(s.life).UTC().Format(time.RFC3339)}))
	}
}

// oneTime is the one-time code of a step of half a minute.
func oneTime(at int64) string {
	raw, _ := base32.StdEncoding.DecodeString(Key)
	mac := hmac.New(sha1.New, raw)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at)))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1000000)
}

// paged is one page of items; Sw says how that goes wrong.
func paged(sw Switches, size, n int, items []object) []object {
	if sw.NoPages || size <= 0 {
		return items
	}
	if sw.PageCap > 0 {
		size = min(size, sw.PageCap)
	}
	if sw.NoFirst {
		n++
	}
	from := min((max(n, 1)-1)*size, len(items))
	return items[from:min(from+size, len(items))]
}

func pagedBy(sw Switches, q url.Values, items []object) []object {
	size, _ := strconv.Atoi(q.Get("PageSize"))
	n, _ := strconv.Atoi(q.Get("PageNumber"))
	return paged(sw, size, n, items)
}

func (s wire) listAccounts(w http.ResponseWriter, q url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []object{}
	for _, a := range s.accounts {
		if !a.hidden && (!a.inactive || q.Get("Filter.WithInactiveAccounts") == "true") {
			items = append(items, object{"Id": a.id, "Name": a.name, "IsActive": !a.inactive})
		}
	}
	hosted.Send(w, http.StatusOK, success(pagedBy(s.switches, q, items)))
}

func (t *ticket) shown() object {
	stamp := func(at time.Time) any {
		if at.IsZero() {
			return nil
		}
		return at.Format("2006-01-02T15:04:05.999")
	}
	status := map[int]string{StatusNew: "New", StatusCompleted: "Completed", StatusBilled: "Billed"}[t.status]
	return object{"Id": t.id, "TicketNumber": "AV-" + strconv.Itoa(t.id-13287000), "Title": t.title, "AccountId": t.account, "StatusId": t.status, "StatusName": status, "AssigneeName": t.assignee,
		"OpenDate": stamp(t.opened), "CompletedDate": stamp(t.completed), "ReOpenedDate": stamp(t.reopened), "LastActivityUpdate": stamp(t.updated)}
}

// search lists tickets, the oldest first.
func (s wire) search(w http.ResponseWriter, r *http.Request) {
	var in struct {
		PageSize, PageNumber int
		Filter               struct {
			AccountIds, Title, TicketNumber string
			ExcludeCompleted                int
		}
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		s.Complain("a search with %v", err)
	}
	if in.Filter.AccountIds != "" && strings.Trim(in.Filter.AccountIds, "0123456789,") != "" {
		s.Complain("a search for the accounts %q", in.Filter.AccountIds)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sw, items := s.switches, []object{}
	for _, t := range s.tickets {
		title, part := strings.ToLower(t.title), strings.ToLower(in.Filter.Title)
		switch {
		case !s.sees(t):
		case !sw.IgnoreAccount && in.Filter.AccountIds != "" && !slices.Contains(strings.Split(in.Filter.AccountIds, ","), strconv.Itoa(t.account)):
		case !sw.IgnoreCompleted && in.Filter.ExcludeCompleted == 1 && t.status == StatusCompleted:
		case sw.ExactTitle && part != "" && title != part, !strings.Contains(title, part):
		case !strings.Contains(t.shown()["TicketNumber"].(string), in.Filter.TicketNumber):
		default:
			items = append(items, t.shown())
		}
	}
	if sw.NewestFirst {
		slices.Reverse(items)
	}
	answer := success(paged(sw, in.PageSize, in.PageNumber, items))
	answer["TotalRecords"] = len(items)
	hosted.Send(w, http.StatusOK, answer)
}

// missing says that a ticket is not there.
func (s wire) missing(w http.ResponseWriter) {
	switch {
	case s.switches.MissingNull:
		hosted.Send(w, http.StatusOK, success(nil))
	case s.switches.Missing404:
		hosted.Send(w, http.StatusNotFound, failure(404, "Ticket not found."))
	default:
		hosted.Send(w, http.StatusOK, failure(0, "The requested ticket does not exist."))
	}
}

func (s wire) showTicket(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.ticket(id); s.sees(t) {
		hosted.Send(w, http.StatusOK, success(t.shown()))
		return
	}
	s.missing(w)
}

// patch changes the status of a ticket.
func (s wire) patch(w http.ResponseWriter, r *http.Request, id string) {
	var in []struct {
		Op, Path string
		Value    int
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil || len(in) != 1 || in[0].Op != "replace" || in[0].Path != "/StatusId" {
		s.Complain("a change with %+v, %v", in, err)
		hosted.Send(w, http.StatusBadRequest, failure(400, "Bad request"))
		return
	}
	s.Write(w, func(w http.ResponseWriter) {
		s.mu.Lock()
		defer s.mu.Unlock()
		t := s.ticket(id)
		switch {
		case !s.sees(t):
			s.missing(w)
			return
		case s.switches.NoNotes:
			hosted.Send(w, http.StatusOK, failure(0, "You do not have permission to edit tickets."))
			return
		case !s.switches.KeepStatus:
			t.status = in[0].Value
		}
		hosted.Send(w, http.StatusOK, success(t.shown()))
	})
}

func (n *note) shown() object {
	return object{"Id": n.id, "Details": "<div>" + n.html + "</div>", "IsInternal": n.internal, "TypeId": n.kind, "TypeName": "General", "CreatedByName": "Somebody", "CreatedOn": n.created.Format(time.RFC3339)}
}

func (s wire) listNotes(w http.ResponseWriter, id string, q url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sees(s.ticket(id)) {
		s.missing(w)
		return
	}
	items := []object{}
	for _, n := range s.notes {
		if strconv.Itoa(n.ticket) == id {
			items = append(items, n.shown())
		}
	}
	hosted.Send(w, http.StatusOK, success(pagedBy(s.switches, q, items)))
}

// addNote stores a note, unless a switch says otherwise.
func (s wire) addNote(w http.ResponseWriter, r *http.Request, id string) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var in struct {
		Details    string
		IsInternal *bool
		TypeID     *int `json:"TypeId"`
		NoteDate   time.Time
	}
	err := json.NewDecoder(bytes.NewReader(body)).Decode(&in)
	if err != nil || in.Details == "" || in.IsInternal == nil || in.TypeID == nil || in.NoteDate.IsZero() {
		s.Complain("a note without what is demanded: %v", err)
		hosted.Send(w, http.StatusBadRequest, failure(400, "Details, IsInternal, TypeId and NoteDate are required."))
		return
	}
	s.Write(w, func(w http.ResponseWriter) {
		s.mu.Lock()
		sw, there := s.switches, s.sees(s.ticket(id))
		s.mu.Unlock()
		switch {
		case !there:
			s.missing(w)
		case sw.NoNotes:
			hosted.Send(w, http.StatusOK, failure(0, "You do not have permission to add notes."))
		case *in.TypeID != TypeGeneral:
			hosted.Send(w, http.StatusOK, failure(0, "Note type is invalid."))
		default:
			n, _ := strconv.Atoi(id)
			made := &note{ticket: n, kind: *in.TypeID, html: in.Details, internal: *in.IsInternal}
			s.store(made)
			hosted.Send(w, http.StatusOK, success(made.shown()))
		}
	})
}
