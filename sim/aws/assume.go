package aws

import (
	"bytes"
	"compress/flate"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxSessionPolicy is how many characters session policies may have, all of them together.
const maxSessionPolicy = 2048

// A request for a session of a role, from whichever operation.
type assumption struct {
	role       *Role
	state      *roleState
	name       string
	policies   []*document
	tags       map[string]string // asked for
	keep       map[string]string // that came with the caller's session and pass on
	transitive []string
	source     string
	packed     int // per cent
	life       time.Duration
}

// An assumer is a request for a session of a role.
type assumer struct{ *exchange }

func assumeRole(e *exchange) ([]node, *failure) {
	x := assumer{e}
	arn := x.str("RoleArn")
	a, f := x.assumption()
	if f != nil {
		return nil, f
	}
	a.tags, f = x.tags()
	if f != nil {
		return nil, f
	}
	a.source, a.transitive = x.str("SourceIdentity"), x.all("TransitiveTagKeys", "")
	if f := a.inherit(x.who); f != nil {
		return nil, f
	}
	if a.role, a.state = findRole(x.exchange, arn); a.role == nil || a.state == nil {
		return nil, denial(x.who, "sts:AssumeRole", arn, "")
	}
	facts := x.assumeFacts(a)
	actions := []string{"sts:AssumeRole"}
	if len(a.tags)+len(a.keep) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.source != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		if !x.trusted(a, facts, action) {
			return nil, denial(x.who, action, arn, "")
		}
	}
	chained := x.who.role != nil
	if f := a.settle(x, chained); f != nil {
		return nil, f
	}
	return x.session(a, &principal{how: "AssumeRole", chained: chained}), nil
}

// assumption reads what both ways of assuming a role have: name and session policies.
func (x assumer) assumption() (*assumption, *failure) {
	a := &assumption{name: x.str("RoleSessionName")}
	text, arns := x.str("Policy"), x.all("PolicyArns", "arn")
	if n := utf8.RuneCountInString(text + strings.Join(arns, "")); n > maxSessionPolicy {
		return nil, validation("The session policies have %d characters together; they may have %d.", n, maxSessionPolicy) // the text is a guess
	}
	if text != "" {
		d, err := parse(text, sessionPolicy)
		if err != nil {
			return nil, malformedPolicy(err)
		}
		a.policies = append(a.policies, d)
	}
	for _, arn := range arns {
		d := x.cloud.managed[arn]
		if d == nil {
			return nil, malformedPolicy(malformed("The policy " + arn + " does not exist or is not attachable.")) // the text is a guess
		}
		a.policies = append(a.policies, d)
	}
	return a, nil
}

// tags reads the session tags of a form.
func (x assumer) tags() (map[string]string, *failure) {
	keys, out := x.all("Tags", "Key"), map[string]string{}
	vals := x.all("Tags", "Value")
	if len(keys) != len(vals) {
		return nil, validation("1 validation error detected: Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null")
	}
	seen := map[string]bool{}
	for i, k := range keys {
		low := strings.ToLower(k)
		if seen[low] {
			return nil, &failure{Status: 400, Code: "InvalidParameterValue", Message: "Duplicate tag keys found. Please note that Tag keys are case insensitive."}
		}
		if strings.HasPrefix(low, "aws:") {
			return nil, &failure{Status: 400, Code: "InvalidParameterValue", Message: "Tag keys may not start with aws:."} // the text is a guess
		}
		seen[low], out[k] = true, vals[i]
	}
	return out, nil
}

// inherit adds what stays with a session that is made from another.
func (a *assumption) inherit(who *principal) *failure {
	if strings.HasPrefix(strings.ToLower(a.source), "aws:") {
		return validation("1 validation error detected: Value '%s' at 'sourceIdentity' failed to satisfy constraint: Member must not start with aws:", a.source)
	}
	if who.source != "" && a.source != "" && a.source != who.source {
		return &failure{Status: 403, Code: "AccessDenied", Message: "The source identity of a session cannot be changed."} // the text is a guess
	}
	if a.source == "" {
		a.source = who.source
	}
	a.keep = map[string]string{}
	for _, k := range who.transitive {
		for asked := range a.tags {
			if strings.EqualFold(asked, k) {
				return &failure{Status: 400, Code: "InvalidParameterValue", Message: "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."}
			}
		}
		a.keep[k] = who.tags[k]
	}
	for _, k := range a.transitive {
		if _, ok := a.tags[k]; !ok {
			return &failure{Status: 400, Code: "InvalidParameterValue", Message: "The specified transitive tag key must be included in the requested tags."}
		}
	}
	a.transitive = append(a.transitive, who.transitive...)
	return nil
}

