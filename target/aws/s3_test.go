package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jitney/secret"
	sim "jitney/sim/aws"
	"jitney/target"
)

// lists reports whether one can list the account's buckets with keys.
func (w *world) lists(k target.Keys) bool { return w.s3(k, http.MethodGet, "/", "") }

// writes reports whether one can put something into a bucket with keys.
func (w *world) writes(k target.Keys) bool {
	return w.s3(k, http.MethodPut, "/northwind-logs/new.txt", "new")
}

func (w *world) s3(k target.Keys, method, path, body string) bool {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "https://s3.eu-west-1.amazonaws.com"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := sdk.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret.Reveal(), SessionToken: k.Token.Reveal()}
	if err := signer.SignHTTP(context.Background(), creds, req, hash, "s3", "eu-west-1", w.Now().Truncate(time.Second)); err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.Transport().RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// assumeAgain makes a session of the admin role with keys of another session.
func (w *world) assumeAgain(k target.Keys) (*sts.AssumeRoleOutput, error) {
	w.assumable(w.admin.ARN())
	return sts.NewFromConfig(w.config(k)).AssumeRole(context.Background(), &sts.AssumeRoleInput{RoleArn: sdk.String(w.admin.ARN()), RoleSessionName: sdk.String("again")})
}

// assumable lets the admin role trust a principal as well.
func (w *world) assumable(by string) {
	w.edit(func(api *iam.Client) error {
		_, err := api.UpdateAssumeRolePolicy(context.Background(), &iam.UpdateAssumeRolePolicyInput{RoleName: sdk.String("Admin"), PolicyDocument: sdk.String(trustOf(alsoTags +
			`,{"Effect":"Allow","Principal":{"AWS":"` + by + `"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]}`))})
		return err
	})
}

// trust changes whom the tenant role trusts.
func (w *world) trust(policy string) {
	w.edit(func(api *iam.Client) error {
		_, err := api.UpdateAssumeRolePolicy(context.Background(), &iam.UpdateAssumeRolePolicyInput{RoleName: sdk.String("northwind-prod"), PolicyDocument: &policy})
		return err
	})
}

// edit does something as an administrator of the customer.
func (w *world) edit(do func(api *iam.Client) error) {
	w.t.Helper()
	if w.boss.AccessKeyID == "" {
		w.boss = w.other.AddUser("boss", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`).AddKey()
	}
	if err := do(iam.NewFromConfig(w.config(target.Keys{ID: w.boss.AccessKeyID, Secret: w.boss.Secret}))); err != nil {
		w.t.Fatal(err)
	}
}

// putPolicy gives a role an inline policy as an administrator of the customer.
func (w *world) putPolicy(role, name, policy string) {
	w.edit(func(api *iam.Client) error {
		_, err := api.PutRolePolicy(context.Background(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &name, PolicyDocument: &policy})
		return err
	})
}

func ours(r *sim.Role) (names []string) {
	for name := range r.Policies() {
		if strings.HasPrefix(name, denyPrefix) {
			names = append(names, name)
		}
	}
	return names
}

// assumeAs makes a session of the tenant role past Jitney.
func (w *world) assumeAs(by sim.Keys, name string) (target.Keys, error) {
	out, err := sts.NewFromConfig(w.config(target.Keys{ID: by.AccessKeyID, Secret: by.Secret})).AssumeRole(context.Background(),
		&sts.AssumeRoleInput{RoleArn: sdk.String(w.tenant.ARN()), RoleSessionName: &name, ExternalId: sdk.String(extID)})
	if err != nil {
		return target.Keys{}, err
	}
	return target.Keys{ID: *out.Credentials.AccessKeyId, Secret: secret.New(*out.Credentials.SecretAccessKey), Token: secret.New(*out.Credentials.SessionToken)}, nil
}
