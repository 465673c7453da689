package store_test

import (
	"jitney/access"
	"jitney/audit"
	"jitney/broker"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/secret"
	"jitney/signin"
	"jitney/store"
	"jitney/ticket/desk"
)

// The store is what the others ask for.
var (
	_ broker.Grants      = (*store.Grants)(nil)
	_ broker.Pulses      = (*store.Grants)(nil)
	_ broker.Credentials = (*store.Credentials)(nil)
	_ broker.People      = (*store.People)(nil)
	_ broker.Customers   = (*store.Customers)(nil)
	_ broker.Targets     = (*store.Targets)(nil)
	_ broker.Rules       = (*store.Rules)(nil)
	_ broker.Log         = (*store.Log)(nil)
	_ broker.Notes       = (*store.Outbox)(nil)
	_ broker.Desk        = (*store.Desk)(nil)
	_ broker.Records     = (*store.Log)(nil)

	_ reconcile.Cases   = (*store.Accounts)(nil)
	_ reconcile.Targets = (*store.Targets)(nil)
	_ reconcile.Rules   = (*store.Rules)(nil)
	_ reconcile.Outbox  = (*store.Outbox)(nil)
	_ reconcile.Log     = (*store.Log)(nil)

	_ schedule.Table[access.Case] = (*store.Accounts)(nil)
	_ schedule.Recovery           = (*store.Accounts)(nil)
	_ schedule.Table[access.Work] = (*store.Outbox)(nil)
	_ schedule.Recovery           = (*store.Outbox)(nil)

	_ audit.Book      = (*store.Log)(nil)
	_ secret.DataKeys = (*store.DataKeys)(nil)
	_ signin.People   = (*store.People)(nil)
	_ signin.Settings = (*store.Rules)(nil)
	_ desk.Store      = (*store.Desk)(nil)

	_ signin.Sessions = (*store.Sessions)(nil)

	_ signin.TokenTable   = (*store.Tokens)(nil)
	_ signin.PairingTable = (*store.Pairings)(nil)
)
