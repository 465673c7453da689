// Package aws is the connector to AWS accounts: it makes short-lived keys and
// console sessions of one role for each grant, with STS, and at the end denies
// exactly those sessions everything, on the role, and proves it by trying.
//
// It never makes a user, a key that lasts, or a session by GetFederationToken;
// it never cuts another session of the same role; it changes nothing of a role
// but inline policies whose names begin with jitney-end-, and how long its
// sessions may last, if asked to. No key, token or external ID is ever part of
// an error.
//
// It is no Lister: AWS has no list of sessions, and a deny that is found on a
// role is the sign of an end, not of access.
//
// What is said about the service comes from AWS's documentation; where that
// leaves something open, the comment says so.
package aws
