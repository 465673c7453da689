package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

func TestAnOrphanThatTakesItsTimeIsReadBackAsClean(t *testing.T) {
	inCloud(t, func(t *testing.T, w *world, realm *fake.Realm) {
		p, err := w.store.Rules.Policy(t.Context(), "default")
		check(t, err)
		p.EndOrphans = true
		_, err = w.store.Rules.SavePolicy(t.Context(), p)
		check(t, err)
		realm.Plant("a-mark-nobody-knows", fake.Admin)
		time.Sleep(30 * time.Minute)
		records, err := w.store.Log.Records(t.Context(), access.RecordQuery{Kind: access.EventFinding})
		check(t, err)
		found, clean := 0, 0
		for _, r := range records {
			if r.Data["orphan"] == "a-mark-nobody-knows" && strings.Contains(r.Text, "has no live grant") {
				found++
			}
			if r.Data["orphan"] == "a-mark-nobody-knows" && strings.Contains(r.Text, "read back as clean") {
				clean++
			}
		}
		if found != 1 || clean != 1 {
			t.Errorf("found %d times, read back as clean %d times: %+v", found, clean, records)
		}
	})
}
