package entra

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// Rule spoils requests. Every condition that is not zero must hold.
type Rule struct {
	Name   string `json:"name,omitempty"`
	Method string `json:"method,omitempty"`
	// Path is a regular expression, found anywhere in the path and query.
	Path string `json:"path,omitempty"`
	// Tenant is a tenant's id or domain.
	Tenant string `json:"tenant,omitempty"`
	// Body is a text that the request's body holds.
	Body string `json:"body,omitempty"`
	// Nth hits only the nth request that matches so far, counted from 1, and with Times so many from it on.
	Nth int `json:"nth,omitempty"`
	// Every hits each so-manieth.
	Every int `json:"every,omitempty"`
	// Probability hits by lot, drawn from the cloud's seed.
	Probability float64 `json:"probability,omitempty"`
	// Times bounds the hits; 0 is no bound.
	Times int `json:"times,omitempty"`
	// Do is what happens, in this order.
	Do []Action `json:"do"`
}

// Kind is what an Action does.
type Kind string

// The kinds of actions. Status, Code and Message of the Action are what it answers; Delay is how long it waits.
const (
	AnswerInstead     Kind = "status"             // answers without effect; with RetryAfter if set
	Throttled         Kind = "throttle"           // 429 with Retry-After, without effect
	WaitBefore        Kind = "delayBefore"        // waits, then carries on; a caller that has gone has no effect
	WaitAfter         Kind = "delayAfterEffect"   // the effect, then waits before answering
	DropBefore        Kind = "dropBeforeEffect"   // the connection breaks off, nothing is done
	DropAfter         Kind = "dropAfterEffect"    // the effect, and no answer
	AnswerAfter       Kind = "statusAfterEffect"  // the effect, and another answer; default 503
	Truncate          Kind = "truncateBody"       // the effect, and half the answer
	ErrorPage         Kind = "htmlPage"           // the effect, and a page of a gateway
	Duplicate         Kind = "duplicateEffect"    // carried out twice; the second answer is given
	ReadFrom          Kind = "staleRead"          // the replica with the number Replica serves it
	TokenDown         Kind = "tokenEndpointDown"  // 503 from the token endpoint; a Rule without Path then means that
	TokenExpired      Kind = "tokenExpiredEarly"  // 401 InvalidAuthenticationToken
	ClaimsChallenge   Kind = "caeChallenge"       // 401 that asks for a token with claims
	WithdrawConsent   Kind = "consentWithdrawn"   // the calling app is thrown out first
	LoseLicence       Kind = "licenceLost"        // the tenant is Free from then on
	SkewClock         Kind = "clockSkew"          // the answer's Date is Delay ahead
	SayGone           Kind = "pimSaysNotExisting" // the effect, and 400 RoleAssignmentDoesNotExist
	RefusePurge       Kind = "purgeRefused"       // 400, nothing done
	QuotaExceeded     Kind = "quotaExceeded"      // 403 Directory_QuotaExceeded
	UnknownEnumMember Kind = "unknownEnum"        // the effect, and the answer has properties and values nobody knows
)

// Action is one thing that a Rule does to a request.
type Action struct {
	Kind       Kind          `json:"kind"`
	Status     int           `json:"status,omitempty"`
	Code       string        `json:"code,omitempty"`
	Message    string        `json:"message,omitempty"`
	RetryAfter int           `json:"retryAfter,omitempty"` // seconds
	Delay      time.Duration `json:"delay,omitempty"`      // nanoseconds in JSON
	Replica    int           `json:"replica,omitempty"`
}

// Do is a list of actions of kinds that need nothing else.
func Do(kinds ...Kind) []Action {
	var out []Action
	for _, k := range kinds {
		out = append(out, Action{Kind: k})
	}
	return out
}

// Respond answers with an error without carrying the request out.
func Respond(status int, code string) []Action {
	return []Action{{Kind: AnswerInstead, Status: status, Code: code}}
}

// Slow waits before or after the effect.
func Slow(kind Kind, d time.Duration) []Action { return []Action{{Kind: kind, Delay: d}} }

type armed struct {
	Rule
	path      *regexp.Regexp
	seen, hit int
}

type faults struct {
	mu    sync.Mutex
	rules []*armed
	dice  *rand.Rand
}

// Faults replaces all rules. Rules are asked in order; the first that hits a request is the one. A Path that is no
// regular expression panics.
func (c *Cloud) Faults(rules ...Rule) {
	list := make([]*armed, len(rules))
	for i, r := range rules {
		if r.Name == "" {
			r.Name = fmt.Sprintf("rule %d", i+1)
		}
		if len(r.Do) > 0 && r.Do[0].Kind == TokenDown && r.Path == "" {
			r.Path = `/oauth2/v2\.0/token`
		}
		list[i] = &armed{Rule: r, path: regexp.MustCompile(r.Path)}
	}
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.rules = list
}

// Hits is how many requests each rule has hit so far, in the order in which they were given.
func (c *Cloud) Hits() []int {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	var out []int
	for _, r := range c.faults.rules {
		out = append(out, r.hit)
	}
	return out
}

