// Package api is what programs call: the command line and whoever has an API
// token. It speaks JSON, is described by OpenAPI 3.1 at /api/openapi.json, and
// answers what goes wrong as RFC 9457 says, with a stable "code" and a "hint".
//
// It knows who calls by the Authorization header and by nothing else: a cookie
// counts for nothing here, so that no page can call it in a visitor's name. It
// decides nothing about access, which is package broker's, and never writes a
// token, a code or a key to a log or an error.
package api
