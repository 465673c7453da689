package aws

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what a caller may send.
const maxBody = 1 << 20

// An exchange is one request on its way through the cloud.
type exchange struct {
	cloud *Cloud
	req   *http.Request
	body  []byte
	params
	now     time.Time
	service string
	action  string
	named   bool   // the host is one of AWS's names
	region  string // that the host tells, then that of the signature
	bucket  string // that the host tells
	keyID   string
	who     *principal // who signed; nil: nobody
	id      string
	code    string // of the error answered
	issued  *credential
	token   webIdentity // checked before the lock is taken
	effect  bool
	skew    time.Duration // of this answer's Date
}

// Handler serves everything: STS, IAM, S3, the federation endpoint and the console. Under AWS's own host names each
// service is where its name says; under any other, requests are told apart by what they are.
func (c *Cloud) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

// Transport reaches the cloud without sockets. What breaks a connection off comes out as an error.
func (c *Cloud) Transport() http.RoundTripper { return transport{c} }

type transport struct{ c *Cloud }

// RoundTrip carries one request out.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	a, err := t.c.exchange(r)
	if err != nil {
		return nil, err
	}
	res := &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}
	if a.cut() {
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), broken{}))
	}
	return res, nil
}

// broken is the rest of a connection that broke off.
type broken struct{}

// Read fails.
func (broken) Read([]byte) (int, error) { return 0, errLost }

// exchange carries one request out, and writes it down.
func (c *Cloud) exchange(r *http.Request) (answer, error) {
	x := &exchange{cloud: c, req: r, id: c.journal.requestID(), now: c.Now()}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return answer{}, errors.Join(errLost, err)
	}
	x.body = body
	var a answer
	var rule *Rule
	if f := x.route(); f != nil {
		a = x.refuse(f)
	} else {
		rule = c.faults.strike(x)
		a, err = c.suffer(x, rule)
	}
	if err == nil {
		x.headers(a.header)
	}
	c.journal.add(x, rule, a, err)
	if c.opt.Check != nil && err == nil && rule == nil && (x.service == serviceSTS || x.service == serviceIAM) {
		if breach := c.opt.Check(r, body, a.status, a.header, a.body); breach != nil {
			c.journal.breach(breach)
		}
	}
	return a, err
}

// headers are those that every answer has.
func (x *exchange) headers(h http.Header) {
	h.Set("Date", x.cloud.Now().Add(x.skew).Format(http.TimeFormat))
	if x.service == serviceS3 {
		h.Set("X-Amz-Request-Id", x.id)
	} else {
		h.Set("X-Amzn-Requestid", x.id)
	}
}

// route finds out which service is meant, and which action.
func (x *exchange) route() *failure {
	if len(x.body) > maxBody {
		return &failure{Status: 413, Code: "RequestEntityTooLarge", Message: "The request is too large."}
	}
	host := hostOf(x.req)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	x.service, x.region, x.bucket = x.cloud.partition.place(host)
	x.named = x.service != ""
	x.form = x.req.URL.Query()
	if isForm(x) {
		form, err := url.ParseQuery(string(x.body))
		if err != nil {
			return &failure{Status: 400, Code: "MalformedInput", Message: "The form cannot be read."}
		}
		for k, v := range form {
			x.form[k] = v
		}
	}
	x.action = x.form.Get("Action")
	if x.service == "" {
		x.service = x.guess()
	}
	if x.service == serviceSTS && x.region == "" && host == "sts."+x.cloud.partition.Suffix {
		x.region = x.cloud.partition.global(serviceSTS)
	}
	if x.service == serviceS3 {
		x.action = storage{x}.s3Action()
	}
	return nil
}

func isForm(x *exchange) bool {
	return strings.HasPrefix(x.req.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// guess tells the service from the request alone, for hosts that are none of AWS's.
func (x *exchange) guess() string {
	path := x.req.URL.Path
	switch {
	case path == "/federation", path == "/oauth", path == "/console" || strings.HasPrefix(path, "/console/"):
		return serviceSignIn
	case x.form.Get("Version") == "2011-06-15" && x.action != "":
		return serviceSTS
	case x.form.Get("Version") == "2010-05-08" && x.action != "":
		return serviceIAM
	case x.action != "" && path == "/":
		if s, f := readSignature(x.req); f == nil && s != nil && s.service != serviceS3 {
			return s.service
		}
		return serviceSTS
	}
	return serviceS3
}

// carryOut does what the request asks for.
func (x *exchange) carryOut() answer {
	switch x.service {
	case serviceSTS, serviceIAM:
		return x.query()
	case serviceS3:
		return storage{x}.s3()
	case serviceSignIn:
		return visitor{x}.signIn()
	}
	return x.refuse(&failure{Status: 404, Code: "UnknownOperationException", Message: "There is no such service here."})
}

// query carries out an action of the query protocol.
func (x *exchange) query() answer {
	op := x.cloud.operations[x.service+":"+x.action]
	if op != nil && op.first != nil {
		f := op.check(x.form)
		if f == nil {
			f = op.first(x)
		}
		if f != nil {
			return x.refuse(f)
		}
	}
	x.cloud.mu.Lock()
	defer x.cloud.mu.Unlock()
	x.now = x.cloud.Now()
	if op == nil || !op.open {
		if f := x.authenticate(); f != nil {
			return x.refuse(f)
		}
	}
	if op == nil {
		version := x.form.Get("Version")
		return x.refuse(&failure{Status: 400, Code: "InvalidAction", Message: "Could not find operation " + x.action + " for version " + version})
	}
	if f := x.admit(op); f != nil {
		return x.refuse(f)
	}
	result, f := op.do(x)
	if f != nil {
		return x.refuse(f)
	}
	return x.succeed(op.name, result)
}

// admit holds the request to the operation's shape, and its caller to what policies allow.
func (x *exchange) admit(op *operation) *failure {
	if x.who != nil && x.who.how == "GetSessionToken" && (op.service == serviceIAM || op.name != "AssumeRole" && op.name != "GetCallerIdentity") {
		return &failure{Status: 403, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid"}
	}
	if f := op.check(x.form); f != nil {
		return f
	}
	if op.open || op.own {
		return nil
	}
	resource := "*"
	if op.resource != nil {
		resource = op.resource(x)
	}
	return x.may(op.service+":"+op.name, resource)
}

// wait sits out d, or until the caller has gone.
func wait(x *exchange, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-x.req.Context().Done():
		return x.req.Context().Err()
	}
}
