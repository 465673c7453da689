package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"jitney/access"
	"jitney/api"
	"jitney/broker"
	"jitney/secret"
	"jitney/signin"
	"jitney/store"
	"jitney/target"
	"jitney/target/aws"
)

// issuing measures sessions.
type issuing struct{ *options }

// rates measures how many sessions a second are issued, as a command line gets
// them: an HTTP call with a token, rights checked, AWS's SDK and its signature,
// an STS on loopback that answers in no time, and the record stored before the
// keys are told.
func (o issuing) rates(ctx context.Context, e *engine) error {
	o.printf("\nIssue of sessions from live grants (HTTP, token, rights, policy, AWS's SDK, an STS that answers in 0 ms, one durable transaction), sealer running:")
	cloud, err := serveLocally(http.HandlerFunc(assumed))
	if err != nil {
		return err
	}
	defer cloud.close()
	var mu sync.Mutex
	open := map[*store.Store]*sessionBench{}
	var order []*sessionBench
	clients := []int{1, 8, 64}
	err = o.options.rates(ctx, e, clients, "sessions", func(ctx context.Context, s *store.Store, n int) error {
		mu.Lock()
		b, err := open[s], error(nil)
		if b == nil {
			if b, err = newSessionBench(ctx, s, cloud.url); err == nil {
				open[s], order = b, append(order, b)
			}
		}
		mu.Unlock()
		if err != nil {
			return err
		}
		return b.issue(ctx, n)
	})
	for i, b := range order {
		b.server.close()
		o.printf("  %3d clients: of that ours, without the way to STS and back: p50 %s, p99 %s", clients[i], ms(at(b.ours, 0.5)), ms(at(b.ours, 0.99)))
	}
	return err
}

const tenants = 40 // as many as a platform engineer has

// A sessionBench is the API over one store, and somebody with a token.
type sessionBench struct {
	server *local
	client *http.Client
	token  string

	mu   sync.Mutex
	ours []time.Duration // of each call, what was not spent on the way to STS and back
}

func newSessionBench(ctx context.Context, s *store.Store, sts string) (*sessionBench, error) {
	who, err := s.People.SavePerson(ctx, access.Person{ID: "p1", Login: "user@msp.example", Name: "A User", Roles: []access.Role{access.Administrator, access.Requester}, AllCustomers: true, CreatedAt: time.Now()})
	if err != nil {
		return nil, err
	}
	kind := aws.Kind(aws.Options{Transport: timed{&http.Transport{MaxIdleConnsPerHost: 64}}})
	systems := map[string]target.System{}
	for i := range tenants {
		id := fmt.Sprintf("c%d", i)
		if _, err := s.Customers.SaveCustomer(ctx, access.Customer{ID: id, Name: "tenant-" + id, CreatedAt: time.Now()}); err != nil {
			return nil, err
		}
		values := map[string]string{"account": "123456789012", "region": "eu-west-1", "tenant_role": "tenant-" + id, "access": "Access key",
			"access_key_id": "AKIAIOSFODNN7EXAMPLE", "external_id": "7f3a9c51e2b84d06af19", "endpoint": sts}
		if systems["t"+id], err = kind.Open(ctx, "t"+id, target.Settings{Values: values, Secrets: map[string]secret.Text{"secret_access_key": secret.New("example")}}); err != nil {
			return nil, err
		}
		if _, err := s.Targets.SaveTarget(ctx, access.Target{ID: "t" + id, Customer: id, Kind: kind.Name, Name: "AWS of " + id, Policy: access.SessionPolicy().Name,
			Settings: values, CreatedAt: time.Now()}, nil); err != nil {
			return nil, err
		}
	}
	all := broker.New(broker.Ports{Grants: s.Grants, People: s.People, Customers: s.Customers, Targets: s.Targets, Rules: s.Rules, Log: s.Log,
		Kinds: []target.Kind{kind}, Open: func(_ context.Context, id string) (target.System, error) { return systems[id], nil }, Issued: s.Issued})
	tokens := signin.NewTokens(s.People, s.Tokens, s.Log, nil)
	_, text, err := tokens.Create(ctx, who, access.Token{Name: "bench", Person: who.ID, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		return nil, err
	}
	calls, err := api.New(api.Config{Tokens: tokens, Pairings: signin.NewPairings(s.People, s.Pairings, nil), Sessions: all.Sessions, Customers: all.Places, Base: "http://127.0.0.1"})
	if err != nil {
		return nil, err
	}
	b := &sessionBench{token: text.Reveal(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	if b.server, err = serveLocally(b.apart(calls)); err != nil {
		return nil, err
	}
	for i := range tenants {
		if err := b.issue(ctx, i); err != nil { // makes the grant
			return nil, errors.Join(err, b.server.close())
		}
	}
	b.ours = nil
	return b, nil
}

// issue calls the API as a command line does.
func (b *sessionBench) issue(ctx context.Context, n int) error {
	in, err := json.Marshal(map[string]any{"tenant": fmt.Sprintf("tenant-c%d", n%tenants), "machine": "laptop", "application": "jitney"})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server.url+"/api/v1/aws/sessions", bytes.NewReader(in))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	r.Header.Set("Content-Type", "application/json")
	res, err := b.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var out struct {
		Key    string `json:"access_key_id"`
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out.Key == "" {
		return fmt.Errorf("no keys: %s: %s (%v)", res.Status, out.Detail, err)
	}
	return nil
}

type awayKey struct{}

// apart measures of each call what the server spent on it without what it
// waited for STS.
func (b *sessionBench) apart(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, away := time.Now(), &atomic.Int64{}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), awayKey{}, away)))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ours = append(b.ours, time.Since(began)-time.Duration(away.Load()))
	})
}

// timed adds up what a call waits for STS.
type timed struct{ *http.Transport }

// RoundTrip sends r, and reads all of the answer.
func (t timed) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	res, err := t.Transport.RoundTrip(r)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		res.Body = io.NopCloser(bytes.NewReader(body))
	}
	if away, ok := r.Context().Value(awayKey{}).(*atomic.Int64); ok {
		away.Add(int64(time.Since(began)))
	}
	return res, err
}

// assumed answers every request as STS does AssumeRole.
func assumed(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:s</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn></AssumedRoleUser>`+
		`<Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY</SecretAccessKey><SessionToken>%0512d</SessionToken><Expiration>%s</Expiration></Credentials>`+
		`</AssumeRoleResult><ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata></AssumeRoleResponse>`, 0, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// A local is a server on loopback.
type local struct {
	*http.Server
	url string
}

func serveLocally(h http.Handler) (*local, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &local{&http.Server{Handler: h, ReadHeaderTimeout: time.Minute}, "http://" + l.Addr().String()}
	go func() { _ = s.Serve(l) }()
	return s, nil
}

func (s *local) close() error { return s.Server.Close() }
