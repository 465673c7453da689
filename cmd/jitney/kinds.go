package main

import (
	"jitney/target"
	"jitney/target/ad"
	"jitney/target/entra"
	"jitney/ticket"
)

// targetKinds are the kinds of target that this binary knows, one line each.
func targetKinds() []target.Kind {
	return []target.Kind{
		ad.Kind(),
		entra.Kind(),
	}
}

// ticketKinds are the kinds of ticket system that this binary knows beside the
// built-in desk, one line each.
func ticketKinds() []ticket.Kind {
	return []ticket.Kind{}
}
