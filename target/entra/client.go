package entra

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

const version = "/v1.0"

// Bounds of one list.
const (
	maxPages = 200
	maxItems = 20_000
)

// A client talks to Graph for one Entra tenant.
type client struct {
	settings *settings
	pipe     runtime.Pipeline
	tokens   *tokens
	limits   *limits
	wire     wire
	skew     atomic.Int64 // of the last answer's Date against our clock, in nanoseconds
	record   func(exchange)
}

func newClient(s *settings, p *pool, pc pace) *client {
	w := p.wireFor(s)
	c := &client{settings: s, tokens: newTokens(s, w), limits: p.limitsFor(s), wire: w}
	c.pipe = runtime.NewPipeline("jitney", "v1", runtime.PipelineOptions{}, &policy.ClientOptions{
		Transport: w,
		Telemetry: policy.TelemetryOptions{Disabled: true},
		// Longer pauses are the schedule's: a wait of over two seconds comes
		// back as an error that says how long.
		Retry: policy.RetryOptions{MaxRetries: 2, RetryDelay: pc.retry, MaxRetryDelay: maxWait, TryTimeout: tryTimeout},
	})
	return c
}

// A call is one request.
type call struct {
	method string
	path   string // below the version, escaped
	query  url.Values
	body   any
	into   any      // what the answer is decoded into; nil if there is none
	once   bool     // it creates something: it is never sent twice
	class  class    // zero: reads, or writes if the method changes something
	needs  []string // permissions, any of which is enough, to explain a refusal
	hide   []string // secrets in the body
	header map[string]string
}

// A reply is what is kept of an answer as evidence.
type reply struct {
	status int
	id     string // Graph's request-id, which its support asks for
	at     time.Time
}

// An exchange is one request and its answer, without secrets, as Probe writes it.
type exchange struct {
	Method  string          `json:"method"`
	Path    string          `json:"path"`
	Request any             `json:"request,omitempty"`
	Status  int             `json:"status"`
	Answer  json.RawMessage `json:"answer,omitempty"`
	ID      string          `json:"request_id,omitempty"`
	Took    string          `json:"took"`
}

// do makes one call. A refusal is a *graphError.
func (c *client) do(ctx context.Context, k call) (reply, error) {
	return c.doURL(ctx, k, c.address(k))
}

func (c *client) address(k call) string {
	u := c.settings.cloud.graph + version + k.path
	if len(k.query) > 0 {
		u += "?" + strings.ReplaceAll(k.query.Encode(), "+", "%20")
	}
	return u
}

func (c *client) doURL(ctx context.Context, k call, address string) (reply, error) {
	if k.class == reads && k.method != http.MethodGet {
		k.class = writes
	}
	challenge := ""
	for try := 0; ; try++ {
		if err := c.limits.wait(ctx, k.class); err != nil {
			return reply{}, err
		}
		token, err := c.tokens.get(ctx, challenge)
		if err != nil {
			return reply{}, err
		}
		began := time.Now()
		resp, err := c.send(ctx, k, address, token)
		if err != nil {
			return reply{}, c.hideAll(fmt.Errorf("%s %s: %w", k.method, k.path, err), k.hide)
		}
		r, err := c.receive(k, resp, began)
		refused, ok := errors.AsType[*graphError](err)
		if !ok || refused.status != http.StatusUnauthorized || try > 0 {
			return r, err
		}
		// 401 has no effect, so even what creates may be sent again with a
		// new token: the old one was revoked, or is too old for Graph.
		if challenge = demanded(resp.Header.Get("WWW-Authenticate")); challenge == "" {
			c.tokens.renew(0)
		}
	}
}

func (c *client) send(ctx context.Context, k call, address, token string) (*http.Response, error) {
	if k.once {
		ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1, TryTimeout: tryTimeout})
	}
	req, err := runtime.NewRequest(ctx, k.method, address)
	if err != nil {
		return nil, err
	}
	h := req.Raw().Header
	h.Set("Accept", "application/json")
	h.Set("Authorization", "Bearer "+token)
	h.Set("client-request-id", newUUID())
	h.Set("User-Agent", "jitney")
	for name, value := range k.header {
		h.Set(name, value)
	}
	if k.body != nil {
		if err := runtime.MarshalAsJSON(req, k.body); err != nil {
			return nil, err
		}
	}
	return c.pipe.Do(req)
}

