// Package aws_test proves what AWS targets promise: the real store, brokers,
// reconciler and loops with the simulated AWS behind them, in one process and
// in virtual time. People take keys, end early, are revoked, expire, while the
// program dies and AWS forgets answers; at the moment a grant is called ended,
// every key that anybody was given from it is tried. It holds tests only.
package aws_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	"jitney/access"
	"jitney/broker"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/secret"
	sim "jitney/sim/aws"
	"jitney/store"
	"jitney/target"
	"jitney/target/aws"
	"jitney/ticket"
	"jitney/ticket/desk"
)

const number, external = "402177831190", "an-external-id-nobody-guesses"

// A world is everything that outlives the program.
type world struct {
	t      testing.TB
	store  *store.Store
	sealer *secret.Sealer
	cloud  *sim.Cloud
	user   sim.Keys
	desk   desk.System
	admin  access.Person
	people []access.Person
	places []access.Target

	mu      sync.Mutex
	process *process
	given   map[string][]target.Keys // by grant: what people hold
	ended   map[string]bool
	faults  []string
	alive   int // times that keys of a wanted grant were tried and worked
	tried   int // times that keys of an ended grant were tried
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB, customers, people int, o sim.Options, edit string) *world {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	s, err := store.Open(ctx, filepath.Join(dir, "jitney.db"))
	check(t, err)
	keys, err := secret.OpenKeyfile(filepath.Join(dir, "keys"), func() (string, error) { return "not-used", nil })
	check(t, err)
	w := &world{t: t, store: s, sealer: secret.NewSealer(keys, s.Keys), desk: desk.System{Store: s.Desk}, cloud: sim.New(o),
		given: map[string][]target.Keys{}, ended: map[string]bool{}}
	account := w.cloud.AddAccount(number, "kestrel")
	w.user = account.AddUser("jitney", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:*","iam:*"],"Resource":"*"}}`).AddKey()
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + number + `:user/jitney"},
		"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"sts:ExternalId":"` + external + `"}}}}`
	for i := range customers {
		role := fmt.Sprintf("tenant-%d", i)
		account.AddRole(sim.RoleSpec{Name: role, Trust: trust, Policies: map[string]string{"all": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}})
		id := fmt.Sprintf("c%d", i)
		_, err := s.Customers.SaveCustomer(ctx, access.Customer{ID: id, Name: "env-" + id, CreatedAt: time.Now()})
		check(t, err)
		place, err := s.Targets.SaveTarget(ctx, access.Target{ID: "t" + id, Customer: id, Kind: "aws", Name: "aws-" + id, Policy: "sessions", CreatedAt: time.Now(),
			Settings: map[string]string{"account": number, "region": "eu-west-2", "tenant_role": role, "access": "Access key", "access_key_id": w.user.AccessKeyID,
				"external_id": external, "edit_role": edit}}, nil)
		check(t, err)
		w.places = append(w.places, place)
	}
	person := func(id string, roles ...access.Role) access.Person {
		p, err := s.People.SavePerson(ctx, access.Person{ID: id, Login: id + "@msp.example", Name: id, Roles: roles, AllCustomers: true, CreatedAt: time.Now()})
		check(t, err)
		return p
	}
	w.admin = person("ada", access.Administrator)
	for i := range people {
		w.people = append(w.people, person(fmt.Sprintf("tech%d", i), access.Requester))
	}
	return w
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < 20 {
		w.faults = append(w.faults, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// works tries keys on AWS, by a call that only a policy can forbid; nil if they
// work.
func (w *world) works(k target.Keys) error {
	c := iam.New(iam.Options{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(k.ID, k.Secret.Reveal(), k.Token.Reveal()),
		HTTPClient: &http.Client{Transport: steady{w.cloud.Transport()}}, Retryer: sdk.NopRetryer{}})
	_, err := c.ListRoles(context.Background(), &iam.ListRolesInput{})
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "AccessDenied" && e.ErrorCode() != "ExpiredToken" {
		w.fault("whether keys work could not be told: %v", err)
	}
	return err
}

// steady asks again where a fault of the network hid the answer.
type steady struct{ out http.RoundTripper }

func (s steady) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	for range 200 {
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		resp, err = s.out.RoundTrip(again)
		if err == nil && (resp.StatusCode == 200 && resp.ContentLength != 0 || resp.StatusCode == 403) {
			return resp, nil
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	return resp, errors.Join(errors.New("AWS never answers"), err)
}

// A process is one start of the program.
type process struct {
	w          *world
	ctx        context.Context
	kill       context.CancelFunc
	dead       atomic.Bool
	broker     *broker.Broker
	reconciler *reconcile.Reconciler
	accounts   *schedule.Loop[access.Case]
	kind       target.Kind
	running    sync.WaitGroup

	mu   sync.Mutex
	open map[string]target.System
}

func (w *world) start() *process {
	ctx, kill := context.WithCancel(context.WithoutCancel(w.t.Context()))
	p := &process{w: w, ctx: ctx, kill: kill, open: map[string]target.System{}}
	p.kind = aws.Kind(aws.Options{Transport: w.cloud.Transport()})
	s, kinds := w.store, []target.Kind{p.kind}
	password := func() secret.Text { return secret.Password(24) }
	desks := func(_ context.Context, customer string) (ticket.System, string, string, error) {
		return w.desk, desk.Connection, customer, nil
	}
	p.broker = broker.New(broker.Ports{Grants: s.Grants, Pulses: s.Grants, Credentials: s.Credentials, People: s.People, Customers: s.Customers,
		Targets: s.Targets, Rules: s.Rules, Log: s.Log, Notes: s.Outbox, Sealer: w.sealer, Desk: s.Desk, Records: s.Log,
		Kinds: kinds, Open: p.system, Desks: desks, Password: password, Issued: s.Issued})
	p.reconciler = reconcile.New(reconcile.Ports{Cases: watched{s.Accounts, p}, Orphans: s.Orphans, Targets: s.Targets, Rules: s.Rules, Outbox: s.Outbox,
		Log: s.Log, Sealer: w.sealer, Open: p.system, Desks: desks,
		Tickets: func(context.Context, string) (ticket.System, error) { return w.desk, nil }, Kinds: kinds, Password: password},
		reconcile.Config{Address: "https://jitney.example"})
	p.accounts = schedule.New[access.Case](s.Accounts, p.reconciler.Look, schedule.Config{Name: "accounts", MaxSleep: time.Minute, Recovery: s.Accounts, Exclusive: true})
	s.Accounts.OnChange(p.accounts.Wake)
	w.mu.Lock()
	w.process = p
	w.mu.Unlock()
	p.running.Go(func() { p.accounts.Run(ctx) })
	p.running.Go(func() { _ = p.reconciler.Start(ctx) })
	return p
}

// crash ends p without any ceremony: what was on its way has no answer.
func (p *process) crash() {
	p.dead.Store(true)
	p.kill()
	p.running.Wait()
}

func (p *process) system(ctx context.Context, id string) (target.System, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sys := p.open[id]; sys != nil {
		return sys, nil
	}
	t, err := p.w.store.Targets.Target(ctx, id)
	if err != nil {
		return nil, err
	}
	sys, err := p.kind.Open(ctx, id, target.Settings{Values: t.Settings, Secrets: map[string]secret.Text{"secret_access_key": p.w.user.Secret}})
	if err == nil {
		p.open[id] = sys
	}
	return sys, err
}

// watched compares what is stored with the truth.
type watched struct {
	reconcile.Cases
	p *process
}

func (s watched) Record(ctx context.Context, lease schedule.Lease, c access.Change) error {
	if s.p.dead.Load() {
		return errors.New("the process was killed")
	}
	err := s.Cases.Record(ctx, lease, c)
	if err != nil {
		return err
	}
	for _, g := range c.Grants {
		if !g.EndedAt.IsZero() {
			s.p.w.over(g)
		}
	}
	s.p.accounts.Wake()
	return nil
}

// over tries everything that anybody holds from a grant that was just called
// ended.
func (w *world) over(g access.Grant) {
	w.mu.Lock()
	w.ended[g.ID] = true
	held := w.given[g.ID]
	w.mu.Unlock()
	for _, k := range held {
		w.mu.Lock()
		w.tried++
		w.mu.Unlock()
		if w.works(k) == nil {
			w.fault("grant %s is called ended (%s), and key %s, issued to %s, still works until %s", g.ID, g.Cause(time.Now()), k.ID, k.Name, k.EndsAt)
		}
	}
}

// hold remembers what somebody was given, and what it must be good for.
func (w *world) hold(g string, k target.Keys) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given[g] = append(w.given[g], k)
	if w.ended[g] {
		w.faults = append(w.faults, "keys were given from grant "+g+", which had been called ended")
	}
}

// ask asks for keys until a process gives them or refuses.
func (w *world) ask(who access.Person, at access.Target, minutes int64) (broker.SessionAnswer, error) {
	for range 200 {
		w.mu.Lock()
		p := w.process
		w.mu.Unlock()
		answer, err := p.broker.Sessions.Issue(p.ctx, who, broker.SessionAsk{Customer: at.Customer, Minutes: minutes, For: access.ForKeys, From: broker.Caller{Via: access.ViaCLI, Machine: "laptop"}})
		if err == nil && !p.dead.Load() {
			w.hold(answer.Grant.ID, answer.Keys)
			return answer, nil
		}
		if err != nil && access.KindOf(err) == access.Denied {
			return answer, err
		}
		time.Sleep(2 * time.Second)
	}
	return broker.SessionAnswer{}, errors.New("no session was given, however often it was asked for")
}

func (w *world) close() {
	w.process.crash()
	check(w.t, w.store.Close())
	for _, f := range w.faults {
		w.t.Error(f)
	}
}
