package aws

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"jitney/access"
	"jitney/secret"
	sim "jitney/sim/aws"
	"jitney/target"
)

func TestTheLengthOfASession(t *testing.T) {
	for _, row := range []struct {
		name        string
		until       time.Duration
		length      time.Duration
		entitlement string
		change      func(w *world)
		fields      []string
		ends        time.Duration // of what the keys can do
		expires     time.Duration
		notices     []string
	}{
		{name: "an hour if nobody says", until: 4 * time.Hour, ends: time.Hour, expires: time.Hour},
		{name: "as long as settings say", until: 4 * time.Hour, length: 30 * time.Minute, ends: 30 * time.Minute, expires: 30 * time.Minute},
		{name: "no longer than the grant", until: 47 * time.Minute, length: time.Hour, ends: 47 * time.Minute, expires: 47 * time.Minute,
			notices: []string{"Cut to 47 min: the grant ends then."}},
		{name: "five minutes, though AWS makes none under fifteen", until: 5 * time.Minute, length: time.Hour, ends: 5 * time.Minute, expires: 15 * time.Minute,
			notices: []string{"Cut to 5 min: the grant ends then.", "less than 15 min"}},
		{name: "ten minutes because settings say so", until: time.Hour, length: 10 * time.Minute, ends: 10 * time.Minute, expires: 15 * time.Minute, notices: []string{"less than 15 min"}},
		{name: "no longer than the role allows, which can be read", until: 6 * time.Hour, length: 6 * time.Hour, ends: time.Hour, expires: time.Hour,
			notices: []string{"Cut to 1 h: the role northwind-prod allows no longer session."}},
		{name: "an hour if the role's limit cannot be read", until: 6 * time.Hour, length: 6 * time.Hour, fields: []string{fieldManager, ""}, ends: time.Hour, expires: time.Hour,
			notices: []string{"Cut to 1 h"}},
		{name: "six hours of a role that allows twelve", until: 8 * time.Hour, length: 6 * time.Hour, entitlement: Admin, ends: 6 * time.Hour, expires: 6 * time.Hour},
		{name: "no longer than AWS allows at all", until: 23 * time.Hour, length: 20 * time.Hour, entitlement: Admin, ends: 12 * time.Hour, expires: 12 * time.Hour,
			notices: []string{"Cut to 12 h: AWS lets no session last longer."}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{})
				a, ask := account(firstID), asked(row.until)
				ask.Length = row.length
				if row.entitlement != "" {
					ask.Entitlement = row.entitlement
				}
				began := time.Now()
				k := w.session(w.open(row.fields...), &a, ask)
				if ends, expires := k.EndsAt.Sub(began), k.ExpiresAt.Sub(began); ends != row.ends || expires != row.expires {
					t.Errorf("ends after %v, expires after %v", ends, expires)
				}
				if len(k.Notices) != len(row.notices) {
					t.Fatalf("notices: %q", k.Notices)
				}
				for i, n := range row.notices {
					if !strings.Contains(k.Notices[i], n) {
						t.Errorf("notices: %q", k.Notices)
					}
				}
				time.Sleep(row.ends - time.Second)
				if !w.lists(k) {
					t.Error("a second before the end the keys do not work")
				}
				time.Sleep(time.Second)
				if w.lists(k) {
					t.Error("at the end the keys work")
				}
			})
		})
	}
}

