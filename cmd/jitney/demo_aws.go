package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"jitney/broker"
	"jitney/secret"
	"jitney/sim/aws"
)

// The simulated AWS account of the demonstration. The external ids are the
// same at each start, so that kept targets stay valid; nothing but the
// simulation knows them.
const (
	demoAccount  = "402177831190"
	demoRegion   = "eu-west-2"
	demoExternal = "demonstration-of-jitney-2f1c9a77-" // and the role
	demoAdmin    = "kestrel-admin"
)

// demoCloud is a simulated AWS account with a role for each tenant.
type demoCloud struct {
	server *aws.Server
	keys   aws.Keys // of Jitney's own user
}

// startDemoCloud starts the account with the tenants of customers, and a
// bucket for each with something to list.
func startDemoCloud(ctx context.Context, customers []demoCustomer) (*demoCloud, error) {
	cloud := aws.New(aws.Options{Delay: 2 * time.Second, ReadDelay: time.Second})
	account := cloud.AddAccount(demoAccount, "kestrel")
	user := account.AddUser("jitney", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"},
{"Effect":"Allow","Action":["iam:GetRole","iam:UpdateRole","iam:ListRolePolicies","iam:GetRolePolicy","iam:PutRolePolicy","iam:DeleteRolePolicy"],"Resource":"arn:aws:iam::`+demoAccount+`:role/kestrel-*"}]}`)
	trust := func(external string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + user.ARN() + `"},
"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"sts:ExternalId":[` + external + `]}}}}`
	}
	var every []string
	for _, c := range customers {
		if c.aws == "" {
			continue
		}
		bucket, external := c.aws+"-files", strconv.Quote(demoExternal+c.aws)
		every = append(every, external)
		account.AddBucket(bucket, map[string]string{"hello.txt": "This is " + c.name + ".\n", "logs/today.log": "nothing happened\n"})
		account.AddRole(aws.RoleSpec{Name: c.aws, Trust: trust(external), MaxSession: 4 * time.Hour, Policies: map[string]string{"tenant": fmt.Sprintf(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::%s","arn:aws:s3:::%s/*"]},{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`, bucket, bucket)}})
	}
	account.AddRole(aws.RoleSpec{Name: demoAdmin, Trust: trust(strings.Join(every, ",")), Policies: map[string]string{"admin": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}})
	server, err := cloud.Serve(ctx)
	if err != nil {
		return nil, failed("start the simulated AWS", err)
	}
	return &demoCloud{server: server, keys: user.AddKey()}, nil
}

// target is what an administrator would enter to connect the tenant role.
func (d *demoCloud) target(role string) broker.TargetInput {
	return broker.TargetInput{Kind: "aws", Name: role,
		Values: map[string]string{"account": demoAccount, "region": demoRegion, "tenant_role": role, "admin_role": demoAdmin,
			"access": "Access key", "access_key_id": d.keys.AccessKeyID, "external_id": demoExternal + role, "endpoint": d.server.URL()},
		Secrets: map[string]secret.Text{"secret_access_key": d.keys.Secret}}
}

// welcome tells how to use keys.
func (d *demoCloud) welcome() string {
	return "The simulated AWS takes keys at " + d.server.URL() + ": aws --endpoint-url " + d.server.URL() + " s3 ls"
}
