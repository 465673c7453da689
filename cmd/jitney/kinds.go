package main

import (
	"jitney/target"
	"jitney/target/ad"
)

// targetKinds are the kinds of target that this binary knows, one line each.
func targetKinds() []target.Kind {
	return []target.Kind{
		ad.Kind(),
	}
}