func TestSessionsOfACallerThatIsARoleLastAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{})
		machine := w.home.AddRole(sim.RoleSpec{Name: "machine", Policies: map[string]string{"p": brokerPolicy},
			Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`})
		k := machine.Instance("i-0123", 6*time.Hour)
		t.Setenv("AWS_ACCESS_KEY_ID", k.AccessKeyID)
		t.Setenv("AWS_SECRET_ACCESS_KEY", k.Secret.Reveal())
		t.Setenv("AWS_SESSION_TOKEN", k.SessionToken.Reveal())
		t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
		sys, a := w.open(fieldWay, wayAmbient), account(firstID)
		ask := asked(8 * time.Hour)
		ask.Entitlement, ask.Length = Admin, 6*time.Hour
		got := w.session(sys, &a, ask)
		if time.Until(got.EndsAt) != time.Hour || len(got.Notices) != 1 || !strings.Contains(got.Notices[0], "Cut to 1 h: Jitney's own AWS credentials are those of a role") {
			t.Errorf("%v %q", time.Until(got.EndsAt), got.Notices)
		}
		calls := len(w.Journal())
		w.session(sys, &a, ask)
		if n := len(w.Journal()) - calls; n != 1 {
			t.Errorf("the second session took %d calls", n)
		}
	})
}

func TestSessionsAreDeniedOtherRolesUnlessAdmitted(t *testing.T) {
	w := newWorld(t, sim.Options{})
	for admitted, fields := range map[bool][]string{false: nil, true: {fieldChain, yes}} {
		a := account(firstID)
		ask := asked(time.Hour)
		ask.Entitlement = Admin
		k := w.session(w.open(fields...), &a, ask)
		_, err := w.assumeAgain(k)
		if (err == nil) != admitted {
			t.Errorf("admitted %v: %v", admitted, err)
		}
	}
}

func TestTenantSessionsMayBeReadOnly(t *testing.T) {
	w := newWorld(t, sim.Options{})
	a := account(firstID)
	k := w.session(w.open(fieldReadOnly, yes), &a, asked(5*time.Minute))
	if !w.lists(k) {
		t.Error("it cannot read")
	}
	if w.writes(k) {
		t.Error("it can write")
	}
	if k := w.session(w.open(), &a, asked(5*time.Minute)); !w.writes(k) {
		t.Error("without the setting it cannot write")
	}
}

func TestASessionSaysWhoItIs(t *testing.T) {
	w := newWorld(t, sim.Options{})
	a := account(firstID)
	k := w.session(w.open(), &a, asked(time.Hour))
	all := w.tenant.Sessions()
	if len(all) != 1 || all[0].Name != k.Name || all[0].SourceIdentity != "ada.lovelace@msp.example" || k.Name != "ada.lovelace@msp.example-abcdefghijklmnop" {
		t.Errorf("got %+v", all)
	}
	if o := w.observe(w.open(), a); o.Username != k.Name {
		t.Errorf("observed as %s", o.Username)
	}
}

func TestRefusalsAreSaidInWords(t *testing.T) {
	const tagOnly = `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + home + `:root"},"Action":"sts:TagSession"}`
	const sourceOnly = `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + home + `:root"},"Action":"sts:SetSourceIdentity"}`
	for _, row := range []struct {
		name   string
		fields []string
		change func(w *world)
		ask    func(*target.SessionAsk)
		kind   access.Kind
		text   string
		hint   string
	}{
		{name: "another external ID", fields: []string{fieldExternal, "0123456789abcdef0123"}, kind: access.Denied, text: "does not let Jitney make a session of the role northwind-prod", hint: "external ID"},
		{name: "no such role", fields: []string{fieldTenant, "nowhere"}, kind: access.Denied, text: "role nowhere", hint: "does not exist"},
		{name: "no session tags", change: func(w *world) { w.trust(trustOf(sourceOnly)) }, kind: access.Denied, text: "takes no session tags", hint: "Add sts:TagSession"},
		{name: "no source identity", change: func(w *world) { w.trust(trustOf(tagOnly)) }, kind: access.Denied, text: "takes no source identity", hint: "Add sts:SetSourceIdentity"},
		{name: "an access key that is off", change: func(w *world) { w.DisableKey(w.broker.AccessKeyID) }, kind: access.Denied, text: "AWS does not know the access key"},
		{name: "a wrong secret", change: func(w *world) { w.broker.Secret = secret.New("wrong") }, kind: access.Denied, text: "secret access key that Jitney uses is wrong"},
		{name: "throttled", change: func(w *world) { w.Faults(sim.Rule{Do: sim.Do(sim.Throttled)}) }, kind: access.Unavailable, text: "AWS asks to wait"},
		{name: "AWS is down", change: func(w *world) { w.Faults(sim.Rule{Do: sim.Respond(503, "ServiceUnavailable")}) }, kind: access.Unavailable, text: "AWS failed to make a session"},
		{name: "the line breaks off", change: func(w *world) { w.Faults(sim.Rule{Do: sim.Do(sim.DropBefore)}) }, kind: access.Unavailable, text: "AWS was not reached"},
		{name: "half an answer", change: func(w *world) { w.Faults(sim.Rule{Do: sim.Do(sim.Truncate)}) }, kind: access.Unavailable, text: "AWS"},
		{name: "a gateway's page", change: func(w *world) { w.Faults(sim.Rule{Do: sim.Do(sim.ErrorPage)}) }, kind: access.Unavailable, text: "AWS"},
		{name: "our clock is behind", change: func(w *world) { w.SetSkew(20 * time.Minute) }, kind: access.Denied, text: "clock of this server is 20 min behind AWS's"},
		{name: "our clock is ahead", change: func(w *world) { w.SetSkew(-2 * time.Hour) }, kind: access.Denied, text: "clock of this server is 2 h ahead of AWS's"},
		{name: "an entitlement that is not offered", ask: func(k *target.SessionAsk) { k.Entitlement = "root" }, kind: access.Invalid, text: "does not offer"},
		{name: "a region of another partition", ask: func(k *target.SessionAsk) { k.Region = "cn-north-1" }, kind: access.Invalid, text: "partition"},
		{name: "a region that is none", ask: func(k *target.SessionAsk) { k.Region = "evil.example/" }, kind: access.Invalid, text: "partition"},
		{name: "after the end", ask: func(k *target.SessionAsk) { k.Until = time.Now() }, kind: access.Denied, text: "The grant is over"},
		{name: "a way without a key", change: func(w *world) { w.broker.Secret = secret.Text{} }, kind: access.Invalid, text: "no secret access key"},
		{name: "no issuer", fields: []string{fieldWay, wayWeb}, kind: access.Invalid, text: "issues no tokens"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{})
				key := w.broker.Secret.Reveal()
				if row.change != nil {
					row.change(w)
				}
				ask := asked(time.Hour)
				if row.ask != nil {
					row.ask(&ask)
				}
				_, err := w.open(row.fields...).Session(t.Context(), account(firstID), ask)
				if err == nil || access.KindOf(err) != row.kind || !strings.Contains(text(err), row.text) || !strings.Contains(text(err), row.hint) {
					t.Fatalf("got %s", text(err))
				}
				for _, secret := range []string{key, extID, "0123456789abcdef0123"} {
					if strings.Contains(text(err), secret) {
						t.Errorf("a secret is in %q", text(err))
					}
				}
			})
		})
	}
}

