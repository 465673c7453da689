package signin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"jitney/access"
	"jitney/secret"
	"jitney/sim/openid"
)

// An office is a house whose people also come by a provider.
type office struct {
	*house
	sim      *openid.Provider
	provider *Provider
	linked   []access.Identity
}

const hiddenThing = "client secret of the office"

func newOffice(t *testing.T, claim string) *office {
	t.Helper()
	o := &office{house: newHouse(t)}
	sim, err := openid.New()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	sim.Issuer, sim.ClientID, sim.Secret, sim.Redirect = server.URL, "jitney", hiddenThing, "https://jitney.example"+CallbackPath
	o.sim = sim
	o.provider, err = NewProvider(o.door, ProviderConfig{Issuer: server.URL, ClientID: "jitney", Secret: secret.New(hiddenThing), Name: "Example ID", Claim: claim,
		Base: "https://jitney.example", Links: o, Logger: o.door.log})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) Identity(_ context.Context, issuer, subject string) (access.Identity, error) {
	for _, l := range o.linked {
		if l.Issuer == issuer && l.Subject == subject {
			return l, nil
		}
	}
	return access.Identity{}, absent()
}

func (o *office) IdentitiesOf(_ context.Context, person string) (all []access.Identity, err error) {
	for _, l := range o.linked {
		if l.Person == person {
			all = append(all, l)
		}
	}
	return all, nil
}

func (o *office) Link(_ context.Context, n access.Identity, events ...access.Event) error {
	for _, l := range o.linked {
		if l.Issuer == n.Issuer && (l.Subject == n.Subject || l.Person == n.Person) {
			return &access.Error{Kind: access.Conflict, Text: "This exists already."}
		}
	}
	o.linked = append(o.linked, n)
	return o.write(events)
}

func (o *office) Unlink(_ context.Context, person string, events ...access.Event) error {
	o.linked = slices.DeleteFunc(o.linked, func(l access.Identity) bool { return l.Person == person })
	return o.write(events)
}

// A tourist is a browser that goes to the provider and comes back.
type tourist struct {
	*office
	jar  map[string]string
	next string // where the last way back led
	err  error
}

func (o *office) tourist() *tourist { return &tourist{office: o, jar: map[string]string{}} }

func (b *tourist) ask(t *testing.T, address string, do func(w http.ResponseWriter, r *http.Request)) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.RemoteAddr = "203.0.113.9:5000"
	for name, value := range b.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.door.Load(http.HandlerFunc(do)).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name != "" && (!c.HttpOnly || !c.Secure || c.Path != "/") {
			t.Errorf("the cookie %s is %+v", c.Name, c)
		}
		if b.jar[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.jar, c.Name)
		}
	}
}

// begin reports the address to which the visitor is sent.
func (b *tourist) begin(t *testing.T, next string) (address string) {
	t.Helper()
	b.ask(t, "https://jitney.example/login/provider", func(w http.ResponseWriter, r *http.Request) { address, b.err = b.provider.Begin(w, r, next) })
	return address
}

// away visits the provider, and reports where it sends the visitor back to.
func (b *tourist) away(t *testing.T, address string) (back string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusFound {
		t.Fatalf("the provider answers %d", a.StatusCode)
	}
	return a.Header.Get("Location")
}

func (b *tourist) finish(t *testing.T, back string) (person string) {
	t.Helper()
	b.ask(t, back, func(w http.ResponseWriter, r *http.Request) {
		b.next, b.err = b.provider.Finish(w, r)
		p, _ := b.door.Who(r.Context())
		person = p.ID
	})
	return person
}

// whole is a sign-in from end to end, in a new browser.
func (o *office) whole(t *testing.T) (person string, err error) {
	t.Helper()
	b := o.tourist()
	to := b.begin(t, "/grants")
	if b.err != nil {
		return "", b.err
	}
	person = b.finish(t, b.away(t, to))
	return person, b.err
}

func somebody(sub, mail string) map[string]any {
	return map[string]any{"sub": sub, "email": mail, "email_verified": true, "preferred_username": mail}
}

