package entra

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// An operation is one of Graph's, with what it takes to be let in.
type operation struct {
	method, path string
	permissions  []string // any of these
	cost         int      // resource units
	do           func(*call) (int, any, error)
}

// A call is one Graph request being carried out. Its tenant is locked.
type call struct {
	*exchange
	t     *Tenant
	p     *principal // who calls
	query url.Values
	vars  *http.Request
}

func registerGraph(c *Cloud) {
	for _, op := range operations() {
		c.handle(op.method+" /v1.0"+op.path, func(w http.ResponseWriter, r *http.Request) { serveGraph(c, w, r, op) })
	}
	c.handle("/v1.0/", func(w http.ResponseWriter, r *http.Request) {
		segment := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		serveGraph(c, w, r, operation{cost: 1, do: func(*call) (int, any, error) {
			return 0, nil, fail(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+segment+"'.")
		}})
	})
}

// serveGraph lets a request through token, quota, consent and permission to its operation.
func serveGraph(c *Cloud, w http.ResponseWriter, r *http.Request, op operation) {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	status, body, err := x.admit(r, op)
	a := answerTo(status, body)
	if err != nil {
		a = x.refuse(err)
	}
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

func (x *exchange) admit(r *http.Request, op operation) (int, any, error) {
	if x.refused != nil {
		return 0, nil, unauthorized(x.refused.Error())
	}
	if err := x.cloud.quotas.take(x, op); err != nil {
		return 0, nil, err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, nil, fail(http.StatusBadRequest, "BadRequest", "The query could not be read.")
	}
	t := x.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	x.now = t.now()
	x.replica = pickReplica(t, x)
	p := t.principals[x.who.app]
	if p == nil || p.disabled {
		return 0, nil, fail(http.StatusUnauthorized, "Authorization_IdentityNotFound", "The identity of the calling application could not be established.")
	}
	k := &call{exchange: x, t: t, p: p, query: query, vars: r}
	if t.cloud.opt.Switches.MissingBeforeDenied && r.PathValue("user") != "" {
		if _, err := k.user(); err != nil {
			return 0, nil, err
		}
	}
	if len(op.permissions) > 0 && !k.may(op.permissions...) {
		return 0, nil, denied()
	}
	before := t.writes
	status, body, err := op.do(k)
	x.effect = x.effect || t.writes != before
	return status, body, err
}

// route picks the replica that serves a request, unless a fault did.
func pickReplica(t *Tenant, x *exchange) int {
	n := t.cloud.opt.Replicas
	switch {
	case x.replica != authority:
		return x.replica
	case t.cloud.opt.Routing == Random:
		return t.dice.IntN(n)
	case t.cloud.opt.Routing == Sticky:
		sum := 0
		for _, b := range []byte(x.who.app + t.ID) {
			sum += int(b)
		}
		return sum % n
	}
	t.turn++
	return t.turn % n
}

// may reports whether the token bears one of the permissions.
func (k *call) may(permissions ...string) bool {
	return slices.ContainsFunc(permissions, func(p string) bool { return slices.Contains(k.who.roles, p) })
}

func (k *call) path(name string) string { return k.vars.PathValue(name) }

// user is the live user that the path names, as this replica shows it.
func (k *call) user() (*user, error) {
	if u := k.t.live(k.path("user"), k.replica, k.now); u != nil {
		return u, nil
	}
	return nil, notFound(k.path("user"))
}

// decode reads the request's body.
func (k *call) decode() (object, error) {
	kind, _, _ := mime.ParseMediaType(k.req.Header.Get("Content-Type"))
	var body object
	if kind != "application/json" || json.Unmarshal(k.body, &body) != nil || body == nil {
		return nil, fail(http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return body, nil
}

// text is a text property of an object; false if it is there and no text.
func (o object) text(name string) (string, bool) {
	v, there := o[name]
	s, ok := v.(string)
	return s, ok || !there || v == nil
}

// base is where Graph lives for this caller.
func (k *call) base() string { return "https://" + k.req.Host + "/v1.0/" }

// entity is one object as the answer, with the properties that were asked for.
func (k *call) entity(status int, context string, kind *shape, full object) (int, any, error) {
	fields, err := kind.fields(k.query.Get("$select"))
	if err != nil {
		return 0, nil, err
	}
	out := pick(full, fields)
	out["@odata.context"] = k.base() + "$metadata#" + context + "/$entity"
	return status, out, nil
}

// pick keeps the named properties and annotations; a nil list keeps all.
func pick(full object, fields []string) object {
	out := object{}
	for name, v := range full {
		if fields == nil || strings.HasPrefix(name, "@") || slices.Contains(fields, name) {
			out[name] = v
		}
	}
	for _, f := range fields {
		if _, there := out[f]; !there {
			out[f] = nil
		}
	}
	return out
}
