package aws

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"jitney/access"
	"jitney/secret"
)

// shortest is what AWS makes no shorter session than.
const shortest = 15 * time.Minute

// tokenLife is how long the proof of who Jitney is may be used.
const tokenLife = 5 * time.Minute

// A request is one for a session of a role.
type request struct {
	role    role
	name    string
	life    time.Duration
	policy  string
	limit   string // ARN of a policy that limits the session as well; may be empty
	tags    map[string]string
	source  string // source identity; empty means none
	foreign bool   // leave the external ID out, to see whether it is demanded
}

// assume asks STS for a session, in the way of the settings.
func (s *client) assume(ctx context.Context, q request) (issued, error) {
	if s.way == wayWeb {
		return s.assumeByToken(ctx, q)
	}
	api, err := s.caller(ctx)
	if err != nil {
		return issued{}, err
	}
	in := &sts.AssumeRoleInput{RoleArn: &q.role.arn, RoleSessionName: &q.name, DurationSeconds: sdk.Int32(int32(q.life / time.Second)), Policy: &q.policy}
	if !q.foreign {
		in.ExternalId = &s.external
	}
	if q.source != "" {
		in.SourceIdentity = &q.source
	}
	for _, k := range slices.Sorted(maps.Keys(q.tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: sdk.String(k), Value: sdk.String(q.tags[k])})
	}
	if q.limit != "" {
		in.PolicyArns = []types.PolicyDescriptorType{{Arn: &q.limit}}
	}
	out, err := api.AssumeRole(ctx, in)
	if err != nil {
		return issued{}, fault("sts:AssumeRole", err)
	}
	return keysOf(out.Credentials)
}

// assumeByToken proves who Jitney is with a token of its own issuer. The
// external ID is the token's subject: it does there what it does elsewhere.
func (s *client) assumeByToken(ctx context.Context, q request) (issued, error) {
	if s.opt.Issuer == nil {
		return issued{}, invalid("This server issues no tokens, so it cannot prove itself to AWS by a web identity.", "Set up its issuer, or choose another way in the target's settings.")
	}
	api, err := s.caller(ctx)
	if err != nil {
		return issued{}, err
	}
	subject := s.external
	if q.foreign {
		subject = "jitney-check-of-another-subject"
	}
	token, err := s.opt.Issuer.Mint(ctx, MintAsk{Audience: s.audience, Subject: subject, Tags: q.tags, SourceIdentity: q.source, Lifetime: tokenLife, Real: s.endpoint == ""})
	if err != nil {
		if _, ok := errors.AsType[*access.Error](err); ok {
			return issued{}, err
		}
		return issued{}, &access.Error{Kind: access.Unavailable, Text: "The token that proves Jitney to AWS could not be made.", Hint: "Jitney tries again by itself.", Err: err}
	}
	in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: &q.role.arn, RoleSessionName: &q.name, DurationSeconds: sdk.Int32(int32(q.life / time.Second)), Policy: &q.policy, WebIdentityToken: sdk.String(token.Reveal())}
	if q.limit != "" {
		in.PolicyArns = []types.PolicyDescriptorType{{Arn: &q.limit}}
	}
	out, err := api.AssumeRoleWithWebIdentity(ctx, in)
	if err != nil {
		return issued{}, fault("sts:AssumeRoleWithWebIdentity", err)
	}
	return keysOf(out.Credentials)
}

func keysOf(c *types.Credentials) (issued, error) {
	if c == nil || sdk.ToString(c.AccessKeyId) == "" || sdk.ToString(c.SecretAccessKey) == "" || sdk.ToString(c.SessionToken) == "" || c.Expiration == nil {
		return issued{}, errors.New("sts: the answer holds no keys")
	}
	return issued{id: *c.AccessKeyId, secret: secret.New(*c.SecretAccessKey), token: secret.New(*c.SessionToken), expires: c.Expiration.UTC()}, nil
}

// explainAssume says what a refused session of a role means, and what its
// trust policy must say.
func (s *client) explainAssume(err error, r role) error {
	if !isDenied(err) {
		return explain(err, "make a session of the role "+r.name)
	}
	out := &access.Error{Kind: access.Denied, Code: codeTrust, Err: err, Text: "AWS does not let Jitney make a session of the role " + r.name + "."}
	refused, _ := errors.AsType[*refusal](err)
	switch {
	case s.way == wayWeb:
		out.Hint = "Its trust policy must allow sts:AssumeRoleWithWebIdentity, sts:TagSession and sts:SetSourceIdentity to Jitney's OIDC provider, with this target's audience and its external ID as the subject."
	case strings.Contains(refused.message, "sts:TagSession"):
		out.Text = "The role " + r.name + " takes no session tags from Jitney."
		out.Hint = "Add sts:TagSession to the statement of its trust policy that names Jitney, and to Jitney's own policy."
	case strings.Contains(refused.message, "sts:SetSourceIdentity"):
		out.Text = "The role " + r.name + " takes no source identity from Jitney."
		out.Hint = "Add sts:SetSourceIdentity to the statement of its trust policy that names Jitney, and to Jitney's own policy."
	case strings.Contains(strings.ToLower(refused.message), "source identity"):
		out.Text = "Jitney's own credentials carry a source identity, which AWS does not let it change."
		out.Hint = "Give the server credentials without one."
	default:
		out.Hint = "Its trust policy must allow sts:AssumeRole to Jitney's principal with this target's external ID, and Jitney's own policy must allow it too; or the role does not exist."
	}
	return out
}
