package aws_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"jitney/access"
	sim "jitney/sim/aws"
)

// TestADoorThatIsClosedTakesNoKeysBack is about a customer who takes the role
// from Jitney while keys of it are out: the grant is over by that, and has
// ended only when the keys are of no use.
func TestADoorThatIsClosedTakesNoKeysBack(t *testing.T) {
	for _, edit := range []string{"yes", "no"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, 1, sim.Options{}, edit)
			defer w.close()
			w.start()
			answer, err := w.ask(w.people[0], w.places[0], 60)
			check(t, err)
			now := func() access.Grant {
				g, err := w.store.Grants.Grant(t.Context(), answer.Grant.ID)
				check(t, err)
				return g
			}
			if !waitFor(time.Minute, func() bool { return now().State(time.Now()) == access.Active }) {
				t.Fatalf("the grant is %s", now().State(time.Now()))
			}
			api := iam.New(iam.Options{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(w.user.AccessKeyID, w.user.Secret.Reveal(), ""), HTTPClient: &http.Client{Transport: w.cloud.Transport()}})
			_, err = api.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: sdk.String("tenant-0"),
				PolicyDocument: sdk.String(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}`)})
			check(t, err)
			if !waitFor(10*time.Minute, func() bool { return now().StopCause == access.ByDrift }) {
				t.Fatalf("nobody notices that the role was taken away: %s", now().State(time.Now()))
			}
			time.Sleep(time.Minute)
			if works := w.works(answer.Keys) == nil; works == (edit == "yes") {
				t.Errorf("may edit the role: %s, and the keys work: %v", edit, works)
			}
			if !waitFor(time.Hour, func() bool { return !now().EndedAt.IsZero() }) {
				t.Errorf("the grant is %s", now().State(time.Now()))
			}
		})
	}
}
