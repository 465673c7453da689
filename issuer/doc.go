// Package issuer makes Jitney an OpenID Connect issuer: other systems, such as
// AWS by AssumeRoleWithWebIdentity, take the short-lived tokens that it signs,
// so that no key of theirs has to be stored here.
//
// It signs for this program only: nobody signs in with it, and it has no other
// endpoint than its two documents, which may as well be published as files.
package issuer
