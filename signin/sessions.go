package signin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
	"unicode"

	"github.com/alexedwards/scs/v2"

	"jitney/access"
)

const (
	// Lifetime is how long a session lasts at most, where nothing else is set.
	Lifetime = 12 * time.Hour
	// Idle is how long a session lasts without a request.
	Idle = 30 * time.Minute

	seenEvery  = time.Minute      // how exactly the last use is stored
	checkAgain = 10 * time.Second // how long a request, such as a stream, trusts that its session is still there
	maxBrowser = 200
)

const personKey = "person"

// newManager sets up scs. Over https the cookie bears the prefix with which a
// browser takes it only from this host, over https, for every path.
func newManager(store scs.Store, https bool, lasts time.Duration, fail func(http.ResponseWriter, *http.Request, error)) *scs.SessionManager {
	// Not scs.New, which starts a goroutine for a store of its own.
	m := &scs.SessionManager{
		Store: store, Codec: jsonCodec{}, Lifetime: cmp.Or(lasts, Lifetime), IdleTimeout: Idle, HashTokenInStore: true, ErrorFunc: fail,
		Cookie: scs.SessionCookie{Name: "jitney", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode},
	}
	if https {
		m.Cookie.Name, m.Cookie.Secure = "__Host-jitney", true
	}
	return m
}

// jsonCodec writes a session so that the same one always gives the same bytes.
type jsonCodec struct{}

type storedData struct {
	Deadline int64             `json:"deadline"` // microseconds since 1970
	Values   map[string]string `json:"values"`
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	d := storedData{deadline.UnixMicro(), map[string]string{}}
	for k, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, errors.New("a session holds text only")
		}
		d.Values[k] = s
	}
	return json.Marshal(d)
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var d storedData
	if err := json.Unmarshal(b, &d); err != nil {
		return time.Time{}, nil, errors.New("a stored session cannot be read")
	}
	values := map[string]any{}
	for k, v := range d.Values {
		values[k] = v
	}
	return time.UnixMicro(d.Deadline).UTC(), values, nil
}

// A visit is one request: which session it came with, or began.
type visit struct {
	session access.Visit // zero Key if there is none
	checked time.Time
	address string
	browser string
	passive bool           // no person did this: it does not count as use
	begun   []access.Event // to be stored with the session that begins
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	if v == nil {
		return &visit{} // a request that did not pass Load: nobody
	}
	return v
}

// kept is the store that scs sees.
type kept struct{ sessions Sessions }

var errNoContext = errors.New("sessions are only used with a context")

// Find, Commit and Delete complete scs.Store; scs calls the ones with a context.
func (kept) Find(string) ([]byte, bool, error)      { return nil, false, errNoContext }
func (kept) Commit(string, []byte, time.Time) error { return errNoContext }
func (kept) Delete(string) error                    { return errNoContext }

// FindCtx implements scs.CtxStore.
func (k kept) FindCtx(ctx context.Context, key string) ([]byte, bool, error) {
	s, err := k.sessions.Session(ctx, key)
	if err != nil {
		if access.KindOf(err) == access.NotFound {
			return nil, false, nil
		}
		return nil, false, err
	}
	if !time.Now().Before(s.ExpiresAt) {
		return nil, false, nil
	}
	v := visitOf(ctx)
	v.session, v.checked = s, time.Now()
	return s.Data, true, nil
}

// CommitCtx implements scs.CtxStore. A session that this request came with is
// only updated, so that one that was ended meanwhile stays ended; the time of
// its last use is stored once a minute.
func (k kept) CommitCtx(ctx context.Context, key string, data []byte, expires time.Time) error {
	v, now := visitOf(ctx), time.Now().UTC()
	s := v.session
	if s.Key == key {
		if string(s.Data) == string(data) && (v.passive || now.Sub(s.SeenAt) < seenEvery) {
			return nil
		}
		s.Data, s.SeenAt, s.ExpiresAt = data, now, expires
		v.session = s
		return k.sessions.KeepSession(ctx, s)
	}
	_, values, err := jsonCodec{}.Decode(data)
	if err != nil {
		return err
	}
	person, _ := values[personKey].(string)
	if person == "" {
		return nil // nobody's session is not kept
	}
	s = access.Visit{Key: key, Person: person, Data: data, Address: v.address, Browser: v.browser, BegunAt: now, SeenAt: now, ExpiresAt: expires}
	if err := k.sessions.AddSession(ctx, s, v.begun...); err != nil {
		return err
	}
	v.session, v.checked, v.begun = s, now, nil
	return nil
}

// DeleteCtx implements scs.CtxStore.
func (k kept) DeleteCtx(ctx context.Context, key string) error {
	return k.sessions.EndSession(ctx, key)
}

// clip cuts text from outside, for a record.
func clip(s string, n int) string {
	out := make([]rune, 0, n)
	for _, r := range s {
		if len(out) == n {
			break
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
