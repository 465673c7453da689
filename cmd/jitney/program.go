package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"jitney/access"
	"jitney/audit"
	"jitney/broker"
	"jitney/issuer"
	"jitney/notify"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/secret"
	"jitney/store"
	"jitney/target"
	"jitney/ticket/desk"
	"jitney/ticket/reach"
)

// A program is an opened installation: database, keys, and the services over
// them. Commands use a part of it, the server all.
type program struct {
	place   *place
	log     *slog.Logger
	kinds   []target.Kind
	store   *store.Store
	keys    *secret.Keyfile
	sealer  *secret.Sealer
	issuer  *issuer.Issuer
	opener  *opener
	tickets *bureaus
	witness *audit.FileSink
	notary  *audit.Notary
	metrics *metrics       // nil unless somebody can ask for them
	mailer  *notify.Mailer // nil if no mail can be sent
}

// open opens an installation. It migrates the database, and makes keys if
// there are none.
func (p *place) open(ctx context.Context, log *slog.Logger, kinds []target.Kind) (*program, error) {
	s, err := store.Open(ctx, p.databaseName())
	if err != nil {
		return nil, failed("open the database", err)
	}
	keys, err := secret.OpenKeyfile(p.keyPath(), audit.NewSigningKey)
	if err != nil {
		_ = s.Close()
		return nil, &failure{what: "read the keys", err: err, hint: "The key file must be readable by its owner only; name another one with --key-file."}
	}
	sealer := secret.NewSealer(keys, s.Keys)
	issues := issuer.New(s.Rules, sealer)
	kinds = awsWith(kinds, issues)
	witness := &audit.FileSink{Path: p.checkpointPath()}
	return &program{
		place: p, log: log, kinds: kinds, store: s, keys: keys, sealer: sealer, issuer: issues, witness: witness,
		opener:  &opener{kinds: kinds, store: s.Targets, sealer: sealer},
		tickets: &bureaus{kinds: ticketKinds(reach.Rules{Private: p.private}), store: s.Connections, rules: s.Rules, sealer: sealer, builtIn: desk.System{Store: s.Desk}},
		notary:  &audit.Notary{Book: s.Log, Signing: keys.SigningKey(), Sinks: []audit.Sink{witness}, Log: log},
	}, nil
}

func (p *program) close() {
	p.opener.close()
	if err := p.store.Close(); err != nil {
		p.log.Error("closing the database failed", "err", err)
	}
}

// brokers puts together what people do. people reads who they are.
func (p *program) brokers(people broker.People) *broker.Broker {
	return broker.New(broker.Ports{
		Grants: p.store.Grants, Pulses: p.store.Grants, Credentials: p.store.Credentials, People: people, Customers: p.store.Customers,
		Targets: p.store.Targets, Rules: p.store.Rules, Log: p.store.Log, Notes: p.store.Outbox, Sealer: p.sealer,
		Desk: p.store.Desk, Records: p.store.Log, Proof: p.proof(), Kinds: p.kinds, Open: p.opener.system,
		Desks: p.tickets.of, Password: newPassword,
		Connections: p.store.Connections, TicketKinds: p.tickets.kinds, OpenDesk: p.tickets.system, Issued: p.store.Issued, Shelf: p.store.Tickets, Backlog: p.store.Outbox, Orphans: p.store.Orphans,
	})
}

// reconciler puts together what the program does by itself. base is the
// address for links in notes.
func (p *program) reconciler(base string) *reconcile.Reconciler {
	cfg := reconcile.Config{Address: base, Zone: p.zone, Log: p.log}
	if p.metrics != nil {
		cfg.Count = p.metrics.counted
	}
	targets := reconcile.Recent(p.store.Targets, time.Second)
	open := func(ctx context.Context, id string) (target.System, error) {
		return p.opener.systemFrom(ctx, targets, id)
	}
	var mailer reconcile.Mailer
	if p.mailer != nil {
		mailer = p.mailer
	}
	return reconcile.New(reconcile.Ports{
		Mailer: mailer, Staff: p.store.People,
		Cases: p.store.Accounts, Orphans: p.store.Orphans, Targets: targets, Rules: p.store.Rules, Outbox: p.store.Outbox, Log: p.store.Log,
		Sealer: p.sealer, Open: open, Desks: p.tickets.of, Tickets: p.tickets.system, Watch: p.store.Tickets, Grants: p.store.Grants, Kinds: p.kinds, Password: newPassword,
	}, cfg)
}

// zone is the time zone in which notes tell times.
func (p *program) zone(ctx context.Context) *time.Location {
	name, err := p.store.Rules.Setting(ctx, broker.SettingTimeZone)
	if err != nil || name == "" {
		return time.UTC
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// loops makes the two loops: accounts, which give and end access, and work,
// which tells tickets about it.
func (p *program) loops(r *reconcile.Reconciler) (*schedule.Loop[access.Case], *schedule.Loop[access.Work]) {
	exclusive := !p.place.isPostgres()
	accounts := schedule.Config{Name: "accounts", Recovery: p.store.Accounts, Exclusive: exclusive, Beacon: p.store.Beacon(), Log: p.log}
	work := schedule.Config{Name: "work", Recovery: p.store.Outbox, Exclusive: exclusive, Beacon: p.store.Beacon(), Log: p.log, Global: 16, PerGroup: 4}
	if p.metrics != nil {
		accounts.OnDone, work.OnDone = p.metrics.done("accounts"), p.metrics.done("work")
	}
	return schedule.New(p.store.Accounts, r.Look, accounts), schedule.New(p.store.Outbox, r.Work, work)
}

// count reads what the metrics tell about the database.
func (p *program) count(ctx context.Context) (counts, error) {
	n, err := p.store.Counts(ctx, time.Now().UTC())
	if err != nil {
		return counts{}, fmt.Errorf("count: %w", err)
	}
	out := counts{grants: n.Grants, overdueFor: n.Overdue, jobs: n.Jobs, unsealed: n.Unsealed, unsealedFor: n.UnsealedFor, checkpointPassed: -1}
	if last := p.notary.Last(); !last.IsZero() {
		out.checkpointPassed = time.Since(last)
	}
	return out, nil
}

// newPassword makes the password of a temporary account: more than 140 bits,
// so that none ever comes twice.
func newPassword() secret.Text { return secret.Password(24) }
