// Package schedule is the durable loop of jitney: the row is the schedule.
//
// A row of a [Table] carries the instant at which it must be looked at next.
// A [Loop] on every process claims what is due, a lease and a fencing epoch
// at a time, hands it to a [Handler], renews the lease while that runs, and
// gives the row back with its next instant. There is no second record that
// could be lost, no limit on attempts, and no state from which a row does not
// come back: a crash, a lost lease or an error only makes it due again.
//
// The package knows neither grants nor notes, and opens no connection: the
// tables come from package store, which must pass scheduletest.Run.
package schedule
