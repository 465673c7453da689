package main

import (
	"jitney/target"
	"jitney/target/ad"
	"jitney/target/aws"
	"jitney/target/entra"
	"jitney/ticket"
	"jitney/ticket/autotask"
	"jitney/ticket/connectwise"
	"jitney/ticket/freshdesk"
	"jitney/ticket/halo"
	"jitney/ticket/kaseyabms"
	"jitney/ticket/reach"
	"jitney/ticket/redmine"
	"jitney/ticket/rt"
	"jitney/ticket/servicenow"
)

// targetKinds are the kinds of target that this binary knows, one line each.
func targetKinds() []target.Kind {
	return []target.Kind{
		ad.Kind(),
		entra.Kind(),
		aws.Kind(aws.Options{}),
	}
}

// ticketKinds are the kinds of ticket system that this binary knows beside the
// built-in desk, one line each. They call addresses by rules.
func ticketKinds(rules reach.Rules) []ticket.Kind {
	return []ticket.Kind{
		rt.Kind(rules),
		redmine.Kind(rules),
		connectwise.Kind(rules),
		autotask.Kind(rules),
		halo.Kind(rules),
		freshdesk.Kind(rules),
		servicenow.Kind(rules),
		kaseyabms.Kind(rules),
	}
}
