package aws

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/access"
)

// Levels of findings.
const (
	levelOK      = "ok"
	levelInfo    = "info"
	levelWarning = "warning"
	levelError   = "error"
)

// A doctor collects what a check finds.
type doctor struct {
	*system
	findings []access.Finding
}

func (d *doctor) say(level, what, fix string) {
	d.findings = append(d.findings, access.Finding{Level: level, What: what, Fix: fix})
}

func (d *doctor) trouble(level string, err error) {
	if e, ok := errors.AsType[*access.Error](err); ok {
		d.say(level, e.Text, e.Hint)
	}
}

// Check tries what sessions and their end need, and changes nothing.
func (s *system) Check(ctx context.Context) ([]access.Finding, error) {
	d := &doctor{system: s}
	if !d.identity(ctx) {
		return d.findings, ctx.Err()
	}
	for _, r := range s.roles {
		if d.session(ctx, r) {
			d.enforced(ctx, r)
		}
		d.readRole(ctx, r)
		d.mayEnd(ctx, r)
	}
	d.clock()
	d.consoleReach(ctx)
	d.choices()
	return d.findings, ctx.Err()
}

// identity says who Jitney is to AWS; false if it is nobody.
func (d *doctor) identity(ctx context.Context) bool {
	if d.way == wayWeb {
		if d.opt.Issuer == nil {
			d.say(levelError, "This server issues no tokens, so it cannot prove itself to AWS by a web identity.", "Set up its issuer, or choose another way in the target's settings.")
			return false
		}
		return true
	}
	api, err := d.caller(ctx)
	if err != nil {
		d.trouble(levelError, explain(err, "find out who Jitney is"))
		return false
	}
	me, err := api.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		if off := d.wire.off(); off.Abs() >= maxSkew {
			err = skewed(off)
		}
		d.trouble(levelError, explain(fault("sts:GetCallerIdentity", err), "find out who Jitney is"))
		return false
	}
	arn, account := clip(sdk.ToString(me.Arn), 200), sdk.ToString(me.Account)
	d.say(levelOK, "To AWS, Jitney is "+arn+".", "")
	switch {
	case strings.Contains(arn, ":assumed-role/"):
		d.say(levelInfo, "These are a role's credentials: AWS may limit the sessions that they make to one hour.", "Use a web identity or an access key if sessions shall last longer.")
	case strings.HasSuffix(arn, ":root"):
		d.say(levelError, "These are the credentials of the account's root user, which can assume no role.", "Make an IAM user or a role for Jitney.")
	}
	if d.edit && d.manager.arn == "" && account != d.account {
		d.trouble(levelError, explain(d.atHome(ctx), "edit the roles"))
	}
	return true
}

// bareRequest is one for a session that is thrown away.
func bareRequest(r role) request {
	return request{role: r, name: "jitney-check-" + strings.ToLower(rand.Text()[:8]), life: shortest, policy: nothing()}
}

// session tries a session as people would get it; false if there is none at all.
func (d *doctor) session(ctx context.Context, r role) bool {
	q := bareRequest(r)
	q.tags, q.source = map[string]string{"jitney:person": "check", "jitney:customer": "check", "jitney:grant": "check"}, "jitney-check"
	keys, err := d.assume(ctx, q)
	if err == nil {
		d.rightAccount(ctx, r, keys)
		return true
	}
	d.trouble(levelError, d.explainAssume(err, r))
	if !isDenied(err) {
		return false
	}
	if _, bareErr := d.assume(ctx, bareRequest(r)); bareErr != nil {
		return false
	}
	d.say(levelInfo, "Without tags and source identity the role "+r.name+" is given.", "Add sts:TagSession and sts:SetSourceIdentity to the statement of its trust policy that names Jitney, and to Jitney's own policy.")
	return true
}

func (d *doctor) rightAccount(ctx context.Context, r role, k issued) {
	cfg, err := d.as(ctx, k)
	if err != nil {
		return
	}
	me, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}) // no policy can forbid it
	switch {
	case err != nil:
		d.trouble(levelWarning, explain(fault("sts:GetCallerIdentity", err), "try the keys of a session"))
	case sdk.ToString(me.Account) != d.account:
		d.say(levelError, "The role "+r.name+" leads into another account, "+clip(sdk.ToString(me.Account), 20)+".", "Check the account ID and the role in the target's settings.")
	default:
		d.say(levelOK, "A session of the role "+r.name+" in the account "+d.account+" was given, with tags and source identity.", "")
	}
}

// enforced looks whether the role is given without the external ID too.
func (d *doctor) enforced(ctx context.Context, r role) {
	q := bareRequest(r)
	q.foreign = true
	_, err := d.assume(ctx, q)
	what, where := "external ID", `"Condition": {"StringEquals": {"sts:ExternalId": "…"}}`
	if d.way == wayWeb {
		what, where = "subject", `"Condition": {"StringEquals": {"ISSUER:aud": "…", "ISSUER:sub": "…"}}`
	}
	switch {
	case err == nil:
		d.say(levelWarning, "The role "+r.name+" is given without this target's "+what+" too.", "Whoever can configure a target here could reach it through another one. Demand it in the trust policy: "+where+".")
	case isDenied(err), has(err, "InvalidIdentityToken"):
		d.say(levelOK, "The role "+r.name+" demands this target's "+what+".", "")
	default:
		d.trouble(levelWarning, explain(err, "try the role "+r.name+" without the "+what))
	}
}

