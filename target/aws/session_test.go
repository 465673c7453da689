package aws

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sim "jitney/sim/aws"
	"jitney/target"
)

func TestASessionEndsAtTheEndAndIsDeniedEarlierIfEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{})
		sys, a := w.open(), account(firstID)
		k := w.session(sys, &a, asked(4*time.Hour))
		if !w.works(k) {
			t.Fatal("the keys do not work")
		}
		if k.Name != "ada.lovelace@msp.example-abcdefghijklmnop" || k.Account != other || k.Partition != "aws" || k.Region != "eu-west-1" {
			t.Errorf("got %+v", k)
		}
		if o := w.observe(sys, a); !o.Shows(Tenant) || o.Clean() {
			t.Errorf("observed %+v", o)
		}
		o := w.settle(a, time.Minute)
		if w.works(k) {
			t.Error("clean, and the keys work")
		}
		if !strings.Contains(o.Facts[len(o.Facts)-2].Found, "denied explicitly") && !strings.Contains(o.Facts[1].Found, "denied explicitly") {
			t.Errorf("facts: %+v", o.Facts)
		}
	})
}

func TestConsole(t *testing.T) {
	w := newWorld(t, sim.Options{})
	sys, a := w.open(), account(firstID)
	k := w.session(sys, &a, asked(time.Hour))
	address, err := sys.Console(context.Background(), k, target.Place{Issuer: "https://jitney.example"})
	if err != nil {
		t.Fatal(text(err))
	}
	if status, to := w.browse(address.Reveal()); status != 302 || to != "https://eu-west-1.console.aws.amazon.com/console/home?region=eu-west-1" {
		t.Errorf("got %d to %s", status, to)
	}
}
