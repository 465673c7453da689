package aws

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/aws"
	"jitney/sim/aws/model"
	"jitney/target"
)

var (
	_ target.System    = (*system)(nil)
	_ target.Sessioner = (*system)(nil)
	_ target.Limiter   = (*system)(nil)
	_ target.Tidier    = (*system)(nil)
	_ target.Checker   = (*system)(nil)
)

const (
	home  = "111122223333" // the account in which Jitney lives
	other = "444455556666" // the customer's
	extID = "7f3a9c51e2b84d06af19"
)

// A world is a customer's account with its roles, and Jitney with an access
// key in another one.
type world struct {
	*sim.Cloud
	t      testing.TB
	home   *sim.Account
	other  *sim.Account
	user   *sim.User
	broker sim.Keys
	boss   sim.Keys // of the customer's administrator
	tenant *sim.Role
	admin  *sim.Role
	values map[string]string
	opt    Options
	rough  bool // the test breaks AWS's descriptions on purpose
}

const brokerPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"*"}}`

const managerPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:GetRole","iam:UpdateRole","iam:ListRolePolicies","iam:GetRolePolicy","iam:PutRolePolicy","iam:DeleteRolePolicy"],"Resource":"*"}}`

const s3Policy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`

// trustOf is a trust policy for Jitney's account that admits some actions.
func trustOf(actions string) string {
	return `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + home + `:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"` + extID + `"}}}` + actions + `]}`
}

const alsoTags = `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + home + `:root"},"Action":["sts:TagSession","sts:SetSourceIdentity"]}`

func newWorld(t testing.TB, o sim.Options) *world {
	t.Helper()
	o.Check = model.Check
	w := &world{Cloud: sim.New(o), t: t}
	w.home, w.other = w.AddAccount(home, "msp"), w.AddAccount(other, "northwind")
	w.user = w.home.AddUser("jitney", brokerPolicy)
	w.broker = w.user.AddKey()
	w.tenant = w.other.AddRole(sim.RoleSpec{Name: "northwind-prod", Path: "/customers/", Description: "Production", Trust: trustOf(alsoTags), Policies: map[string]string{"s3": s3Policy}})
	w.admin = w.other.AddRole(sim.RoleSpec{Name: "Admin", MaxSession: 12 * time.Hour, Trust: trustOf(alsoTags), Managed: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}})
	w.other.AddRole(sim.RoleSpec{Name: "jitney", Trust: trustOf(""), Policies: map[string]string{"iam": managerPolicy}})
	w.other.AddBucket("northwind-logs", map[string]string{"readme.txt": "Logs\n"})
	w.values = map[string]string{fieldAccount: other, fieldRegion: "eu-west-1", fieldTenant: "customers/northwind-prod", fieldAdmin: "Admin", fieldWay: wayKeys,
		fieldKeyID: "AKIA" + w.broker.AccessKeyID[4:], fieldExternal: extID, fieldManager: "arn:aws:iam::" + other + ":role/jitney"}
	w.opt.Transport = w.Transport()
	t.Cleanup(func() { w.breaches() })
	return w
}

// breaches fails the test if a request or an answer broke AWS's descriptions.
func (w *world) breaches() {
	for _, err := range w.Breaches() {
		if w.rough {
			continue
		}
		w.t.Error(err)
	}
}

func (w *world) settings(change ...string) target.Settings {
	v := maps.Clone(w.values)
	for i := 0; i+1 < len(change); i += 2 {
		v[change[i]] = change[i+1]
	}
	return target.Settings{Values: v, Secrets: map[string]secret.Text{fieldSecret: w.broker.Secret}}
}

// open opens the target anew, with changed fields.
func (w *world) open(change ...string) *system {
	w.t.Helper()
	sys, err := Kind(w.opt).Open(context.Background(), "t1", w.settings(change...))
	if err != nil {
		w.t.Fatal(err)
	}
	return sys.(*system)
}

func account(id string) access.Account {
	return access.Account{ID: id, Customer: "Northwind GmbH & Co. #1", Target: "t1", Key: "g" + id, Holder: access.Holder{Person: "p1", Login: "ada.lovelace@msp.example", Name: "Ada"}}
}

const firstID = "abcdefghijklmnop2345"

func asked(d time.Duration) target.SessionAsk {
	return target.SessionAsk{Grant: "grant-1", Entitlement: Tenant, Until: time.Now().Add(d), Length: time.Hour}
}

// session issues one and writes it down as whoever keeps grants would.
func (w *world) session(sys *system, a *access.Account, ask target.SessionAsk) target.Keys {
	w.t.Helper()
	k, err := sys.Session(context.Background(), *a, ask)
	if err != nil {
		w.t.Fatal(text(err))
	}
	note(a, ask.Entitlement, k)
	return k
}

func note(a *access.Account, entitlement string, k target.Keys) {
	i := slices.IndexFunc(a.Issued, func(i access.Issued) bool { return i.Entitlement == entitlement })
	if i < 0 {
		a.Issued, i = append(a.Issued, access.Issued{Entitlement: entitlement}), len(a.Issued)
	}
	is := &a.Issued[i]
	is.Count++
	is.EndsAt, is.ExpiresAt = later(is.EndsAt, k.EndsAt), later(is.ExpiresAt, k.ExpiresAt)
}

func (w *world) observe(sys *system, a access.Account) access.Observation {
	w.t.Helper()
	o, err := sys.Observe(context.Background(), a)
	if err != nil {
		w.t.Fatal(text(err))
	}
	if o.At.IsZero() {
		w.t.Fatal("an observation without a time")
	}
	return o
}

func (w *world) remove(sys *system, a access.Account) {
	w.t.Helper()
	if err := sys.Remove(context.Background(), a); err != nil {
		w.t.Fatal(text(err))
	}
}

// settle removes and looks as a reconciler does, until a is clean.
func (w *world) settle(a access.Account, most time.Duration, change ...string) access.Observation {
	w.t.Helper()
	began := time.Now()
	for {
		sys := w.open(change...)
		o := w.observe(sys, a)
		if o.Clean() {
			for _, f := range o.Facts {
				if !f.Clean {
					w.t.Errorf("clean, but not by the fact %q: %s", f.Name, f.Found)
				}
			}
			return o
		}
		if time.Since(began) > most {
			w.t.Fatalf("not clean after %v: %+v", most, o)
		}
		if o.Settling == 0 {
			w.remove(sys, a)
			time.Sleep(time.Second)
			continue
		}
		time.Sleep(o.Settling)
	}
}

func text(err error) string {
	if e, ok := errors.AsType[*access.Error](err); ok {
		return string(e.Kind) + ": " + e.Text + " (" + e.Hint + ") " + e.Code + " " + errText(e.Err)
	}
	return errText(err)
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// works reports whether one can list buckets with keys.
func (w *world) works(k target.Keys) bool {
	w.t.Helper()
	cfg := w.config(k)
	_, err := iam.NewFromConfig(cfg).ListRoles(context.Background(), &iam.ListRolesInput{})
	return err == nil || w.lists(k)
}

func (w *world) config(k target.Keys) sdk.Config {
	return sdk.Config{Region: "eu-west-1", HTTPClient: &http.Client{Transport: w.Transport()}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(k.ID, k.Secret.Reveal(), k.Token.Reveal())}
}

// browse opens an address as a browser would, and reports where it is sent.
func (w *world) browse(address string) (status int, location string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, http.NoBody)
	if err != nil {
		w.t.Fatal("the address cannot be opened")
	}
	resp, err := w.Transport().RoundTrip(req)
	if err != nil {
		w.t.Fatal("the address cannot be opened")
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}