// readRole looks at how long its sessions may last, and whom it trusts.
func (d *doctor) readRole(ctx context.Context, r role) {
	most, trust, _, err := d.getRole(ctx, r)
	if err != nil {
		d.trouble(levelWarning, explain(err, "read the role "+r.name))
		return
	}
	d.learn(r, most)
	d.say(levelInfo, fmt.Sprintf("Sessions of the role %s may last %s.", r.name, inWords(most)), "")
	if slices.Contains(trusted(trust), r.arn) {
		d.say(levelWarning, "The trust policy of the role "+r.name+" names the role itself: its sessions could renew themselves for ever.", "Take it out. Jitney denies sts:AssumeRole in the sessions that it makes, unless the settings admit it.")
	}
	if slices.Contains(trusted(trust), "*") {
		d.say(levelWarning, "The trust policy of the role "+r.name+" names everybody.", "Name Jitney's own principal.")
	}
}

// trusted are the principals of AWS's that a trust policy admits.
func trusted(trust string) (all []string) {
	type who struct {
		Effect    string          `json:"Effect"`
		Principal json.RawMessage `json:"Principal"`
	}
	var doc struct {
		Statement json.RawMessage `json:"Statement"`
	}
	var list []who
	if json.Unmarshal([]byte(trust), &doc) != nil {
		return nil
	}
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = make([]who, 1)
		_ = json.Unmarshal(doc.Statement, &list[0]) // one statement needs no list
	}
	for _, st := range list {
		var by struct {
			AWS words `json:"AWS"`
		}
		var any string
		switch {
		case st.Effect != "Allow":
		case json.Unmarshal(st.Principal, &any) == nil:
			all = append(all, any)
		case json.Unmarshal(st.Principal, &by) == nil:
			all = append(all, by.AWS...)
		}
	}
	return all
}

// mayEnd tries what ending a session needs, in ways that have no effect: a
// policy that is none, and the deletion of one that is not there. AWS asks
// whether one may before it looks at either.
func (d *doctor) mayEnd(ctx context.Context, r role) {
	if !d.edit {
		return
	}
	api, err := d.rolesAPI(ctx)
	if err != nil {
		d.trouble(levelError, explain(err, "edit the role "+r.name))
		return
	}
	const name = "jitney-check-of-nothing"
	_, list := api.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &r.name})
	_, get := api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.name, PolicyName: sdk.String(name)})
	_, put := api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &r.name, PolicyName: sdk.String(name), PolicyDocument: sdk.String("{}")})
	_, drop := api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &r.name, PolicyName: sdk.String(name)})
	bad := false
	for _, t := range []struct {
		op  string
		err error
	}{{"iam:ListRolePolicies", list}, {"iam:GetRolePolicy", get}, {"iam:PutRolePolicy", put}, {"iam:DeleteRolePolicy", drop}} {
		err := fault(t.op, t.err)
		if err == nil || isGone(err) || has(err, "MalformedPolicyDocument", "MalformedPolicy", "ValidationError") {
			continue
		}
		d.trouble(levelError, explainEnd(err, r))
		bad = true
		break
	}
	if !bad {
		d.say(levelOK, "Jitney may put the deny on the role "+r.name+" that ends sessions, read it, and take it off again.", "")
	}
}

func (d *doctor) clock() {
	switch off := d.wire.off(); {
	case off.Abs() >= maxSkew:
		d.trouble(levelError, skewed(off))
	case off.Abs() >= clocks:
		e, _ := errors.AsType[*access.Error](skewed(off))
		d.say(levelWarning, e.Text, e.Hint)
	}
}

// consoleReach asks the federation endpoint for a token for no session at all,
// which it must refuse.
func (d *doctor) consoleReach(ctx context.Context) {
	status, _, err := d.federation(ctx, d.region, url.Values{"Action": {"getSigninToken"}, "Session": {"{}"}})
	switch {
	case err != nil || status >= 500:
		d.say(levelWarning, "AWS's sign-in for consoles was not reached at "+d.signInHost(d.region)+".", "Keys can be used all the same. Let this server reach that address.")
	case status >= 400:
		d.say(levelOK, "AWS's sign-in for consoles answers.", "")
	default:
		d.say(levelWarning, "Something else than AWS's sign-in answers at "+d.signInHost(d.region)+".", "Check what stands between this server and AWS.")
	}
}

// choices says what the settings mean for the end.
func (d *doctor) choices() {
	if !d.edit {
		d.say(levelInfo, "Jitney may not edit the roles: a session works until the end that it was made with, even if its grant is ended early.", "Let Jitney edit the roles, if early ends shall count.")
	}
	if d.chain {
		d.say(levelWarning, "Sessions may assume roles: what they make in this way does not end with the grant.", "Deny it in the target's settings if nobody needs it.")
	}
	if d.partition.unsure {
		d.say(levelWarning, "The partition "+d.partition.name+" is new, and its console's addresses were never tried.", "Try the console before you rely on it.")
	}
	if d.endpoint != "" {
		d.say(levelInfo, "All of AWS's services are asked at "+d.endpoint+".", "")
	}
}
