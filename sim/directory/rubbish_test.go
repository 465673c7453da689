package directory_test

import (
	"testing"

	"github.com/go-ldap/ldap/v3"

	"jitney/sim/directory"
)

// A client that sends rubbish must not bring the domain down for others.
func TestRubbishEndsOnlyItsOwnConnection(t *testing.T) {
	d := start(t, directory.Options{})
	p := simulated(d)
	for _, raw := range []string{"\x30\x84\x7f\xff\xff\xff", "\x30\x80\x00\x00", "GET / HTTP/1.1\r\n\r\n", "\x30\x05\x02\x01\x01\x63\x00", "\x30\x05\x02\x01\x01\x60\x00", "\x30\x05\x02\x01\x01\x66\x00"} {
		c := p.rawTLS(t)
		if _, err := c.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	x := &run{t: t, p: p, c: p.admin(t)}
	if _, got := x.read(p.base, "objectSid"); got != "0" {
		t.Fatalf("afterwards: %s", got)
	}
	// Requests that are well-formed but empty inside.
	for _, filter := range []string{"(&)", "(|)", "(!(cn=*))", "(member:1.2.840.113556.1.4.1941:=rubbish)", "(objectGUID=\\00)", "(objectSid=\\00)"} {
		if _, err := x.c.Search(ldap.NewSearchRequest(p.base, 2, 0, 0, 10, false, filter, []string{"cn"}, nil)); err != nil && code(err) == err.Error() {
			t.Logf("%s: %v", filter, err)
		}
	}
	if _, got := x.read(p.base, "objectSid"); got != "0" {
		t.Fatalf("after odd filters: %s", got)
	}
}
