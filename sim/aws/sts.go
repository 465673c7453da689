package aws

import (
	"strings"
	"time"
)

// stsOperations are the operations of STS.
func stsOperations() []*operation {
	assume := []field{
		{name: "RoleArn", required: true, min: 20, max: 2048, pattern: arnPattern},
		{name: "RoleSessionName", required: true, min: 2, max: 64, pattern: wordPattern},
		{name: "DurationSeconds", number: true, min: 900, max: 43200},
		{name: "Policy", min: 1, max: maxSessionPolicy, pattern: documentPattern},
		{name: "PolicyArns.member.N.arn", min: 20, max: 2048, pattern: arnPattern, list: 10},
	}
	return []*operation{
		{service: serviceSTS, name: "AssumeRole", own: true, do: assumeRole, fields: append(assume[:len(assume):len(assume)],
			field{name: "ExternalId", min: 2, max: 1224, pattern: externalIDPattern, hidden: true},
			field{name: "SourceIdentity", min: 2, max: 64, pattern: wordPattern},
			field{name: "Tags.member.N.Key", min: 1, max: 128, pattern: tagKeyPattern, list: 50},
			field{name: "Tags.member.N.Value", max: 256, pattern: tagValuePattern, list: 50},
			field{name: "TransitiveTagKeys.member.N", min: 1, max: 128, pattern: tagKeyPattern, list: 50},
			field{name: "SerialNumber", min: 9, max: 256, pattern: `[\w+=/:,.@-]*`},
			field{name: "TokenCode", min: 6, max: 6, pattern: `[\d]*`, hidden: true},
		)},
		{service: serviceSTS, name: "AssumeRoleWithWebIdentity", open: true, first: checkWebIdentity, do: assumeRoleWithWebIdentity, fields: append(assume[:len(assume):len(assume)],
			field{name: "WebIdentityToken", required: true, min: 4, max: 20000, hidden: true},
			field{name: "ProviderId", min: 4, max: 2048},
		)},
		{service: serviceSTS, name: "GetCallerIdentity", own: true, do: getCallerIdentity},
		{service: serviceSTS, name: "GetSessionToken", own: true, do: getSessionToken, fields: []field{
			{name: "DurationSeconds", number: true, min: 900, max: 129600},
			{name: "SerialNumber", min: 9, max: 256, pattern: `[\w+=/:,.@-]*`},
			{name: "TokenCode", min: 6, max: 6, pattern: `[\d]*`, hidden: true},
		}},
		{service: serviceSTS, name: "GetAccessKeyInfo", do: getAccessKeyInfo, fields: []field{
			{name: "AccessKeyId", required: true, min: 16, max: 128, pattern: `[\w]*`},
		}},
	}
}

// getCallerIdentity needs no permission, and no policy can forbid it.
func getCallerIdentity(x *exchange) ([]node, *failure) {
	return []node{leaf("Arn", x.who.ARN()), leaf("UserId", x.who.userID()), leaf("Account", x.who.account.Number)}, nil
}

func getSessionToken(x *exchange) ([]node, *failure) {
	if x.who.how != "" {
		return nil, &failure{Status: 403, Code: "AccessDenied", Message: "Cannot call GetSessionToken with session credentials"}
	}
	life := time.Duration(x.num("DurationSeconds", 43200)) * time.Second
	k := issue(x, &principal{account: x.who.account, user: x.who.user, how: "GetSessionToken"}, life)
	return []node{k}, nil
}

// getAccessKeyInfo finds only keys of the simulation; AWS reads the account out of the id itself.
func getAccessKeyInfo(x *exchange) ([]node, *failure) {
	k := x.cloud.keys[x.str("AccessKeyId")]
	if k == nil {
		return nil, &failure{Status: 403, Code: "AccessDenied", Message: "Access key not found"} // the text is a guess
	}
	return []node{leaf("Account", k.who.account.Number)}, nil
}

// issue makes the keys of a session, which begins now.
func issue(x *exchange, who *principal, life time.Duration) node {
	who.issued = x.now.Truncate(time.Second)
	who.expires = who.issued.Add(life)
	k := x.cloud.grant(who, who.expires)
	x.issued, x.effect = x.cloud.keys[k.AccessKeyID], true
	x.cloud.forget(x.now)
	return group("Credentials", leaf("AccessKeyId", k.AccessKeyID), leaf("SecretAccessKey", k.Secret.Reveal()),
		leaf("SessionToken", k.SessionToken.Reveal()), instant("Expiration", k.Expires))
}

// forget drops keys that have been dead for a day, once there are many; until then they are said to be expired.
func (c *Cloud) forget(now time.Time) {
	if len(c.keys)%1000 != 0 {
		return
	}
	for id, k := range c.keys {
		if !k.expires.IsZero() && k.expires.Before(now.Add(-24*time.Hour)) {
			delete(c.keys, id)
		}
	}
}

// findRole finds the role that an ARN names as it counts now; nil if there is none, or not yet.
func findRole(x *exchange, arn string) (*Role, *roleState) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] != x.cloud.partition.Name || parts[2] != serviceIAM {
		return nil, nil
	}
	a := x.cloud.accounts[parts[4]]
	if a == nil {
		return nil, nil
	}
	for _, r := range a.roles {
		if r.ARN() == arn {
			return r, r.effective(x.now)
		}
	}
	return nil, nil
}
