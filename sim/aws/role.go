package aws

import (
	"maps"
	"slices"
	"strings"
	"time"

	"jitney/secret"
)

// RoleSpec says what role to add. Trust and the inline Policies, by name, are JSON; Managed are ARNs of AWS's own policies.
type RoleSpec struct {
	Name        string
	Path        string // empty is /
	Description string
	Trust       string
	Policies    map[string]string
	Managed     []string
	MaxSession  time.Duration // 0 is one hour
	Tags        map[string]string
}

// Role is an IAM role. What it allows is looked up as of a time, for changes take a while to count.
type Role struct {
	account        *Account
	Name, ID, Path string
	created        time.Time
	versions       []roleState // oldest first
}

// A roleState is all of a role that can change. It is never changed itself.
type roleState struct {
	counts, shows time.Time // when it takes effect, and when reads see it
	gone          bool
	trust         *document
	inline        map[string]*document
	managed       []string
	description   string
	max           time.Duration
	tags          map[string]string
}

// AddRole adds a role that counts at once. It panics if the name is taken or a policy is malformed.
func (a *Account) AddRole(s RoleSpec) *Role {
	c := a.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.role(s.Name, c.Now()) != nil {
		panic("aws: role " + s.Name + " is there already")
	}
	if s.Path == "" {
		s.Path = "/"
	}
	if s.MaxSession == 0 {
		s.MaxSession = time.Hour
	}
	state := roleState{
		trust: mustParse(s.Trust, trustPolicy), inline: map[string]*document{}, managed: s.Managed,
		description: s.Description, max: s.MaxSession, tags: maps.Clone(s.Tags),
	}
	for name, text := range s.Policies {
		state.inline[name] = mustParse(text, identityPolicy)
	}
	r := &Role{account: a, Name: s.Name, Path: s.Path, ID: newID("AROA", 17), created: c.Now(), versions: []roleState{state}}
	a.roles[s.Name] = r
	return r
}

// ARN is the role's.
func (r *Role) ARN() string {
	return r.account.arn(serviceIAM, "role"+r.Path+r.Name)
}

// Instance makes keys for the role as a machine gets them that runs under it: a session nobody assumed.
func (r *Role) Instance(machine string, d time.Duration) Keys {
	c := r.account.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	return c.grant(&principal{account: r.account, role: r, session: machine, how: byInstance, issued: now, expires: now.Add(d)}, now.Add(d))
}

// Policies are the role's inline policies as IAM holds them now, JSON by name; nil if the role is gone.
func (r *Role) Policies() map[string]string {
	c := r.account.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	s := r.newest()
	if s.gone {
		return nil
	}
	out := map[string]string{}
	for name, d := range s.inline {
		out[name] = d.text
	}
	return out
}

// Session is one set of role keys that has not expired.
type Session struct {
	AccessKeyID    string
	Role           string // ARN
	Name           string
	SourceIdentity string
	Issued         time.Time
	Expires        time.Time
	Keys           Keys // for invariants of tests: what would these keys still do?
}

// Sessions are the role's sessions whose keys have not expired, oldest first. AWS has no such list.
func (r *Role) Sessions() []Session {
	c := r.account.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Session
	for _, k := range c.keys {
		if k.who.role != r || k.expires.IsZero() || !k.expires.After(c.Now()) {
			continue
		}
		out = append(out, Session{
			AccessKeyID: k.id, Role: r.ARN(), Name: k.who.session, SourceIdentity: k.who.source, Issued: k.who.issued, Expires: k.expires,
			Keys: Keys{AccessKeyID: k.id, Secret: secret.New(k.secret), SessionToken: secret.New(k.token), Expires: k.expires},
		})
	}
	slices.SortFunc(out, func(a, b Session) int {
		if n := a.Issued.Compare(b.Issued); n != 0 {
			return n
		}
		return strings.Compare(a.AccessKeyID, b.AccessKeyID)
	})
	return out
}

// role finds a role as reads see it at a time; nil if there is none.
func (a *Account) role(name string, now time.Time) *Role {
	for _, r := range a.roles {
		if s := r.visible(now); strings.EqualFold(r.Name, name) && s != nil {
			return r
		}
	}
	return nil
}

// effective is what counts of the role at a time; nil if it does not count (yet, or any more).
func (r *Role) effective(now time.Time) *roleState {
	return r.as(now, func(s roleState) time.Time { return s.counts })
}

// visible is what reads of IAM show of the role at a time; nil if they do not.
func (r *Role) visible(now time.Time) *roleState {
	return r.as(now, func(s roleState) time.Time { return s.shows })
}

func (r *Role) as(now time.Time, from func(roleState) time.Time) *roleState {
	for i := len(r.versions) - 1; i >= 0; i-- {
		if !from(r.versions[i]).After(now) {
			if r.versions[i].gone {
				return nil
			}
			return &r.versions[i]
		}
	}
	return nil
}

// newest is the state that a write starts from.
func (r *Role) newest() roleState { return r.versions[len(r.versions)-1] }

// change makes a new state out of the newest. States that nobody can ask for any more are forgotten.
func (r *Role) change(f func(*roleState)) {
	c, now := r.account.cloud, r.account.cloud.Now()
	s := r.newest()
	s.inline, s.tags, s.managed = maps.Clone(s.inline), maps.Clone(s.tags), slices.Clone(s.managed)
	f(&s)
	s.counts, s.shows = now.Add(c.delay), now.Add(c.late)
	old := 0
	for i := range r.versions {
		if !r.versions[i].counts.After(now) && !r.versions[i].shows.After(now) {
			old = i
		}
	}
	r.versions = append(slices.Clone(r.versions[old:]), s)
}

// documents are the role's identity-based policies.
func (s *roleState) documents(c *Cloud) []*document {
	out := slices.Collect(maps.Values(s.inline))
	for _, arn := range s.managed {
		if d := c.managed[arn]; d != nil {
			out = append(out, d)
		}
	}
	return out
}

// managedPolicies are those of AWS's own policies that the simulation has, by ARN.
func managedPolicies(p partition) map[string]*document {
	out := map[string]*document{}
	for name, statement := range map[string]string{
		"AdministratorAccess":    `"Action":"*"`,
		"PowerUserAccess":        `"NotAction":["iam:*","organizations:*","account:*"]`,
		"ReadOnlyAccess":         `"Action":["s3:Get*","s3:List*","iam:Get*","iam:List*","iam:Simulate*","sts:GetAccessKeyInfo"]`,
		"AmazonS3ReadOnlyAccess": `"Action":["s3:Get*","s3:List*"]`,
		"AmazonS3FullAccess":     `"Action":"s3:*"`,
		"IAMFullAccess":          `"Action":"iam:*"`,
	} {
		out["arn:"+p.Name+":iam::aws:policy/"+name] = mustParse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+statement+`,"Resource":"*"}]}`, identityPolicy)
	}
	return out
}
