package broker_test

import (
	"testing"

	"jitney/access"
	"jitney/broker"
)

// A target whose settings lead elsewhere while access is live could not end it
// any more, and would find nothing where it looks.
func TestATargetCannotMoveAwayFromLiveAccess(t *testing.T) {
	w := newWorld(t)
	save := func(place, mode string) error {
		t.Helper()
		page, err := w.Places.Target(w.ctx, w.admin, "target-aviary")
		check(t, err)
		_, err = w.Places.SaveTarget(w.ctx, w.admin, broker.TargetInput{ID: "target-aviary", Version: page.Target.Version, Name: page.Target.Name, Policy: page.Target.Policy,
			Values: map[string]string{"domain": "t.example", "site": place, "mode": mode}})
		return err
	}
	check(t, save("here", "slow"))
	g := w.active()
	if err := save("there", "slow"); len(broker.FieldsOf(err)) != 1 || broker.FieldsOf(err)[0].Field != "site" {
		t.Errorf("it moved: %v", err)
	}
	check(t, save("here", "fast"))
	_, err := w.Access.End(w.ctx, w.maya, g.ID)
	check(t, err)
	w.settle()
	w.want(g.ID, access.Ended)
	check(t, save("there", "fast"))
}
