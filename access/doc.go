// Package access is the domain of jitney: who may hold which entitlement on
// which target, for how long, and what must happen next to make that true.
//
// The package is pure. It reads no clock, opens no connection and imports no
// other package of this module, so every rule in it can be tested with plain
// values. Time and observations of the outside world come in as arguments;
// what should be done comes out as a [Plan].
//
// The life of a [Grant]:
//
//	Request ── Decide ──> Grant ── Observe ──> Next ──> apply | remove | nothing
//
// People write what they decided: requested, approved, extended, stopped. The
// reconciler writes what the target showed: verified, lost, ended. Nothing
// else is stored; [Grant.State] is computed from those facts, so that it can
// never disagree with them.
//
// Several grants of one person may need the same temporary [Account]. What the
// account should look like is their union ([Next]); the account, not the
// grant, is therefore what is looked at, one look at a time.
package access
