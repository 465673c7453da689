package entra

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entry is one request in the journal. It holds no token, no password, no pass and no request body.
type Entry struct {
	At       time.Time `json:"at"`
	Method   string    `json:"method"`
	Path     string    `json:"path"` // with the query only if the request was Graph's
	Tenant   string    `json:"tenant,omitempty"`
	App      string    `json:"app,omitempty"`
	Status   int       `json:"status"` // what the caller got; 0 if the connection broke off
	Code     string    `json:"code,omitempty"`
	Effect   bool      `json:"effect"` // something changed
	Rule     string    `json:"rule,omitempty"`
	Replica  int       `json:"replica"` // -1 if none was asked
	ID       string    `json:"id"`      // request-id
	ClientID string    `json:"clientId,omitempty"`
}

type journal struct {
	mu       sync.Mutex
	limit    int
	entries  []Entry
	breaches []error
	requests uint64
}

// Journal is every request so far, oldest first, save those beyond Options.Journal and those for /_sim/.
func (c *Cloud) Journal() []Entry {
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	return slices.Clone(c.journal.entries)
}

// ForgetJournal empties the journal.
func (c *Cloud) ForgetJournal() {
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	c.journal.entries = nil
}

func (j *journal) add(x *exchange, rule *Rule, a answer, err error) {
	e := Entry{
		At: x.now, Method: x.req.Method, Path: x.req.URL.Path, App: x.who.app, Status: a.status, Code: x.code,
		Effect: x.effect, Replica: x.replica, ID: x.id, ClientID: clean(x.req.Header.Get("client-request-id")),
	}
	if x.graph {
		e.Path = x.req.URL.RequestURI()
	}
	if x.tenant != nil {
		e.Tenant = x.tenant.ID
	}
	if rule != nil {
		e.Rule = rule.Name
	}
	if err != nil {
		e.Status = 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) >= j.limit {
		j.entries = slices.Delete(j.entries, 0, j.limit/10+1)
	}
	j.entries = append(j.entries, e)
}

func (j *journal) breach(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.breaches) < 1000 {
		j.breaches = append(j.breaches, err)
	}
}

// clean keeps what an id is made of.
func clean(id string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, id[:min(len(id), 64)])
}

// requestID makes the next request's id.
func (j *journal) requestID() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests++
	return fmt.Sprintf("51400000-0000-4000-8000-%012x", j.requests)
}
