package main

import (
	"net/http"
	"testing"
)

func TestTheAddressThatTheProxySaw(t *testing.T) {
	for _, c := range []struct {
		name string
		said []string
		want string
	}{
		{"one", []string{"198.51.100.7"}, "198.51.100.7"},
		{"what the visitor wrote before it does not count", []string{"203.0.113.1, 198.51.100.7"}, "198.51.100.7"},
		{"also not in a line of its own", []string{"203.0.113.1", "2001:db8::7"}, "2001:db8::7"},
		{"no address", []string{"198.51.100.7, unknown"}, "192.0.2.9"},
		{"nothing", nil, "192.0.2.9"},
	} {
		r := &http.Request{RemoteAddr: "192.0.2.9:4711", Header: http.Header{"X-Forwarded-For": c.said}}
		if got := forwarded(r); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