func TestASmallSkewMakesNoEndLater(t *testing.T) {
	for _, skew := range []time.Duration{0, 4 * time.Minute, -4 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{})
				w.SetSkew(skew)
				a, until := account(firstID), time.Now().Add(20*time.Minute)
				k := w.session(w.open(), &a, asked(20*time.Minute))
				if d := k.EndsAt.Sub(until); d > 0 || d < -2*time.Second {
					t.Errorf("it ends %v after the grant", d)
				}
				behind := max(skew, 0) // then it ends earlier by that, as the clock may be set right meanwhile
				time.Sleep(20*time.Minute - 5*time.Second - behind)
				if !w.lists(k) {
					t.Error("it ended too early")
				}
				time.Sleep(5*time.Second + behind)
				if w.lists(k) {
					t.Error("it outlives the grant")
				}
			})
		})
	}
}

func TestConsole(t *testing.T) {
	ctx := context.Background()
	for _, row := range []struct {
		name   string
		place  target.Place
		fields []string
		keys   func(*target.Keys)
		to     string // where the browser is sent
		host   string // at which it signs in
		text   string // of the error
	}{
		{name: "the first page", to: "https://eu-west-1.console.aws.amazon.com/console/home?region=eu-west-1", host: "eu-west-1.signin.aws.amazon.com"},
		{name: "another region", place: target.Place{Region: "us-east-1"}, to: "https://console.aws.amazon.com/console/home?region=us-east-1", host: "signin.aws.amazon.com"},
		{name: "a page of the console", place: target.Place{Destination: "https://eu-west-1.console.aws.amazon.com/s3/buckets?x=1#top"}, to: "https://eu-west-1.console.aws.amazon.com/s3/buckets?x=1#top", host: "eu-west-1.signin.aws.amazon.com"},
		{name: "the page of the settings", fields: []string{fieldConsole, "https://console.aws.amazon.com/ec2/home"}, to: "https://console.aws.amazon.com/ec2/home", host: "eu-west-1.signin.aws.amazon.com"},
		{name: "a page elsewhere", place: target.Place{Destination: "https://console.aws.amazon.com.evil.example/"}, text: "not one of the AWS console"},
		{name: "a page elsewhere by its user", place: target.Place{Destination: "https://console.aws.amazon.com@evil.example/"}, text: "not one of the AWS console"},
		{name: "without encryption", place: target.Place{Destination: "http://console.aws.amazon.com/"}, text: "not one of the AWS console"},
		{name: "a script", place: target.Place{Destination: "javascript:alert(1)"}, text: "not one of the AWS console"},
		{name: "another partition's console", place: target.Place{Destination: "https://console.amazonaws.cn/"}, text: "not one of the AWS console"},
		{name: "a region of another partition", place: target.Place{Region: "us-gov-west-1"}, text: "partition"},
		{name: "keys that ended", keys: func(k *target.Keys) { k.EndsAt = time.Now() }, text: "has ended"},
		{name: "keys that are none", keys: func(k *target.Keys) { k.Secret = secret.New("wrong") }, text: "refuses these keys"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, sim.Options{})
			sys, a := w.open(row.fields...), account(firstID)
			k := w.session(sys, &a, asked(time.Hour))
			if row.keys != nil {
				row.keys(&k)
			}
			row.place.Issuer = "https://jitney.example/grants/1"
			address, err := sys.Console(ctx, k, row.place)
			if row.text != "" {
				if !strings.Contains(text(err), row.text) {
					t.Errorf("got %s", text(err))
				}
				return
			}
			if err != nil {
				t.Fatal(text(err))
			}
			u, _ := url.Parse(address.Reveal())
			if u.Host != row.host || u.Query().Get("Issuer") != row.place.Issuer || u.Query().Has("SessionDuration") {
				t.Error("the address is not as it should be")
			}
			if status, to := w.browse(address.Reveal()); status != 302 || to != row.to {
				t.Errorf("%d to %s", status, to)
			}
			for _, e := range w.Journal() {
				if e.Asked["SessionDuration"] != "" {
					t.Error("SessionDuration was sent")
				}
			}
			row.place.LogoutFirst = true
			if address, err = sys.Console(ctx, k, row.place); err != nil {
				t.Fatal(text(err))
			}
			if status, to := w.browse(address.Reveal()); status != 302 || !strings.Contains(to, "/federation?Action=login") {
				t.Errorf("logged out with %d", status)
			}
		})
	}
}