// assumeFacts are what a trust policy's conditions, and the caller's own, may ask about a request for a session.
func (x assumer) assumeFacts(a *assumption) facts {
	var f facts
	if x.who != nil {
		f = x.who.facts(x.exchange)
	} else {
		f = x.facts()
	}
	f.maybe("sts:ExternalId", x.str("ExternalId"))
	f.set("sts:RoleSessionName", a.name)
	f.maybe("sts:DurationSeconds", x.str("DurationSeconds"))
	f.maybe("sts:SourceIdentity", a.source)
	keys := []string{}
	for k, v := range a.tags {
		f.set("aws:RequestTag/"+k, v)
		keys = append(keys, k)
	}
	if len(keys) > 0 {
		slices.Sort(keys)
		f.set("aws:TagKeys", keys...)
	}
	if len(a.transitive) > 0 {
		f.set("sts:TransitiveTagKeys", a.transitive...)
	}
	for k, v := range a.state.tags {
		f.set("aws:ResourceTag/"+k, v)
		f.set("iam:ResourceTag/"+k, v)
	}
	return f
}

// trusted asks the role's trust policy and the caller's own policies. Within an account either may be enough; between
// accounts both must agree.
func (x assumer) trusted(a *assumption, f facts, action string) bool {
	arn := a.role.ARN()
	own := x.who.judge(x.now, f, action, arn)
	how := a.state.trust.ask(f, action, x.who.is)
	switch {
	case own.denied || how == forbids || how == trustsNot:
		return false
	case x.who.account == a.role.account && how == trustsSelf:
		return x.who.policies == nil || allowed(x.who.policies, f, action, arn)
	}
	return own.allowed
}

// settle decides how long the session may last, and whether what it carries fits.
func (a *assumption) settle(x assumer, chained bool) *failure {
	a.life = time.Duration(x.num("DurationSeconds", 3600)) * time.Second
	switch {
	case chained && a.life > time.Hour:
		return validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case a.life > a.state.max:
		return validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	a.packed = a.pack(x.cloud.opt.Packed)
	if a.packed > 100 {
		return &failure{Status: 400, Code: "PackedPolicyTooLarge", Message: "Packed size of session policies and session tags consumes " + strconv.Itoa(a.packed) + "% of allotted space."}
	}
	return nil
}

// pack is the size of session policies and tags in per cent of what there is room for. How AWS packs is not known.
func (a *assumption) pack(room int) int {
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestCompression) // fails only for a level that is none
	size := 0
	add := func(text string) {
		size += len(text)
		_, _ = w.Write([]byte(text)) // a Buffer never fails
	}
	for _, d := range a.policies {
		add(strings.Join(strings.Fields(d.text), ""))
	}
	for _, k := range slices.Sorted(maps.Keys(a.tags)) {
		add(k + "=" + a.tags[k])
	}
	_ = w.Close()
	if size == 0 {
		return 0
	}
	return (packed.Len()*100 + room - 1) / room
}

// session makes the session and tells about it.
func (x assumer) session(a *assumption, who *principal) []node {
	who.account, who.role, who.session = a.role.account, a.role, a.name
	who.policies, who.source, who.transitive = a.policies, a.source, a.transitive
	who.tags = maps.Clone(a.keep)
	if who.tags == nil {
		who.tags = map[string]string{}
	}
	maps.Copy(who.tags, a.tags)
	out := []node{
		issue(x.exchange, who, a.life),
		group("AssumedRoleUser", leaf("AssumedRoleId", who.userID()), leaf("Arn", who.ARN())),
	}
	if a.packed > 0 {
		out = append(out, number("PackedPolicySize", a.packed))
	}
	if a.source != "" {
		out = append(out, leaf("SourceIdentity", a.source))
	}
	return out
}
