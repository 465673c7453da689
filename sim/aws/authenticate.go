package aws

import (
	"crypto/subtle"
	"slices"
)

// authenticate finds out who signed a request, and refuses what AWS refuses. The caller holds the cloud's lock.
func (x *exchange) authenticate() *failure {
	s, f := readSignature(x.req)
	if f != nil {
		return f
	}
	if s == nil {
		if x.service == serviceS3 {
			return &failure{Status: 403, Code: "AccessDenied", Message: "Access Denied"}
		}
		return &failure{Status: 403, Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token"}
	}
	x.keyID = s.keyID
	key := x.cloud.keys[s.keyID]
	if key == nil || key.disabled || subtle.ConstantTimeCompare([]byte(key.token), []byte(s.token)) != 1 {
		return x.unknownKey(key)
	}
	if f := x.scoped(s); f != nil {
		return f
	}
	if f := s.timely(x.now, x.service); f != nil {
		return f
	}
	if !slices.Contains(s.signed, "host") || subtle.ConstantTimeCompare([]byte(s.compute(x.req, x.body, key.secret)), []byte(s.value)) != 1 {
		return mismatch("")
	}
	if !key.expires.IsZero() && !x.now.Before(key.expires) {
		if x.service == serviceS3 {
			return &failure{Status: 400, Code: "ExpiredToken", Message: "The provided token has expired."}
		}
		return &failure{Status: 403, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
	}
	if f := x.bodyAsSigned(); f != nil {
		return f
	}
	x.who, x.region = key.who, s.region
	return nil
}

// unknownKey is what AWS says about a key that is not there, or not with that session token.
func (x *exchange) unknownKey(key *credential) *failure {
	switch {
	case x.service == serviceS3 && key == nil:
		return &failure{Status: 403, Code: "InvalidAccessKeyId", Message: "The AWS Access Key Id you provided does not exist in our records."}
	case x.service == serviceS3:
		return &failure{Status: 400, Code: "InvalidToken", Message: "The provided token is malformed or otherwise invalid."}
	}
	return &failure{Status: 403, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."}
}

// scoped holds the signature's scope to the service that is asked, and to where.
func (x *exchange) scoped(s *signature) *failure {
	p := x.cloud.partition
	if s.service != x.service {
		return mismatch("Credential should be scoped to correct service: '" + x.service + "'. ")
	}
	regions := p.Regions
	switch {
	case x.service == serviceIAM && x.named:
		regions = []string{p.IAM} // at another endpoint, clients sign for whatever region they are set to
	case x.region != "":
		regions = []string{x.region}
	}
	if !slices.Contains(regions, s.region) {
		if x.service == serviceS3 {
			return &failure{Status: 400, Code: "AuthorizationHeaderMalformed", Message: "The authorization header is malformed; the region '" + s.region + "' is wrong; expecting '" + regions[0] + "'"}
		}
		return mismatch("Credential should be scoped to a valid region. ")
	}
	if s.day != s.at.UTC().Format("20060102") {
		return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + s.day + "' != '" + s.at.UTC().Format("20060102") + "'. ")
	}
	return nil
}

func mismatch(text string) *failure {
	if text == "" {
		text = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	}
	return &failure{Status: 403, Code: "SignatureDoesNotMatch", Message: text}
}