func TestSignInByAProvider(t *testing.T) {
	o := newOffice(t, "")
	o.sim.Visit(somebody("s-1", "Maya@MSP.example"))
	b := o.tourist()
	to := b.begin(t, "/grants?state=active")
	if strings.Contains(to, hiddenThing) {
		t.Error("the client secret is in the address")
	}
	back := b.away(t, to)
	if who := b.finish(t, back); who != "maya" || b.err != nil || b.next != "/grants?state=active" {
		t.Fatalf("%q, %v, on to %q", who, b.err, b.next)
	}
	if again := b.finish(t, back); b.err == nil || again != "maya" { // still in, by the session
		t.Errorf("one way back can be gone twice: %q, %v", again, b.err)
	}
	if len(o.linked) != 1 || o.linked[0].Subject != "s-1" || o.linked[0].Name != "Maya@MSP.example" {
		t.Errorf("%+v", o.linked)
	}
	o.sim.Visit(somebody("s-1", "maya.new@msp.example")) // known by the subject from now on
	if who, err := o.whole(t); who != "maya" || err != nil {
		t.Errorf("%q, %v", who, err)
	}
	if n := o.sim.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the provider was asked %d times about itself", n)
	}
	kinds := map[string]int{}
	for _, e := range o.events {
		kinds[e.Kind]++
		if e.Kind == EventSignedIn && !strings.Contains(e.Text, "by Example ID") {
			t.Errorf("%+v", e)
		}
	}
	if kinds[EventLinked] != 1 || kinds[EventSignedIn] != 2 {
		t.Errorf("events: %v", kinds)
	}
	if strings.Contains(o.logs.String(), hiddenThing) {
		t.Error("the client secret is in the log")
	}
}

func TestAProviderDoesNotLetIn(t *testing.T) {
	for name, c := range map[string]struct {
		claim string
		who   map[string]any
		spoil func(jwt.MapClaims)
		kind  access.Kind
		says  string
	}{
		"whom nobody added":                      {who: somebody("s-9", "eve@msp.example"), kind: access.Denied, says: "Nobody here has the sign-in name eve@msp.example."},
		"who was disabled":                       {who: somebody("s-2", "gone@msp.example"), kind: access.Denied, says: "Nobody here"},
		"who refuses there":                      {who: nil, kind: access.Denied, says: "did not let you in"},
		"whose address is not verified":          {who: map[string]any{"sub": "s-3", "email": maya}, kind: access.Denied, says: "verified"},
		"whose address was denied":               {who: map[string]any{"sub": "s-3", "email": maya, "email_verified": false}, kind: access.Denied, says: "verified"},
		"whose name holds what is no name":       {claim: "preferred_username", who: somebody("s-3", "maya@msp.example\u202e"), kind: access.Denied, says: "says no preferred_username"},
		"who has no name":                        {who: map[string]any{"sub": "s-3"}, kind: access.Denied, says: "says no email"},
		"by a token without a subject":           {who: somebody("", maya), kind: access.Unavailable},
		"by a token for another program":         {who: somebody("s-3", maya), spoil: func(c jwt.MapClaims) { c["aud"] = "wiki" }, kind: access.Unavailable},
		"by a token for us beside another":       {who: somebody("s-3", maya), spoil: func(c jwt.MapClaims) { c["aud"], c["azp"] = []string{"wiki", "jitney"}, "wiki" }, kind: access.Denied, says: "not meant for this sign-in"},
		"by a token of another issuer":           {who: somebody("s-3", maya), spoil: func(c jwt.MapClaims) { c["iss"] = "https://elsewhere.example" }, kind: access.Unavailable},
		"by a token that ran out":                {who: somebody("s-3", maya), spoil: func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() }, kind: access.Unavailable},
		"by a token of another sign-in":          {who: somebody("s-3", maya), spoil: func(c jwt.MapClaims) { c["nonce"] = "of another one" }, kind: access.Denied, says: "not meant for this sign-in"},
		"by a token that answers no sign-in":     {who: somebody("s-3", maya), spoil: func(c jwt.MapClaims) { delete(c, "nonce") }, kind: access.Denied, says: "not meant for this sign-in"},
		"whose name is another person's account": {who: somebody("s-4", "linked@msp.example"), kind: access.Denied, says: "linked to another account"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, c.claim)
			o.people["gone"] = access.Person{ID: "gone", Login: "gone@msp.example", DisabledAt: time.Now()}
			o.people["linked"] = access.Person{ID: "linked", Login: "linked@msp.example"}
			o.linked = []access.Identity{{Issuer: o.sim.Issuer, Subject: "s-other", Person: "linked"}}
			o.sim.Visit(c.who)
			o.sim.Spoil(c.spoil)
			who, err := o.whole(t)
			if who != "" || access.KindOf(err) != c.kind || c.says != "" && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q is in; %v", who, err)
			}
			if len(o.linked) != 1 || len(o.visits) != 0 {
				t.Errorf("linked: %+v, sessions: %v", o.linked, o.visits)
			}
		})
	}
}

