// Package entra is the connector to Microsoft 365: it gives a grant an account
// of its own in the customer's Entra tenant, with a role and a Temporary
// Access Pass, and at the end takes the role away, deletes the account, purges
// it, and reads all of that back.
//
// It talks to Microsoft Graph with about twenty calls of its own. It never
// decides on one read, because replicas of the directory differ for minutes;
// it never touches an account that does not bear Jitney's mark; and no
// password, pass, token or key is ever part of an error.
//
// What is said about the service comes from Microsoft's documentation; where
// nobody outside Microsoft can know, the comment says so, and Probe finds out
// on a test Entra tenant.
package entra
