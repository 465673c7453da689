package aws

import (
	"net/url"
	"strings"
)

// A partition is one of the separate worlds of AWS, with its own names.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
type partition struct {
	name    string // in ARNs
	prefix  string // of its regions; empty: all that are in no other
	signIn  string // where browsers and getSigninToken go
	console string
	home    string // the region whose sign-in has no prefix
	unsure  bool   // its hosts were never tried by us
}

func partitions() []partition {
	return []partition{
		{name: "aws-cn", prefix: "cn-", signIn: "signin.amazonaws.cn", console: "console.amazonaws.cn", home: "cn-north-1"},
		{name: "aws-us-gov", prefix: "us-gov-", signIn: "signin.amazonaws-us-gov.com", console: "console.amazonaws-us-gov.com", home: "us-gov-west-1"},
		{name: "aws-eusc", prefix: "eusc-", signIn: "signin.amazonaws-eusc.eu", console: "console.amazonaws-eusc.eu", home: "eusc-de-east-1", unsure: true},
		{name: "aws", signIn: "signin.aws.amazon.com", console: "console.aws.amazon.com", home: "us-east-1"},
	}
}

// partitionOf is the partition in which a region lies.
func partitionOf(region string) (partition, bool) {
	if !regionForm().MatchString(region) || strings.Contains(region, "-iso") {
		return partition{}, false
	}
	for _, p := range partitions() {
		if strings.HasPrefix(region, p.prefix) {
			return p, true
		}
	}
	return partition{}, false
}

// host puts the region before one of the partition's hosts, except its home's.
func (p partition) host(name, region string) string {
	if region == "" || region == p.home {
		return name
	}
	return region + "." + name
}

// isConsole reports whether an address lies in the console of the partition,
// or of the simulation that stands in for it.
func (s *settings) isConsole(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || len(address) > maxField {
		return false
	}
	if u.Scheme == "https" && (u.Host == s.partition.console || strings.HasSuffix(u.Host, "."+s.partition.console)) {
		return true
	}
	own, err := url.Parse(s.endpoint)
	return s.endpoint != "" && err == nil && u.Scheme == own.Scheme && u.Host == own.Host && (u.Path == "/console" || strings.HasPrefix(u.Path, "/console/"))
}
