package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

func TestSettingsThatWouldShowPasswordsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    front
		fine bool
	}{
		{"on this computer", front{listen: "127.0.0.1:8080"}, true},
		{"to a network in clear", front{listen: ":8080"}, false},
		{"behind a proxy", front{listen: ":8080", behindProxy: true, baseURL: "https://jitney.example"}, true},
		{"behind a proxy, with nobody knowing that it speaks https", front{listen: ":8080", behindProxy: true}, false},
		{"behind a proxy that speaks http", front{listen: ":8080", behindProxy: true, baseURL: "http://jitney.example"}, false},
		{"half a certificate", front{listen: ":443", tlsCert: "cert.pem"}, false},
	} {
		if err := tt.f.check(); (err == nil) != tt.fine {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestBrowsersStayWithHTTPS(t *testing.T) {
	for base, want := range map[string]string{"https://jitney.example": "max-age=31536000", "http://127.0.0.1:8080": ""} {
		w := httptest.NewRecorder()
		strict(http.NotFoundHandler(), base).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if got := w.Header().Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: %q", base, got)
		}
	}
}

// Strangers who hold connections open wait for each other, and not the ends of
// access for the files that they use up.
func TestStrangersUseUpNoMoreConnectionsThanThereShouldBe(t *testing.T) {
	listener, err := (&front{listen: "127.0.0.1:0", most: 2}).open()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var left atomic.Bool
	accept := func() net.Conn {
		c, err := listener.Accept()
		if err != nil {
			t.Error(err)
		}
		return c
	}
	for range 3 {
		c, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first, second := accept(), accept()
	defer second.Close()
	third := make(chan bool)
	go func() {
		c := accept()
		third <- left.Load()
		c.Close()
	}()
	left.Store(true)
	first.Close()
	if !<-third {
		t.Error("a third one came in while two were there")
	}
}
