package aws

import (
	"context"
	"fmt"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"jitney/access"
)

// What AWS lets sessions of a role last.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html
const (
	leastLimit = time.Hour
	mostLimit  = 12 * time.Hour
	chainLimit = time.Hour // a session that was made from a session
)

// remembered is how long a limit that was read is believed.
const remembered = 5 * time.Minute

// A limit is how long sessions of a role may last, as it was read.
type limit struct {
	most time.Duration
	at   time.Time
}

// A memory holds what was learned about lengths, for some minutes.
type memory struct {
	mu      sync.Mutex
	limits  map[string]limit // of roles, by name
	chained time.Time        // until then Jitney's credentials are believed to be a role's
}

// known is the role's limit, if it was learned lately; else the most there is.
func (s *memory) known(r role, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.limits[r.name]; ok && now.Sub(l.at).Abs() < remembered {
		return l.most
	}
	return mostLimit
}

func (s *memory) learn(r role, most time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[r.name] = limit{most, time.Now()}
}

// chains reports whether Jitney's own credentials were lately found to be
// those of a role, so that AWS limits what it makes with them to an hour.
func (s *memory) chains(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.chained)
}

func (s *memory) learnChain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chained = time.Now().Add(remembered)
}

// getRole reads a role.
func (s *client) getRole(ctx context.Context, r role) (most time.Duration, trust string, about *string, err error) {
	api, err := s.rolesAPI(ctx)
	if err != nil {
		return 0, "", nil, err
	}
	out, err := api.GetRole(ctx, &iam.GetRoleInput{RoleName: &r.name})
	if err != nil {
		return 0, "", nil, fault("iam:GetRole", err)
	}
	if out.Role == nil {
		return 0, "", nil, &refusal{op: "iam:GetRole", code: "unreadable", status: 502}
	}
	if arn := sdk.ToString(out.Role.Arn); arn != r.arn {
		return 0, "", nil, &access.Error{Kind: access.Invalid, Text: "The account has a role " + r.name + ", but it is not the one of the target's settings.", Hint: "Write the role's whole ARN, with its path."}
	}
	most = time.Duration(sdk.ToInt32(out.Role.MaxSessionDuration)) * time.Second
	if most < leastLimit || most > mostLimit { // a role that never had one set
		most = leastLimit
	}
	return most, decoded(sdk.ToString(out.Role.AssumeRolePolicyDocument)), out.Role.Description, nil
}

// Longest reports how long sessions of an entitlement's role may last.
func (s *system) Longest(ctx context.Context, entitlement string) (time.Duration, error) {
	r, ok := s.find(entitlement)
	if !ok {
		return 0, unknown(entitlement)
	}
	most, _, _, err := s.getRole(ctx, r)
	if err != nil {
		return 0, explain(err, "read the role "+r.name)
	}
	s.learn(r, most)
	return most, nil
}

// SetLongest changes that, and reports what the role says afterwards. Reads of
// IAM lag, so it reads again for some seconds.
func (s *system) SetLongest(ctx context.Context, entitlement string, d time.Duration) (time.Duration, error) {
	r, ok := s.find(entitlement)
	switch {
	case !ok:
		return 0, unknown(entitlement)
	case !s.edit:
		return 0, &access.Error{Kind: access.Denied, Text: "Jitney may not edit the roles of this account.", Hint: "Change the role's maximum session duration in IAM, or let Jitney edit the roles in the target's settings."}
	case d < leastLimit || d > mostLimit || d%time.Second != 0:
		return 0, invalid("AWS lets the maximum of a role be between 1 and 12 hours.", "")
	}
	_, _, about, err := s.getRole(ctx, r)
	if err != nil {
		return 0, explain(err, "read the role "+r.name)
	}
	api, err := s.rolesAPI(ctx)
	if err != nil {
		return 0, explain(err, "change the role "+r.name)
	}
	// What an UpdateRole does not name is set back, so everything is named.
	in := &iam.UpdateRoleInput{RoleName: &r.name, Description: about, MaxSessionDuration: sdk.Int32(int32(d / time.Second))}
	if _, err := api.UpdateRole(ctx, in); err != nil {
		return 0, explain(fault("iam:UpdateRole", err), "change the role "+r.name)
	}
	var most time.Duration
	for try := range 5 {
		if err := sleep(ctx, time.Duration(try)*time.Second); err != nil {
			return most, explain(err, "read the role "+r.name)
		}
		if most, _, _, err = s.getRole(ctx, r); err != nil {
			return 0, explain(err, "read the role "+r.name)
		}
		if most == d {
			break
		}
	}
	s.learn(r, most)
	return most, nil
}

func unknown(entitlement string) error {
	return invalid(fmt.Sprintf("The target does not offer %q.", clip(entitlement, 40)), "")
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
