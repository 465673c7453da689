package aws

import (
	"slices"
	"strings"
)

// A partition is one of the separate worlds of AWS, with its own names.
type partition struct {
	Name    string // in ARNs
	IAM     string // the one region that signs for IAM
	Suffix  string // of the services' host names
	SignIn  string
	Console string
	Regions []string
}

// partitionOf finds a partition by name; an empty name is aws.
func partitionOf(name string) (partition, bool) {
	for _, p := range []partition{
		{
			Name: "aws", IAM: "us-east-1", Suffix: "amazonaws.com", SignIn: "signin.aws.amazon.com", Console: "console.aws.amazon.com",
			Regions: []string{
				"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2",
				"eu-west-3", "eu-north-1", "eu-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2", "ap-south-1", "sa-east-1",
			},
		},
		{
			Name: "aws-cn", IAM: "cn-north-1", Suffix: "amazonaws.com.cn", SignIn: "signin.amazonaws.cn", Console: "console.amazonaws.cn",
			Regions: []string{"cn-north-1", "cn-northwest-1"},
		},
		{
			Name: "aws-us-gov", IAM: "us-gov-west-1", Suffix: "amazonaws.com", SignIn: "signin.amazonaws-us-gov.com", Console: "console.amazonaws-us-gov.com",
			Regions: []string{"us-gov-west-1", "us-gov-east-1"},
		},
	} {
		if p.Name == name || name == "" {
			return p, true
		}
	}
	return partition{}, false
}

// The services of the simulation, as they stand in a signature's scope.
const (
	serviceSTS    = "sts"
	serviceIAM    = "iam"
	serviceS3     = "s3"
	serviceSignIn = "signin" // the federation endpoint; nobody signs for it
)

// place tells from a host name which service is meant, and for which region; service is empty if the host is none of AWS's.
func (p partition) place(host string) (service, region, bucket string) {
	if host == p.SignIn || strings.HasSuffix(host, "."+p.SignIn) {
		return serviceSignIn, "", ""
	}
	if host == p.Console || strings.HasSuffix(host, "."+p.Console) {
		return serviceSignIn, "", ""
	}
	name, ok := strings.CutSuffix(host, "."+p.Suffix)
	if !ok {
		return "", "", ""
	}
	labels := strings.Split(name, ".")
	last := len(labels) - 1
	if slices.Contains(p.Regions, labels[last]) && last > 0 {
		region, last = labels[last], last-1
	}
	switch labels[last] {
	case serviceSTS, serviceIAM:
		if last == 0 {
			return labels[0], region, ""
		}
	case serviceS3:
		return serviceS3, region, strings.Join(labels[:last], ".")
	}
	return "", "", ""
}

// global is the region that signs for a service's host without a region.
func (p partition) global(service string) string {
	if service == serviceIAM {
		return p.IAM
	}
	return p.Regions[0]
}
