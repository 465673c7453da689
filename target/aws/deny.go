package aws

import (
	"context"
	"net/url"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// maxPages bounds a list of a role's policies. Each page has a hundred, and a
// role has room for about eighty.
const maxPages = 20

// decoded takes a policy out of the form in which IAM's answers hold it.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
func decoded(text string) string {
	out, err := url.PathUnescape(text)
	if err != nil {
		return ""
	}
	return out
}

// A ledger keeps the denies on the account's roles.
type ledger struct{ *client }

// denies lists the inline policies of a role that are ours, by name only.
func (s ledger) denies(ctx context.Context, r role) (all []deny, err error) {
	api, err := s.rolesAPI(ctx)
	if err != nil {
		return nil, err
	}
	in := &iam.ListRolePoliciesInput{RoleName: &r.name}
	for range maxPages {
		out, err := api.ListRolePolicies(ctx, in)
		if err != nil {
			return nil, fault("iam:ListRolePolicies", err)
		}
		for _, name := range out.PolicyNames {
			if d, ok := parseDeny(name); ok {
				all = append(all, d)
			}
		}
		if !out.IsTruncated || sdk.ToString(out.Marker) == "" {
			return all, nil
		}
		in.Marker = out.Marker
	}
	return nil, &refusal{op: "iam:ListRolePolicies", code: "endless list", status: 502}
}

// readDeny fills in what a policy says; false if it is gone, or does not say
// what a deny of ours says.
func (s ledger) readDeny(ctx context.Context, r role, d *deny) (bool, error) {
	api, err := s.rolesAPI(ctx)
	if err != nil {
		return false, err
	}
	out, err := api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.name, PolicyName: &d.name})
	if err != nil {
		if err = fault("iam:GetRolePolicy", err); isGone(err) {
			return false, nil
		}
		return false, err
	}
	d.members = nil
	return d.read(decoded(sdk.ToString(out.PolicyDocument))), nil
}

// denyOf looks for the deny on a's sessions that stays at least until keys
// have gone: its own, or one that holds several.
func (s ledger) denyOf(ctx context.Context, r role, mark string, until time.Time) (deny, bool, error) {
	all, err := s.denies(ctx, r)
	if err != nil {
		return deny{}, false, err
	}
	return s.among(ctx, r, all, mark, until)
}

func (s ledger) among(ctx context.Context, r role, all []deny, mark string, until time.Time) (deny, bool, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(d deny) bool { return d.mark != "" && d.mark != mark || d.goes.Before(until.Truncate(time.Second)) })
	slices.SortFunc(all, func(a, b deny) int { return len(b.mark) - len(a.mark) }) // its own first
	for _, d := range all {
		good, err := s.readDeny(ctx, r, &d)
		if err != nil {
			return deny{}, false, err
		}
		if good && slices.Contains(d.members, mark) {
			return d, true, nil
		}
	}
	return deny{}, false, nil
}

// putDeny writes the deny of one account.
func (s ledger) putDeny(ctx context.Context, r role, name, mark string) error {
	return s.put(ctx, r, name, denyText(time.Now(), room, mark))
}

func (s ledger) put(ctx context.Context, r role, name, text string) error {
	api, err := s.rolesAPI(ctx)
	if err != nil {
		return err
	}
	_, err = api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &r.name, PolicyName: &name, PolicyDocument: &text})
	return fault("iam:PutRolePolicy", err)
}

func (s ledger) dropDeny(ctx context.Context, r role, name string) error {
	api, err := s.rolesAPI(ctx)
	if err != nil {
		return err
	}
	_, err = api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &r.name, PolicyName: &name})
	if err = fault("iam:DeleteRolePolicy", err); isGone(err) {
		return nil
	}
	return err
}
