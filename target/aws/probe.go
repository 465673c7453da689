package aws

import (
	"context"
	"crypto/rand"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/access"
)

// A verdict is what a try with keys of a session's name showed.
type verdict int

const (
	unclear verdict = iota // whether it is denied cannot be told by trying
	stillOpen
	closed
)

// How AWS ends the sentence about a refusal.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
const (
	byIdentity = "explicit deny in an identity-based policy"
	byAny      = "explicit deny"
	byNothing  = "because no "
)

// probe tries what sessions of a may still do: it makes one of the very same
// name, which the deny must hit too, and which may do nothing but be refused.
// Since a policy of the customer could deny the same, even to this person alone,
// it tries with a name that differs in the mark only as well: only a refusal
// that hits one name and not the other is proof. IAM answers from one region
// and STS from another, so both must refuse, if both can tell.
func (s *client) probe(ctx context.Context, r role, a access.Account) (verdict, string, error) {
	same, err := s.taster(ctx, r, a, sessionName(a))
	if err != nil {
		if isDenied(err) {
			return unclear, "the role is not given to Jitney any more, so it cannot try", nil
		}
		return unclear, "", err
	}
	var other *taster
	proved := false
	for _, bite := range bites() {
		how := bite(ctx, same)
		switch {
		case has(how, "NoSuchEntity"), how == nil:
			return stillOpen, "keys of its name still work", nil
		case !isDenied(how):
			return unclear, "", untried(how)
		case mentions(how, byIdentity):
		case mentions(how, byNothing) && !mentions(how, byAny):
			return stillOpen, "keys of its name are not denied yet", nil
		default:
			continue // something else denies this call to everyone
		}
		if other == nil {
			twin := a
			twin.ID = strings.ToLower(rand.Text())
			if other, err = s.taster(ctx, r, a, sessionName(twin)); isDenied(err) {
				return unclear, "the role is given to Jitney only under some names, so it cannot try with another one", nil
			} else if err != nil {
				return unclear, "", err
			}
		}
		if how = bite(ctx, other); how == nil || isDenied(how) && !mentions(how, byAny) && mentions(how, byNothing) {
			proved = true
		} else if !isDenied(how) {
			return unclear, "", untried(how)
		}
	}
	if proved {
		return closed, "a try with keys of the same name was denied explicitly, and one with another name was not", nil
	}
	return unclear, "policies of the account deny what Jitney could try to everyone", nil
}

// A taster holds keys that may do nothing but what is tried with them.
type taster struct {
	role role
	keys issued
	iam  *iam.Client
	sts  *sts.Client
}

func (s *client) taster(ctx context.Context, r role, a access.Account, name string) (*taster, error) {
	keys, err := s.assume(ctx, request{role: r, name: name, life: shortest, tags: tagsOf(a, ""), source: sourceIdentity(a), policy: policyText(
		statement{Effect: "Allow", Action: words{"iam:GetRole"}, Resource: words{r.arn}},
		statement{Effect: "Allow", Action: words{"sts:GetAccessKeyInfo"}, Resource: everything})})
	if err != nil {
		return nil, err
	}
	cfg, err := s.as(ctx, keys)
	if err != nil {
		return nil, err
	}
	return &taster{role: r, keys: keys, iam: iam.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg)}, nil
}

// bites are what is tried, harmless reads all of them.
func bites() []func(context.Context, *taster) error {
	return []func(context.Context, *taster) error{
		func(ctx context.Context, t *taster) error {
			_, err := t.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &t.role.name})
			return fault("iam:GetRole with keys of a session", err)
		},
		func(ctx context.Context, t *taster) error {
			_, err := t.sts.GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: sdk.String(t.keys.id)})
			return fault("sts:GetAccessKeyInfo with keys of a session", err)
		},
	}
}

// untried is the error of a try that failed in another way than by a refusal:
// keys that are some milliseconds old may not be known everywhere.
func untried(err error) error {
	return &access.Error{Kind: access.Unavailable, Text: "Whether the sessions are denied could not be tried.", Hint: "Jitney tries again by itself.", Err: err}
}
