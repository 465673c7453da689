package aws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"jitney/access"
	sim "jitney/sim/aws"
	"jitney/target"
)

func TestOldDeniesArePruned(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		for i := range 3 {
			a := account(fmt.Sprintf("abcdefghijklm%03d2345", i))
			w.session(w.open(), &a, asked(20*time.Minute))
			w.settle(a, time.Minute)
		}
		w.putPolicy("northwind-prod", "jitney-end-of-the-world", s3Policy) // not ours
		time.Sleep(70 * time.Minute)
		if done, err := w.open().Tidy(t.Context()); err != nil || len(done) != 0 || len(ours(w.tenant)) != 4 {
			t.Fatalf("too early: %q %v %q", done, err, ours(w.tenant))
		}
		time.Sleep(12 * time.Minute)
		a := account(firstID)
		w.session(w.open(), &a, asked(20*time.Minute))
		w.settle(a, time.Minute) // prunes as it goes
		if left := ours(w.tenant); len(left) != 2 {
			t.Errorf("left: %q", left)
		}
		time.Sleep(81 * time.Minute)
		done, err := w.open().Tidy(t.Context())
		if err != nil || len(done) != 1 || len(ours(w.tenant)) != 1 {
			t.Errorf("%q %v %q", done, err, ours(w.tenant))
		}
	})
}

// ended issues and ends so many sessions, and reports their keys.
func (w *world) ended(n int) (all []access.Account, keys []target.Keys) {
	w.t.Helper()
	for i := range n {
		a := account(fmt.Sprintf("abcdefghijk%05d2345", i))
		keys = append(keys, w.session(w.open(), &a, asked(time.Hour)))
		w.settle(a, time.Minute)
		all = append(all, a)
	}
	return all, keys
}

func TestManyEndsFitOnOneRole(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		w.putPolicy("northwind-prod", "big", filler(6500))
		live := account("zyxwvutsrqponmlk5432")
		theirs := w.session(w.open(), &live, asked(10*time.Hour))
		accounts, keys := w.ended(60)
		for i, k := range keys {
			if time.Now().Before(k.ExpiresAt) && w.lists(k) {
				t.Fatalf("session %d works again", i)
			}
		}
		if o := w.observe(w.open(), accounts[30]); !o.Clean() || !found(o, "merged") {
			t.Errorf("one that is in a merged deny: %+v", o)
		}
		if time.Now().Before(theirs.EndsAt) && !w.lists(theirs) {
			t.Error("a colleague was cut")
		}
		if n := len(ours(w.tenant)); n > crowd+8 {
			t.Errorf("%d policies: %q", n, ours(w.tenant))
		}
	})
}

func TestARoleWithoutRoom(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		w.fill(100)
		a := account(firstID)
		k := w.session(w.open(), &a, asked(time.Hour))
		err := w.open().Remove(t.Context(), a)
		if access.KindOf(err) != access.Denied || access.CodeOf(err) != codeFull || !strings.Contains(text(err), "10,240") {
			t.Fatal(text(err))
		}
		w.dropPolicy("big")
		accounts, keys := w.ended(5)
		w.fill(50) // what is spare in the denies themselves is enough to merge them
		w.settle(a, time.Minute)
		for i, old := range append(keys, k) {
			if w.lists(old) {
				t.Errorf("session %d works", i)
			}
		}
		if o := w.observe(w.open(), accounts[0]); !o.Clean() || !found(o, "merged") {
			t.Errorf("%+v", o)
		}
		time.Sleep(3 * time.Hour) // what is of no use makes room
		w.fill(20)
		b := account("zyxwvutsrqponmlk5432")
		w.session(w.open(), &b, asked(time.Hour))
		w.settle(b, time.Minute)
	})
}

// fill leaves so much room on the tenant role.
func (w *world) fill(room int) {
	used := 0
	for name, text := range w.tenant.Policies() {
		if name != "big" {
			used += len(text)
		}
	}
	w.putPolicy("northwind-prod", "big", filler(10240-used-room))
}

func (w *world) dropPolicy(name string) {
	w.edit(func(api *iam.Client) error {
		_, err := api.DeleteRolePolicy(context.Background(), &iam.DeleteRolePolicyInput{RoleName: sdk.String("northwind-prod"), PolicyName: &name})
		return err
	})
}

// filler is a policy of so many characters.
func filler(n int) string {
	head, tail := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:Describe","Resource":"arn:aws:ec2:::`, `"}}`
	return head + strings.Repeat("x", max(n-len(head)-len(tail), 1)) + tail
}

func TestManyReplicasEndAtOnce(t *testing.T) {
	inTime(t, sim.Options{Delay: 3 * time.Second, ReadDelay: 2 * time.Second}, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		var accounts []access.Account
		var keys []target.Keys
		for i := range 20 {
			a := account(fmt.Sprintf("abcdefghijk%05d2345", i))
			keys = append(keys, w.session(w.open(), &a, asked(time.Hour)))
			accounts = append(accounts, a)
		}
		w.Faults(sim.Rule{Service: "iam", Every: 3, Do: sim.Slow(sim.WaitBefore, 700*time.Millisecond)})
		for _, a := range accounts {
			for range 2 { // two replicas at each
				wg.Go(func() {
					time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
					_ = w.open().Remove(context.Background(), a)
				})
			}
		}
		wg.Wait()
		for i, a := range accounts {
			w.settle(a, 3*time.Minute)
			if w.lists(keys[i]) {
				t.Errorf("session %d works", i)
			}
		}
	})
}
