// Package audit keeps the log of what happened so that tampering shows.
//
// Whoever changes something writes its [Entry] in the same transaction, with
// no place in the log yet (Seq -1), so that writers never wait for each other.
// A [Sealer], one at a time for a database, gives the entries their places and
// adds them to a Merkle tree, within a second. Every minute a [Notary] signs
// the tree's root, with a key that is not in the database, and hands it to
// places outside the database ([Sink]). [Verify] finds the first record that
// was edited, dropped, put elsewhere, cut off or rolled back since.
//
// [Sealer] and Notary stop, and say so, when they see that the log was cut off
// or that its tree was rewritten; Verify tells which record.
//
// An erased record keeps its place and its hashes and loses what they were made
// from. It verifies only if a later record of Kind [EventErased] names it, so
// that nobody hides something by calling it erased.
//
// What it cannot show: a record that vanishes in the second before it is
// sealed, and what somebody forges who has both the database and the signing
// key, after the last checkpoint that a witness outside holds.
//
// The package never talks to a database: the store implements [Book].
//
// The tree is that of golang.org/x/mod/sumdb/tlog. Its stored hashes are kept
// as one long array, cut in chunks of [ChunkHashes] hashes, each a row.
package audit
