package aws

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A verdict is what policies say about one action on one resource.
type verdict struct {
	allowed bool
	denied  bool   // by a statement that says so
	why     string // how AWS ends its sentence if it is not allowed
}

// facts are what conditions may ask about a principal's request.
func (p *principal) facts(x *exchange) facts {
	f := x.facts()
	f.set("aws:PrincipalArn", p.identity())
	f.set("aws:PrincipalAccount", p.account.Number)
	f.set("aws:userid", p.userID())
	for k, v := range p.federated {
		f.set(k, v)
	}
	if p.user != nil {
		f.set("aws:username", p.user.Name)
		f.set("aws:PrincipalType", "User")
	} else {
		f.set("aws:PrincipalType", "AssumedRole")
		if s := p.role.newest(); !s.gone {
			for k, v := range s.tags {
				f.set("aws:PrincipalTag/"+k, v)
			}
		}
	}
	for k, v := range p.tags {
		f.set("aws:PrincipalTag/"+k, v)
	}
	f.maybe("aws:SourceIdentity", p.source)
	if p.how != "" {
		f.set("aws:TokenIssueTime", p.issued.UTC().Format(time.RFC3339))
		f.set("aws:MultiFactorAuthPresent", "false")
	}
	return f
}

// facts are what conditions may ask about any request.
func (x *exchange) facts() facts {
	f := facts{}
	f.set("aws:CurrentTime", x.now.UTC().Format(time.RFC3339Nano))
	f.set("aws:EpochTime", strconv.FormatInt(x.now.Unix(), 10))
	f.set("aws:SecureTransport", strconv.FormatBool(x.req.TLS != nil || x.req.URL.Scheme == "https"))
	f.maybe("aws:RequestedRegion", x.region)
	f.maybe("aws:UserAgent", x.req.UserAgent())
	if host, _, err := net.SplitHostPort(x.req.RemoteAddr); err == nil {
		f.set("aws:SourceIp", host)
	}
	return f
}

// judge asks the principal's own policies, and those of its session, about an action.
func (p *principal) judge(now time.Time, f facts, action, resource string) verdict {
	identity := p.documents(now)
	switch {
	case denied(identity, f, action, resource):
		return verdict{denied: true, why: "with an explicit deny in an identity-based policy"}
	case denied(p.policies, f, action, resource):
		return verdict{denied: true, why: "with an explicit deny in a session policy"}
	case !allowed(identity, f, action, resource):
		return verdict{why: fmt.Sprintf("because no identity-based policy allows the %s action", action)}
	case p.policies != nil && !allowed(p.policies, f, action, resource):
		return verdict{why: fmt.Sprintf("because no session policy allows the %s action", action)}
	}
	return verdict{allowed: true}
}

// may refuses, as AWS does, an action that the caller's policies do not allow.
func (x *exchange) may(action, resource string) *failure {
	v := x.who.judge(x.now, x.who.facts(x), action, resource)
	if v.allowed {
		return nil
	}
	return denial(x.who, action, resource, v.why)
}

// denial is AWS's sentence about what a principal may not do.
func denial(p *principal, action, resource, why string) *failure {
	text := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", p.ARN(), action, resource)
	if why != "" {
		text += " " + why
	}
	return &failure{Status: 403, Code: "AccessDenied", Message: text}
}

func denied(docs []*document, f facts, action, resource string) bool {
	return matches(docs, "Deny", f, action, resource)
}

func allowed(docs []*document, f facts, action, resource string) bool {
	return matches(docs, "Allow", f, action, resource)
}

func matches(docs []*document, effect string, f facts, action, resource string) bool {
	for _, d := range docs {
		for _, s := range d.statements {
			if s.Effect == effect && s.action(action) && s.resource(f, resource) && s.holds(f) {
				return true
			}
		}
	}
	return false
}

func (s *statement) action(action string) bool {
	named := func(list []string) bool {
		return slices.ContainsFunc(list, func(a string) bool { return like(strings.ToLower(action), strings.ToLower(a)) })
	}
	if s.NotAction != nil {
		return !named(s.NotAction)
	}
	return named(s.Action)
}

func (s *statement) resource(f facts, resource string) bool {
	named := func(list []string) bool {
		return slices.ContainsFunc(list, func(r string) bool {
			r, ok := f.expand(r)
			return ok && like(resource, r)
		})
	}
	if s.NotResource != nil {
		return !named(s.NotResource)
	}
	return named(s.Resource)
}

func (s *statement) holds(f facts) bool {
	return !slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.met(f) })
}

// trusts is what a trust policy says: nothing, that a whole account may decide for itself, or that it is this one.
type trusts int

const (
	trustsNot trusts = iota
	trustsAccount
	trustsSelf
	forbids
)

// ask asks a trust policy about an action of someone, named as is tells.
func (d *document) ask(f facts, action string, is func(kind, name string) trusts) trusts {
	best := trustsNot
	for _, s := range d.statements {
		how := s.about(is)
		if how == trustsNot || !s.action(action) || !s.holds(f) {
			continue
		}
		if s.Effect == "Deny" {
			return forbids
		}
		best = max(best, how)
	}
	return best
}

// about reports whether a statement names someone.
func (s *statement) about(is func(kind, name string) trusts) trusts {
	best := func(p principals) (how trusts) {
		for kind, names := range p {
			for _, n := range names {
				how = max(how, is(kind, n))
			}
		}
		return how
	}
	if s.NotPrincipal != nil {
		if best(s.NotPrincipal) == trustsNot {
			return trustsSelf
		}
		return trustsNot
	}
	return best(s.Principal)
}

// is tells how a trust policy's words name the principal.
func (p *principal) is(kind, name string) trusts {
	switch {
	case kind == "*", kind == "AWS" && name == "*":
		return trustsAccount
	case kind != "AWS":
		return trustsNot
	case name == p.ARN() || name == p.identity():
		return trustsSelf
	case name == p.account.Number || name == p.account.arn(serviceIAM, "root"):
		return trustsAccount
	}
	return trustsNot
}
