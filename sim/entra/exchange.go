package entra

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what a caller may send.
const maxBody = 1 << 20

// An exchange is one request on its way through the cloud.
type exchange struct {
	cloud   *Cloud
	req     *http.Request
	body    []byte
	now     time.Time
	graph   bool // under /v1.0/
	who     caller
	refused error // of the token
	tenant  *Tenant
	replica int // forced by a fault, else authority; then the one that served it
	id      string
	code    string // of the error answered
	effect  bool
	skew    time.Duration // of this answer's Date
}

type exchangeKey struct{}

// Handler serves everything, routed by path: tokens, consent, sign-in, portal, /v1.0/ and /_sim/.
func (c *Cloud) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_sim/") {
			c.mux.ServeHTTP(w, r)
			return
		}
		a, err := c.exchange(r)
		if err != nil {
			panic(http.ErrAbortHandler) // the connection breaks off
		}
		for k, v := range a.header {
			w.Header()[k] = v
		}
		if a.cut() {
			w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
			w.WriteHeader(a.status)
			_, _ = w.Write(a.body[:len(a.body)/2])
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
	})
}

// Transport carries requests to the cloud without sockets and without goroutines. A connection that breaks off is an
// error. A request's context ends what would wait.
func (c *Cloud) Transport() http.RoundTripper { return transport{c} }

type transport struct{ cloud *Cloud }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RemoteAddr, in.RequestURI = "127.0.0.1:0", r.URL.RequestURI()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var a answer
	if strings.HasPrefix(r.URL.Path, "/_sim/") {
		rec := newRecorder()
		t.cloud.mux.ServeHTTP(rec, in)
		a = rec.answer()
	} else {
		var err error
		if a, err = t.cloud.exchange(in); err != nil {
			return nil, err
		}
	}
	body := io.Reader(bytes.NewReader(a.body))
	if a.cut() {
		body = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), broken{})
	}
	a.header.Del(cutMark)
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(body), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// exchange carries one request out, with whatever fault hits it. The error is a connection that broke off, or the
// caller's own context.
func (c *Cloud) exchange(r *http.Request) (answer, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return answer{}, err
	}
	x := &exchange{cloud: c, req: r, body: body, replica: authority, graph: strings.HasPrefix(r.URL.Path, "/v1.0/")}
	x.req = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	x.req.Body = io.NopCloser(bytes.NewReader(body))
	x.now = c.Now()
	x.id = c.journal.requestID()
	x.identify()
	rule := c.faults.strike(x)
	a, err := x.suffer(rule)
	c.journal.add(x, rule, a, err)
	return a, err
}

// identify finds out which tenant a request is about, and who sends it.
func (x *exchange) identify() {
	if x.graph {
		if x.who, x.refused = x.cloud.caller(x.req); x.refused == nil {
			x.tenant = x.who.tenant
		}
		return
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(x.req.URL.Path, "/"), "/")
	x.tenant = x.cloud.Tenant(first)
}

// carryOut does what the request asks and makes the answer, with no fault.
func (x *exchange) carryOut() answer {
	before := writesOf(x.tenant)
	rec := newRecorder()
	x.req.Body = io.NopCloser(bytes.NewReader(x.body))
	x.cloud.mux.ServeHTTP(rec, x.req)
	a := rec.answer()
	if writesOf(x.tenant) != before {
		x.effect = true
	}
	if !x.graph {
		a.header.Set("Date", x.date())
		return a
	}
	x.headers(a.header)
	if check := x.cloud.opt.Check; check != nil {
		if err := check(x.req, x.body, a.status, a.header, a.body); err != nil {
			x.cloud.journal.breach(err)
		}
	}
	return a
}

func (x *exchange) date() string {
	return x.cloud.Now().Add(x.skew).Format(http.TimeFormat)
}

// headers are what Graph sends with every answer.
func (x *exchange) headers(h http.Header) {
	h.Set("request-id", x.id)
	h.Set("client-request-id", x.clientID())
	h.Set("Date", x.date())
	h.Set("OData-Version", "4.0")
	h.Set("Cache-Control", "no-cache")
	h.Set("Strict-Transport-Security", "max-age=31536000")
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"5","ScaleUnit":"001","RoleInstance":"REPLICA`+strconv.Itoa(x.replica)+`"}}`)
}

func (x *exchange) clientID() string {
	if id := x.req.Header.Get("client-request-id"); id != "" {
		return id
	}
	return x.id
}

// refuse makes the answer of an error.
func (x *exchange) refuse(err error) answer {
	var f *failure
	if !errors.As(err, &f) {
		f = fail(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	x.code = f.Code
	return refusal(f, x.id, x.clientID(), x.now)
}

// count is the number of changes in the tenant so far; a nil tenant has none.
func writesOf(t *Tenant) int {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writes
}

// A recorder keeps an answer until faults had their chance.
type recorder struct {
	head http.Header
	code int
	body bytes.Buffer
}

func newRecorder() *recorder { return &recorder{head: http.Header{}} }

func (r *recorder) Header() http.Header { return r.head }

func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func (r *recorder) answer() answer {
	r.WriteHeader(http.StatusOK)
	return answer{status: r.code, header: r.head, body: r.body.Bytes()}
}