func TestAWayBackThatWasNotBegunHere(t *testing.T) {
	o := newOffice(t, "")
	o.sim.Visit(somebody("s-1", maya))
	thief := o.tourist()
	back := thief.away(t, thief.begin(t, ""))
	victim := o.tourist() // whoever gets an address sent is not signed in as its sender
	for _, begun := range []bool{false, true} {
		if begun {
			victim.begin(t, "")
		}
		if who := victim.finish(t, back); who != "" || access.KindOf(victim.err) != access.Denied {
			t.Errorf("begun %v: %q, %v", begun, who, victim.err)
		}
	}
	if n := o.sim.Calls("/token"); n != 0 {
		t.Errorf("%d codes were sent to the provider", n)
	}
	mixed := o.tourist() // a code that another browser asked for
	mine, _ := url.Parse(mixed.away(t, mixed.begin(t, "")))
	theirs, _ := url.Parse(back)
	q := mine.Query()
	q.Set("code", theirs.Query().Get("code"))
	mine.RawQuery = q.Encode()
	if who := mixed.finish(t, mine.String()); who != "" || access.KindOf(mixed.err) != access.Unavailable {
		t.Errorf("%q, %v", who, mixed.err)
	}
}

func TestUnlinkedAndDisabledPeople(t *testing.T) {
	o := newOffice(t, "preferred_username")
	o.sim.Visit(somebody("s-1", maya))
	if who, err := o.whole(t); who != "maya" || err != nil {
		t.Fatalf("%q, %v", who, err)
	}
	ada := access.Person{ID: "ada", Login: "ada@msp.example", Roles: []access.Role{access.Administrator}}
	o.people["ada"], o.people["eve"] = ada, access.Person{ID: "eve", Login: "eve@msp.example", Roles: []access.Role{access.Approver}}
	if _, err := o.provider.Links(t.Context(), o.people["eve"], "maya"); access.KindOf(err) != access.NotFound {
		t.Errorf("who is no administrator sees links: %v", err)
	}
	if err := o.provider.Unlink(t.Context(), o.people["eve"], "maya"); access.KindOf(err) != access.NotFound || len(o.linked) != 1 {
		t.Errorf("who is no administrator unlinks: %v", err)
	}
	if links, err := o.provider.Links(t.Context(), ada, "maya"); len(links) != 1 || err != nil {
		t.Errorf("%+v, %v", links, err)
	}
	if err := o.provider.Unlink(t.Context(), ada, "maya"); err != nil || len(o.linked) != 0 {
		t.Errorf("%+v, %v", o.linked, err)
	}
	o.sim.Visit(somebody("s-2", maya)) // the account was made anew
	if who, err := o.whole(t); who != "maya" || err != nil {
		t.Errorf("%q, %v", who, err)
	}
	p := o.people["maya"]
	p.DisabledAt = time.Now()
	o.people["maya"] = p
	if who, err := o.whole(t); who != "" || access.KindOf(err) != access.Denied || !strings.Contains(err.Error(), "any more") {
		t.Errorf("%q, %v", who, err)
	}
}

func TestSilentProvider(t *testing.T) {
	o := newOffice(t, "")
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	p, err := NewProvider(o.door, ProviderConfig{Issuer: server.URL, ClientID: "jitney", Base: "https://jitney.example", Links: o})
	if err != nil {
		t.Fatal("that it does not answer keeps the server from starting:", err)
	}
	b := o.tourist()
	o.provider = p
	if to := b.begin(t, ""); to != "" || access.KindOf(b.err) != access.Unavailable {
		t.Errorf("%q, %v", to, b.err)
	}
}

func TestWrongProviders(t *testing.T) {
	for _, c := range []ProviderConfig{
		{Issuer: "http://login.example.net", ClientID: "jitney"}, {Issuer: "login.example.net", ClientID: "jitney"}, {Issuer: "https://login.example.net"},
		{Issuer: "https://login.microsoftonline.com/common/v2.0", ClientID: "jitney"}, {Issuer: "https://login.microsoftonline.com/organizations/v2.0", ClientID: "jitney"},
		{Issuer: "https://a:b@login.example.net", ClientID: "jitney"},
	} {
		if _, err := NewProvider(New(Config{}), c); err == nil || strings.Contains(err.Error(), "a:b") {
			t.Errorf("%s, %s: %v", c.Issuer, c.ClientID, err)
		}
	}
}

func TestPasswordsLetNobodyIn(t *testing.T) {
	h := newHouse(t)
	h.door = newDoor(Config{People: h, Sessions: h, Settings: h, Log: h, NoPasswords: true}, cost{cheapKiB, 1, 1})
	r := httptest.NewRequest(http.MethodPost, "/login", nil)
	if err := h.door.In(r, maya, secret.New(good)); access.KindOf(err) != access.Denied || len(h.visits) != 0 {
		t.Errorf("%v", err)
	}
}
