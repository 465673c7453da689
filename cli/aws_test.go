package cli

import (
	"testing"
	"time"
)

func TestKeysAreOneLineAsCredentialProcessWantsThem(t *testing.T) {
	b := newBench(t).as("JITNEY_TOKEN=jat_ada")
	k := b.keys("aws", "--tenant", "dev01")
	for name, want := range map[string]any{"Version": 1.0, "AccessKeyId": "ASIAADATENANT1", "SecretAccessKey": "secret/dev01+ada==",
		"SessionToken": "token-tenant-dev01-1", "AccountId": "123456789012", "Region": "eu-central-1", "Validity": 3600.0} {
		if k[name] != want {
			t.Errorf("%s is %v, want %v", name, k[name], want)
		}
	}
	until, err := time.Parse("2006-01-02T15:04:05Z", k["Expiration"].(string))
	if err != nil || time.Until(until) < 59*time.Minute || time.Until(until) > time.Hour {
		t.Errorf("Expiration is %v: %v", k["Expiration"], err)
	}
	if _, has := k["ConsoleUrl"]; has {
		t.Error("an address of the console was not asked for")
	}
	if n := b.f.count(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if again := b.keys("aws", "--tenant", "dev01"); again["AccessKeyId"] != k["AccessKeyId"] || b.f.count() != 1 {
		t.Errorf("the second call asked again: %v, %d requests", again, b.f.count())
	}
}
