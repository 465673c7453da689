package aws

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Rule spoils requests. Every condition that is not zero must hold.
type Rule struct {
	Name string `json:"name,omitempty"`
	// Service is sts, iam, s3 or signin.
	Service string `json:"service,omitempty"`
	// Action is an operation's name, such as AssumeRole, ListObjectsV2, getSigninToken or console.
	Action string `json:"action,omitempty"`
	// Role is the name of the role that the request is about.
	Role string `json:"role,omitempty"`
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
	AnswerInstead Kind = "status"            // answers without effect
	Throttled     Kind = "throttle"          // 400 Throttling (S3: 503 SlowDown), without effect
	WaitBefore    Kind = "delayBefore"       // waits, then carries on; a caller that has gone has no effect
	WaitAfter     Kind = "delayAfterEffect"  // the effect, then waits before answering
	DropBefore    Kind = "dropBeforeEffect"  // the connection breaks off, nothing is done
	DropAfter     Kind = "dropAfterEffect"   // the effect, and no answer
	AnswerAfter   Kind = "statusAfterEffect" // the effect, and another answer; default 503
	Truncate      Kind = "truncateBody"      // the effect, and half the answer
	ErrorPage     Kind = "htmlPage"          // the effect, and a page of a gateway
	Duplicate     Kind = "duplicateEffect"   // carried out twice; the second answer is given
	SkewClock     Kind = "clockSkew"         // the answer's Date is Delay ahead
)

// Action is one thing that a Rule does to a request.
type Action struct {
	Kind    Kind          `json:"kind"`
	Status  int           `json:"status,omitempty"`
	Code    string        `json:"code,omitempty"`
	Message string        `json:"message,omitempty"`
	Delay   time.Duration `json:"delay,omitempty"` // nanoseconds in JSON
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
	seen, hit int
}

type faults struct {
	mu    sync.Mutex
	rules []*armed
	dice  *rand.Rand
}

// Faults replaces all rules. Rules are asked in order; the first that hits a request is the one.
func (c *Cloud) Faults(rules ...Rule) {
	list := make([]*armed, len(rules))
	for i, r := range rules {
		if r.Name == "" {
			r.Name = fmt.Sprintf("rule %d", i+1)
		}
		list[i] = &armed{Rule: r}
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
	role := x.form.Get("RoleName")
	if arn := x.form.Get("RoleArn"); arn != "" {
		role = arn[strings.LastIndexByte(arn, '/')+1:]
	}
	return (r.Service == "" || r.Service == x.service) && (r.Action == "" || r.Action == x.action) && (r.Role == "" || r.Role == role)
}

// cutMark marks an answer of which only half is sent.
const cutMark = "X-Sim-Cut"

func (a answer) cut() bool { return a.header.Get(cutMark) != "" }

// suffer carries a request out as a rule allows.
func (c *Cloud) suffer(x *exchange, rule *Rule) (answer, error) {
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
	case AnswerInstead:
		return x.spoilt(act, 503), nil, true
	case Throttled:
		if x.service == serviceS3 {
			return x.refuse(&failure{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."}), nil, true
		}
		return x.refuse(&failure{Status: 400, Code: "Throttling", Message: "Rate exceeded"}), nil, true
	case WaitBefore:
		if err := wait(x, act.Delay); err != nil {
			return answer{}, err, true
		}
	case DropBefore:
		return answer{}, errLost, true
	case SkewClock:
		x.skew = act.Delay
	}
	return answer{}, nil, false
}

// after does what an action does once the effect is there.
func (x *exchange) after(act Action, a answer) (answer, error) {
	switch act.Kind {
	case WaitAfter:
		return a, wait(x, act.Delay)
	case DropAfter:
		return answer{}, errLost
	case AnswerAfter:
		return x.spoilt(act, 503), nil
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
	}
	return a, nil
}

// spoilt is the answer that an action asks for.
func (x *exchange) spoilt(act Action, status int) answer {
	f := &failure{Status: status, Code: act.Code, Message: act.Message}
	if act.Status != 0 {
		f.Status = act.Status
	}
	if f.Code == "" {
		f.Code = map[int]string{503: "ServiceUnavailable", 500: "InternalFailure", 400: "Throttling", 403: "AccessDenied"}[f.Status]
	}
	if f.Code == "" {
		f.Code = "Status" + strconv.Itoa(f.Status)
	}
	return x.refuse(f)
}
