// Package ad connects on-prem Active Directory over LDAP with TLS: temporary
// accounts that hold group memberships such as Domain Admins for a limited
// time, and proof by reading that they hold nothing afterwards.
//
// Objects are found by SID and objectGUID, never by name, except that the
// name of a new account must be free. An answer of the server to a change is
// never taken as proof; only what is read afterwards is.
//
// The package never talks without TLS, never skips the check of the server's
// certificate, never follows a referral, never touches an account that does
// not bear its mark, and keeps nothing between two calls.
package ad
