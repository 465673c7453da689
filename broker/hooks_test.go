package broker_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/schedule"
	"jitney/secret"
)

// connect connects the bureau.
func (w *world) connect() access.Connection {
	w.t.Helper()
	saved, err := w.Broker.Tickets.Save(w.ctx, w.admin, broker.ConnectionInput{Kind: "bureau", Values: map[string]string{"url": "https://b.example"},
		Secrets: map[string]secret.Text{"token": secret.New("bureau-token")}})
	check(w.t, err)
	return saved
}

// due lists the keys of the work that is due.
func (w *world) due() (keys []string) {
	w.t.Helper()
	items, err := w.store.Outbox.Claim(w.ctx, schedule.Claim{Owner: "test", For: time.Minute, Limit: 100})
	check(w.t, err)
	for _, it := range items {
		keys = append(keys, it.Value.Key)
	}
	_, err = w.store.Outbox.Free(w.ctx, "test")
	check(w.t, err)
	return keys
}

func TestAWebhookIsBelievedOnlyIfItIsSigned(t *testing.T) {
	synctest.Test(t, believesSigned) // a flood is one however long the calls take
}

func believesSigned(t *testing.T) {
	w := newWorld(t)
	c := w.Broker.Tickets
	one := w.connect()
	raw := []byte(`{"Action":"Update", "Id": 1}`)
	call := func(id, name, value string, body []byte) error {
		return c.Hint(w.ctx, id, func(h string) string { return map[string]string{name: value}[h] }, body)
	}
	sum := func(key string, body []byte) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	refused := func(what string, err error) {
		t.Helper()
		if access.KindOf(err) != access.Denied || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("before there is a secret", call(one.ID, "X-Jitney-Signature", "sha256="+sum("", raw), raw))
	if _, err := c.NewHookSecret(w.ctx, w.auditor, one.ID); access.KindOf(err) != access.NotFound {
		t.Errorf("an auditor makes a secret: %v", err)
	}
	made, err := c.NewHookSecret(w.ctx, w.admin, one.ID)
	check(t, err)
	key := made.Reveal()
	if page, err := c.Get(w.ctx, w.admin, one.ID); err != nil || !page.HasHook() || len(key) < 40 {
		t.Errorf("%+v, %v", page, err)
	}
	good := "sha256=" + sum(key, raw)
	refused("without a signature", call(one.ID, "", "", raw))
	refused("with that of another body", call(one.ID, "X-Jitney-Signature", good, append(raw, ' ')))
	refused("with that of another secret", call(one.ID, "X-Jitney-Signature", "sha256="+sum("other", raw), raw))
	refused("without the name of the sum", call(one.ID, "X-Jitney-Signature", sum(key, raw), raw))
	refused("for a connection that is not there", call("none", "X-Jitney-Signature", good, raw))
	if due := w.due(); len(due) != 0 {
		t.Errorf("a refused call woke %q", due)
	}
	for range 3 { // a repeated one changes nothing
		check(t, call(one.ID, "X-Jitney-Signature", good, raw))
	}
	time.Sleep(time.Second)
	if due := w.due(); len(due) != 1 || due[0] != access.WatchKey(one.ID) {
		t.Errorf("woken: %q", due)
	}
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write(raw)
	check(t, call(one.ID, "X-Hook-Signature", "sha1="+base64.StdEncoding.EncodeToString(mac.Sum(nil)), raw))
	check(t, call(one.ID, "X-Hub-Signature-256", good, raw))
	for _, id := range []string{one.ID, "none"} {
		flooded := 0
		for range 200 {
			if access.KindOf(call(id, "", "", raw)) == access.Unavailable {
				flooded++
			}
		}
		if flooded < 100 {
			t.Errorf("of 200 calls with a wrong signature to %s only %d are told to wait", id, flooded)
		}
	}
	check(t, call(one.ID, "X-Jitney-Signature", good, raw)) // they mute nobody
	other := w.connect()
	_, err = c.NewHookSecret(w.ctx, w.admin, other.ID)
	check(t, err)
	refused("for another connection", call(other.ID, "X-Jitney-Signature", good, raw))
}

func TestParkedNotesAreSeenAndStartedAgain(t *testing.T) {
	w := newWorld(t)
	c := w.Broker.Tickets
	for i := range 2 {
		key := fmt.Sprintf("jitney:g%d:ended:1", i)
		check(t, w.store.Outbox.Add(w.ctx, access.Work{Kind: "note", Key: key, Group: "rt1", Lane: fmt.Sprint("rt1/", i), Grant: fmt.Sprint("g", i),
			Payload: []byte(`{"key":"` + key + `","ticket":{"Number":"4711"}}`)}))
	}
	items, err := w.store.Outbox.Claim(w.ctx, schedule.Claim{Owner: "test", For: time.Minute, Limit: 100})
	check(t, err)
	for _, it := range items {
		check(t, w.store.Outbox.Finish(w.ctx, it.Lease, "A right is missing.", true))
	}
	all, err := c.Parked(w.ctx, w.auditor, "rt1")
	if err != nil || len(all) != 2 || all[0].Number != "4711" || all[0].Kind != "ended" || !strings.Contains(all[0].Reason, "right") {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := c.Parked(w.ctx, w.maya, "rt1"); access.KindOf(err) != access.NotFound {
		t.Errorf("a technician: %v", err)
	}
	if _, err := c.RetryParked(w.ctx, w.auditor, "rt1"); access.KindOf(err) != access.NotFound {
		t.Errorf("an auditor starts them: %v", err)
	}
	if n, err := c.RetryParked(w.ctx, w.admin, "rt1"); err != nil || n != 2 || len(w.due()) != 2 {
		t.Errorf("%d, %v", n, err)
	}
}