// strike finds the rule that hits a request.
func (f *faults) strike(x *exchange) *Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if !r.matches(x) {
			continue
		}
		r.seen++
		last := r.Nth
		if r.Times > 0 {
			last += r.Times - 1
		}
		switch {
		case r.Times > 0 && r.hit >= r.Times,
			r.Nth > 0 && (r.seen < r.Nth || r.seen > last),
			r.Every > 0 && r.seen%r.Every != 0,
			r.Probability > 0 && f.dice.Float64() >= r.Probability:
			continue
		}
		r.hit++
		return &r.Rule
	}
	return nil
}

func (r *armed) matches(x *exchange) bool {
	if r.Method != "" && r.Method != x.req.Method || !r.path.MatchString(x.req.URL.RequestURI()) {
		return false
	}
	if r.Tenant != "" && (x.tenant == nil || x.tenant != x.cloud.Tenant(r.Tenant)) {
		return false
	}
	return r.Body == "" || bytes.Contains(x.body, []byte(r.Body))
}

// cutMark marks an answer of which only half is sent.
const cutMark = "X-Sim-Cut"

func (a answer) cut() bool { return a.header.Get(cutMark) != "" }

// suffer carries a request out as a rule allows.
func (x *exchange) suffer(rule *Rule) (answer, error) {
	if rule == nil {
		return x.carryOut(), nil
	}
	for _, act := range rule.Do {
		if a, err, done := x.before(act); done {
			return a, err
		}
	}
	a := x.carryOut()
	for _, act := range rule.Do {
		var err error
		if a, err = x.after(act, a); err != nil {
			return answer{}, err
		}
	}
	return a, nil
}

// before does what an action does ahead of the effect; done if there will be none.
func (x *exchange) before(act Action) (a answer, err error, done bool) {
	switch act.Kind {
	case AnswerInstead, TokenDown:
		return x.spoilt(act, http.StatusServiceUnavailable), nil, true
	case Throttled:
		if act.RetryAfter == 0 {
			act.RetryAfter = 10
		}
		return x.spoilt(act, http.StatusTooManyRequests), nil, true
	case WaitBefore:
		if err := x.wait(act.Delay); err != nil {
			return answer{}, err, true
		}
	case DropBefore:
		return answer{}, errLost, true
	case ReadFrom:
		x.replica = min(max(act.Replica, 0), x.cloud.opt.Replicas-1)
	case TokenExpired:
		return x.failed(unauthorized("Lifetime validation failed, the token is expired.")), nil, true
	case ClaimsChallenge:
		return x.challenge(), nil, true
	case WithdrawConsent:
		if app := x.cloud.App(x.who.app); app != nil && x.tenant != nil {
			x.tenant.Withdraw(app)
		}
	case LoseLicence:
		if x.tenant != nil {
			x.tenant.SetLicence(Free)
		}
	case SkewClock:
		x.skew = act.Delay
	case RefusePurge:
		return x.failed(badRequest("The object is protected from permanent deletion.")), nil, true
	case QuotaExceeded:
		return x.failed(quotaExceeded()), nil, true
	}
	return answer{}, nil, false
}

// after does what an action does once the effect is there.
func (x *exchange) after(act Action, a answer) (answer, error) {
	switch act.Kind {
	case WaitAfter:
		return a, x.wait(act.Delay)
	case DropAfter:
		return answer{}, errLost
	case AnswerAfter:
		return x.spoilt(act, http.StatusServiceUnavailable), nil
	case Truncate:
		if len(a.body) > 0 {
			a.header.Set(cutMark, "1")
		}
	case ErrorPage:
		page := answer{status: http.StatusBadGateway, header: http.Header{}, body: []byte("<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>")}
		if act.Status != 0 {
			page.status = act.Status
		}
		page.header.Set("Content-Type", "text/html")
		return page, nil
	case Duplicate:
		return x.carryOut(), nil
	case SayGone:
		return x.failed(gone()), nil
	case UnknownEnumMember:
		a.body = novelty(a.body)
	}
	return a, nil
}

// wait sits out d, or until the caller has gone.
func (x *exchange) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-x.req.Context().Done():
		return x.req.Context().Err()
	}
}

// spoilt is the answer that an action asks for.
func (x *exchange) spoilt(act Action, status int) answer {
	f := &failure{Status: status, Code: act.Code, Message: act.Message, Header: http.Header{}}
	if act.Status != 0 {
		f.Status = act.Status
	}
	if f.Code == "" {
		f.Code = map[int]string{429: "TooManyRequests", 503: "ServiceUnavailable", 504: "GatewayTimeout", 500: "InternalServerError", 502: "BadGateway"}[f.Status]
	}
	if f.Code == "" {
		f.Code = "UnknownError"
	}
	if act.RetryAfter > 0 {
		f.Header.Set("Retry-After", strconv.Itoa(act.RetryAfter))
	}
	return x.failed(f)
}

// failed is a failure with Graph's headers.
func (x *exchange) failed(f *failure) answer {
	a := x.refuse(f)
	x.headers(a.header)
	return a
}

func (x *exchange) challenge() answer {
	f := unauthorized("Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp")
	f.Header = http.Header{"Www-Authenticate": {`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ=="`}}
	return x.failed(f)
}
