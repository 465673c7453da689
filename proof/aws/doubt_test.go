package aws_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"net/http"

	"jitney/access"
	sim "jitney/sim/aws"
)

// TestADenyThatIsTakenOffAfterTheEndComesBack is about tools that delete what
// they do not know: the keys of an ended grant would work again.
func TestADenyThatIsTakenOffAfterTheEndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1, sim.Options{}, "yes")
		w.start()
		answer, err := w.ask(w.people[0], w.places[0], 240)
		check(t, err)
		_, err = w.process.broker.Access.End(t.Context(), w.people[0], answer.Grant.ID)
		check(t, err)
		state := func() access.State {
			g, err := w.store.Grants.Grant(t.Context(), answer.Grant.ID)
			check(t, err)
			return g.State(time.Now())
		}
		if !waitFor(2*time.Minute, func() bool { s := state(); return s == access.Ended || s == access.NotGiven }) {
			t.Fatalf("the grant is %s", state())
		}
		if s := state(); s != access.Ended {
			t.Errorf("keys were given, and the grant is %s", s)
		}
		api := iam.New(iam.Options{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(w.user.AccessKeyID, w.user.Secret.Reveal(), ""), HTTPClient: &http.Client{Transport: w.cloud.Transport()}})
		role := "tenant-0"
		list, err := api.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: &role})
		check(t, err)
		for _, name := range list.PolicyNames {
			if strings.HasPrefix(name, "jitney-end-") {
				_, err = api.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: &role, PolicyName: &name})
				check(t, err)
			}
		}
		if w.works(answer.Keys) != nil {
			t.Fatal("the keys do not work, so this shows nothing")
		}
		_, err = w.process.reconciler.Sweep(t.Context())
		check(t, err)
		if !waitFor(2*time.Minute, func() bool { return w.works(answer.Keys) != nil }) {
			t.Error("the keys of an ended grant work, and nobody notices")
		}
		records, err := w.store.Log.Records(t.Context(), access.RecordQuery{Subject: w.places[0].ID})
		check(t, err)
		if n := len(slices.DeleteFunc(records, func(r access.Record) bool { return r.Kind != access.EventFinding })); n != 1 {
			t.Errorf("it was told %d times", n)
		}
		w.close()
	})
}

// TestKeysThatWereUsedAreNotCalledNotGiven is about an end that comes before
// the first look at the grant.
func TestKeysThatWereUsedAreNotCalledNotGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1, sim.Options{}, "yes")
		w.start()
		w.cloud.Faults(sim.Rule{Action: "AssumeRole", Nth: 2, Times: 100000, Do: sim.Respond(503, "ServiceUnavailable")})
		answer, err := w.ask(w.people[0], w.places[0], 60)
		check(t, err)
		time.Sleep(time.Minute)
		if w.works(answer.Keys) != nil {
			t.Fatal("the keys do not work")
		}
		_, err = w.process.broker.Access.End(t.Context(), w.people[0], answer.Grant.ID)
		check(t, err)
		w.cloud.Faults()
		var g access.Grant
		waitFor(10*time.Minute, func() bool {
			g, err = w.store.Grants.Grant(t.Context(), answer.Grant.ID)
			return err == nil && !g.EndedAt.IsZero()
		})
		if s := g.State(time.Now()); s != access.Ended {
			t.Errorf("the grant is %s, and its keys were used", s)
		}
		w.close()
	})
}

// waitFor waits in virtual time.
func waitFor(most time.Duration, done func() bool) bool {
	for until := time.Now().Add(most); time.Now().Before(until); time.Sleep(time.Second) {
		if done() {
			return true
		}
	}
	return done()
}