// TestRequestsAreAsAWSWantsThem sends names of every kind; the world holds each
// request to AWS's own descriptions.
func TestRequestsAreAsAWSWantsThem(t *testing.T) {
	w := newWorld(t, sim.Options{})
	sys := w.open()
	for i, login := range []string{"", "a", "ada", "Ada Lovelace", "o'brien@msp.example", "ünal@msp.example", "aws:root", "日本@例え.jp", strings.Repeat("x", 200) + "@msp.example", "../../etc", "a\x00b", "*?", "=+,.@-"} {
		a := account(fmt.Sprintf("abcdefghijklmnop%03d", i))
		a.Holder.Login, a.Customer = login, "Käse & Söhne (\"GmbH\") €*"+strings.Repeat("é", 300)
		ask := asked(time.Hour)
		ask.Grant = "gränt \x01 *"
		w.session(sys, &a, ask)
		if o := w.observe(sys, a); o.Clean() || !o.Enabled {
			t.Errorf("%q: %+v", login, o)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("ada@msp.example", "abcdefghijklmnop2345", "Northwind")
	f.Add("ü", "", "\xff")
	f.Fuzz(func(t *testing.T, login, id, customer string) {
		a := access.Account{ID: id, Customer: customer, Holder: access.Holder{Login: login}}
		const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"
		for _, name := range []string{sessionName(a), sourceIdentity(a)} {
			if len(name) < 2 || len(name) > 64 || strings.Trim(name, allowed) != "" || strings.HasPrefix(name, "aws:") {
				t.Errorf("name %q", name)
			}
		}
		if !strings.HasSuffix(sessionName(a), "-"+markOf(a)) || len(markOf(a)) != markLength || strings.ContainsAny(markOf(a), "*?-$") {
			t.Errorf("mark %q", markOf(a))
		}
		for _, v := range tagsOf(a, customer) {
			if utf8.RuneCountInString(v) > 256 || !utf8.ValidString(v) {
				t.Errorf("tag %q", v)
			}
		}
	})
}