// receive judges an answer and decodes it.
func (c *client) receive(k call, resp *http.Response, began time.Time) (reply, error) {
	r := reply{status: resp.StatusCode, id: clip(resp.Header.Get("request-id"), 60), at: time.Now().UTC()}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.skew.Store(int64(t.Sub(r.at)))
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		return r, fmt.Errorf("%s %s: read the answer: %w", k.method, k.path, err)
	}
	if c.record != nil {
		c.record(exchange{Method: k.method, Path: k.path, Request: k.body, Status: r.status, Answer: valid(body), ID: r.id, Took: time.Since(began).Round(time.Millisecond).String()})
	}
	if r.status < 200 || r.status > 299 {
		return r, c.refusal(k, resp, body)
	}
	if k.into == nil {
		return r, nil
	}
	if err := json.Unmarshal(body, k.into); err != nil {
		return r, &graphError{op: k.method + " " + k.path, status: http.StatusBadGateway, code: "unreadable", message: "the answer is not what it should be", id: r.id}
	}
	return r, nil
}

// valid is body if it is JSON.
func valid(body []byte) json.RawMessage {
	if json.Valid(body) && len(body) < 64<<10 {
		return body
	}
	return nil
}

// refusal makes an error of an answer that is not a success.
func (c *client) refusal(k call, resp *http.Response, body []byte) error {
	e := &graphError{op: k.method + " " + k.path, status: resp.StatusCode, id: clip(resp.Header.Get("request-id"), 60), after: retryAfter(resp.Header), needs: k.needs}
	var answer struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Details []struct {
				Code   string `json:"code"`
				Target string `json:"target"`
			} `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) == nil {
		e.code, e.message = clip(answer.Error.Code, 100), c.hideText(clip(answer.Error.Message, 500), k.hide)
		for _, d := range answer.Error.Details {
			e.conflict = e.conflict || d.Code == "ObjectConflict" && d.Target == "userPrincipalName"
		}
	}
	if own, ok := c.tokens.claims(); ok {
		e.granted, e.known = own.Roles, true
	}
	if e.status == http.StatusForbidden && e.missing() {
		c.tokens.renew(time.Minute) // consent that was given meanwhile shows only in a new token
	}
	return e
}

// retryAfter is how long the answer asks to wait, bounded.
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	d := time.Duration(0)
	if n, err := strconv.Atoi(text); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(text); err == nil {
		d = time.Until(t)
	}
	return min(max(d, 0), time.Hour)
}

// demanded are the claims of a challenge for continuous access evaluation;
// empty if it is none.
func demanded(header string) string {
	if !strings.Contains(header, "insufficient_claims") || len(header) > 8<<10 {
		return ""
	}
	_, rest, ok := strings.Cut(header, `claims="`)
	text, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		return ""
	}
	return decodeClaims(text)
}

// page is one answer of a list.
type page[T any] struct {
	Value []T    `json:"value"`
	Next  string `json:"@odata.nextLink"`
}

// list reads every page. It follows a link only to the same place.
func list[T any](ctx context.Context, c *client, k call) (all []T, last reply, err error) {
	k.method = http.MethodGet
	address, seen := c.address(k), map[string]bool{}
	for {
		var got page[T]
		k.into = &got
		if last, err = c.doURL(ctx, k, address); err != nil {
			return nil, last, err
		}
		if got.Value == nil { // an empty list is a list
			return nil, last, &graphError{op: k.method + " " + k.path, status: http.StatusBadGateway, code: "unreadable", message: "the answer holds no list", id: last.id}
		}
		all = append(all, got.Value...)
		if got.Next == "" {
			return all, last, nil
		}
		seen[address] = true
		if address, err = c.follow(got.Next); err != nil || seen[address] || len(seen) > maxPages || len(all) > maxItems {
			return nil, last, &graphError{op: k.method + " " + k.path, status: http.StatusBadGateway, code: "unreadable", message: "the list leads elsewhere or does not end", id: last.id}
		}
	}
}

// follow checks a link to the next page, which carries our token.
func (c *client) follow(link string) (string, error) {
	u, err := url.Parse(link)
	base, berr := url.Parse(c.settings.cloud.graph)
	if err != nil || berr != nil || u.Scheme != base.Scheme || u.Host != base.Host || u.User != nil || !strings.HasPrefix(u.Path, version+"/") || len(link) > 8<<10 {
		return "", errors.New("a link to another place")
	}
	return link, nil
}

// hideText takes secrets out of text from outside.
func (c *client) hideText(s string, more []string) string {
	for _, secret := range append(c.tokens.hidden(c.settings), more...) {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	return s
}

// hideAll keeps the kind of err and hides secrets in what it says.
func (c *client) hideAll(err error, more []string) error {
	text := err.Error()
	if hidden := c.hideText(clip(text, 1000), more); hidden != text {
		return &wireError{text: hidden, err: err}
	}
	return err
}

// A wireError says less than the error that it stands for.
type wireError struct {
	text string
	err  error
}

func (e *wireError) Error() string        { return e.text }
func (e *wireError) Is(target error) bool { return errors.Is(e.err, target) }

func newUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
