package aws

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"slices"
	"time"

	"jitney/secret"
)

// Account is one AWS account.
type Account struct {
	cloud     *Cloud
	Number    string
	Alias     string
	users     map[string]*User
	roles     map[string]*Role
	providers map[string]*provider // by issuer without https://
}

// User is an IAM user of an account, with a name and inline policies.
type User struct {
	account  *Account
	Name, ID string
	policies map[string]*document
}

// Keys are credentials as a client holds them.
type Keys struct {
	AccessKeyID  string
	Secret       secret.Text
	SessionToken secret.Text // zero for keys that last
	Expires      time.Time   // zero for keys that last
}

// credential is what the cloud knows of keys.
type credential struct {
	id, secret, token string
	expires           time.Time // zero: never
	who               *principal
	disabled          bool
}

// A principal is who makes requests: a user, or a session of a role or of a user.
type principal struct {
	account    *Account
	user       *User
	role       *Role
	session    string // the role session's name
	how        string // the operation that made the session; empty for lasting keys
	chained    bool   // made with the keys of another role session
	issued     time.Time
	expires    time.Time
	policies   []*document // of the session; nil: none
	tags       map[string]string
	transitive []string
	source     string            // source identity
	federated  map[string]string // condition keys that came with a web identity
}

// The ways to a session that are not operations of STS.
const byInstance = "instance"

// ARN names the principal as GetCallerIdentity does.
func (p *principal) ARN() string {
	if p.role != nil {
		return p.account.arn(serviceSTS, "assumed-role/"+p.role.Name+"/"+p.session)
	}
	return p.user.ARN()
}

// userID is the value of aws:userid.
func (p *principal) userID() string {
	if p.role != nil {
		return p.role.ID + ":" + p.session
	}
	return p.user.ID
}

// identity is the ARN of what carries the permissions.
func (p *principal) identity() string {
	if p.role != nil {
		return p.role.ARN()
	}
	return p.user.ARN()
}

// documents are the identity-based policies that count at a time.
func (p *principal) documents(now time.Time) []*document {
	if p.user != nil {
		return slices.Collect(maps.Values(p.user.policies))
	}
	s := p.role.effective(now)
	if s == nil {
		return nil
	}
	return s.documents(p.account.cloud)
}

func (a *Account) arn(service, rest string) string {
	return "arn:" + a.cloud.partition.Name + ":" + service + "::" + a.Number + ":" + rest
}

// ARN is the user's.
func (u *User) ARN() string { return u.account.arn(serviceIAM, "user/"+u.Name) }

// AddUser adds an IAM user with inline policies, in JSON. It panics if the name is taken or a policy is malformed.
func (a *Account) AddUser(name string, policies ...string) *User {
	a.cloud.mu.Lock()
	defer a.cloud.mu.Unlock()
	if a.users[name] != nil {
		panic("aws: user " + name + " is there already")
	}
	u := &User{account: a, Name: name, ID: newID("AIDA", 17), policies: map[string]*document{}}
	for i, text := range policies {
		u.policies[string(rune('a'+i))] = mustParse(text, identityPolicy)
	}
	a.users[name] = u
	return u
}

// AddKey makes keys for the user that last until the process ends.
func (u *User) AddKey() Keys {
	c := u.account.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grant(&principal{account: u.account, user: u}, time.Time{})
}

// DisableKey makes keys useless, as someone else might do in IAM. Keys that are not there are left alone.
func (c *Cloud) DisableKey(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.keys[id]; k != nil {
		k.disabled = true
	}
}

// grant makes keys for a principal. The caller holds c.mu.
func (c *Cloud) grant(who *principal, expires time.Time) Keys {
	k := &credential{id: newID("AKIA", 16), secret: newSecret(30), who: who, expires: expires}
	if !expires.IsZero() {
		k.id, k.token = newID("ASIA", 16), "IQoJb3JpZ2luX2Vj"+newSecret(240)
	}
	c.keys[k.id] = k
	return Keys{AccessKeyID: k.id, Secret: secret.New(k.secret), SessionToken: secret.New(k.token), Expires: expires}
}

// newID makes an id of upper case letters and digits behind a prefix that tells what it names.
func newID(prefix string, n int) string { return prefix + rand.Text()[:n] }

// newSecret makes a secret of n random bytes, in base64.
func newSecret(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}
