package ad

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// pamFeature is the GUID of the optional feature Privileged Access Management,
// which memberships with a time to live need. Jitney never turns it on: that
// cannot be undone. [MS-ADTS] 3.1.1.9.2
const pamFeature = "ec43e873-cce8-4640-b4ab-07ffe4ab5bcd"

// hasTTL reports whether memberships can end by themselves: the server knows
// the control and the forest has the feature. Servers that know neither may
// ignore an unknown control silently, so both are read.
func (sv *server) hasTTL(ctx context.Context) (bool, error) {
	if !sv.controls[ldap.ControlTypeMicrosoftServerLinkTTL] {
		return false, nil
	}
	enabled, err := sv.read(ctx, "CN=Partitions,"+sv.config, nil, "msDS-EnabledFeature")
	if err != nil || enabled == nil {
		return false, err
	}
	for _, dn := range enabled.GetAttributeValues("msDS-EnabledFeature") {
		feature, err := sv.read(ctx, dn, nil, "msDS-OptionalFeatureGUID")
		if err != nil {
			return false, err
		}
		if feature == nil {
			continue
		}
		if guid, err := parseGUID(feature.GetRawAttributeValue("msDS-OptionalFeatureGUID")); err == nil && guid == pamFeature {
			return true, nil
		}
	}
	return false, nil
}

// memberUntil reads when acc's membership in the group ends by itself; zero if
// it does not.
func memberUntil(ctx context.Context, sv *server, acc *account, sid string) (time.Time, error) {
	values, err := sv.values(ctx, bySID(sid), "member", ldap.NewControlString(ldap.ControlTypeMicrosoftServerLinkTTL, true, ""))
	if err != nil {
		return time.Time{}, err
	}
	for _, v := range values {
		left, dn, ok := parseTTL(v)
		if ok && sameDN(dn, acc.dn) {
			return sv.now.Add(left), nil
		}
	}
	return time.Time{}, nil
}

// renew gives a membership that ends too early, too late or never its new end,
// in one change.
func (g *granting) renew(ctx context.Context, acc *account, sid string) error {
	ends, err := memberUntil(ctx, g.server, acc, sid)
	if err != nil || !ends.IsZero() && !ends.Before(g.until) && !ends.After(g.until.Add(grace+tolerance)) {
		return err
	}
	r := ldap.NewModifyRequest(bySID(sid), nil)
	r.Delete("member", []string{byGUID(acc.guid)})
	r.Add("member", []string{g.member(acc, true)})
	return g.modify(ctx, r)
}

// parseTTL reads a member as the control makes the server write it:
// <TTL=60,CN=…>, in some documents <TTL=60>,CN=….
func parseTTL(v string) (left time.Duration, dn string, ok bool) {
	rest, ok := strings.CutPrefix(v, "<TTL=")
	seconds, dn, cut := strings.Cut(strings.TrimSuffix(rest, ">"), ",")
	n, err := strconv.ParseInt(strings.TrimSuffix(seconds, ">"), 10, 64)
	if !ok || !cut || err != nil || n < 0 || n >= 1<<31 {
		return 0, "", false
	}
	return time.Duration(n) * time.Second, dn, true
}
