package aws

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Entry is one request in the journal. It holds no key, no token, no external id and no policy.
type Entry struct {
	At      time.Time `json:"at"`
	Service string    `json:"service"`
	Action  string    `json:"action"`
	Region  string    `json:"region,omitempty"`
	// Principal is the ARN of who signed; empty if nobody could be told.
	Principal   string `json:"principal,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"` // that signed
	// Asked are the request's parameters, save those that may hold a secret or are long.
	Asked map[string]string `json:"asked,omitempty"`
	// Issued is the id of the access key that was made, and Expires its end.
	Issued  string    `json:"issued,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Status  int       `json:"status"` // what the caller got; 0 if the connection broke off
	Code    string    `json:"code,omitempty"`
	Effect  bool      `json:"effect"` // something changed, or keys were made
	Rule    string    `json:"rule,omitempty"`
	ID      string    `json:"id"`
}

type journal struct {
	mu       sync.Mutex
	limit    int
	entries  []Entry
	breaches []error
	requests uint64
}

// Journal is every request so far, oldest first, save those beyond Options.Journal.
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
		At: x.now, Service: x.service, Action: x.action, Region: x.region, AccessKeyID: x.keyID, Asked: x.asked(),
		Status: a.status, Code: x.code, Effect: x.effect, ID: x.id,
	}
	if x.who != nil {
		e.Principal = x.who.ARN()
	}
	if x.issued != nil {
		e.Issued, e.Expires = x.issued.id, x.issued.expires
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

// asked are the parameters that tell what was asked and hold no secret. What is not named here is not kept.
func (x *exchange) asked() map[string]string {
	out := map[string]string{}
	for _, name := range []string{
		"RoleArn", "RoleName", "RoleSessionName", "SourceIdentity", "DurationSeconds", "MaxSessionDuration", "PolicyName",
		"PolicyArn", "Url", "OpenIDConnectProviderArn", "SessionDuration", "Destination", "prefix",
	} {
		if v := x.form.Get(name); v != "" {
			out[name] = v[:min(len(v), 300)]
		}
	}
	if x.service == serviceS3 {
		out["bucket"], out["key"] = storage{x}.object()
	}
	return out
}

func (j *journal) breach(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.breaches) < 1000 {
		j.breaches = append(j.breaches, err)
	}
}

// requestID makes the next request's id.
func (j *journal) requestID() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests++
	return fmt.Sprintf("51400000-0000-4000-8000-%012x", j.requests)
}
