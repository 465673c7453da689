package hosted_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jitney/sim/hosted"
)

func TestWhatTheNetworkDoes(t *testing.T) {
	tests := []struct {
		name    string
		network hosted.Network
		status  int // 0 if no answer comes
		effects int64
	}{
		{"nothing", hosted.Network{}, 201, 1},
		{"requests are lost", hosted.Network{LoseRequests: 1}, 0, 0},
		{"answers are lost", hosted.Network{LoseAnswers: 1}, 0, 1},
		{"requests are late", hosted.Network{LateEvery: 1, Late: time.Millisecond}, 0, 1},
		{"a gateway fails", hosted.Network{ErrorPages: 1}, 502, 0},
		{"there are too many calls", hosted.Network{Throttle: 1}, 429, 0},
		{"all are sent elsewhere", hosted.Network{Elsewhere: "http://127.0.0.1:1/"}, 307, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f hosted.Front
			var effects atomic.Int64
			f.Connect(tt.network)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if f.Pass(w, r) {
					f.Write(w, func(w http.ResponseWriter) { effects.Add(1); hosted.Send(w, 201, nil) })
				}
			}))
			defer srv.Close()
			client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			status := 0
			if resp, err := client.Post(srv.URL, "application/json", nil); err == nil {
				status = resp.StatusCode
				resp.Body.Close()
			}
			f.Wait()
			if status != tt.status || effects.Load() != tt.effects || f.Calls() != 1 {
				t.Errorf("status %d, %d effects, %d calls; want %d and %d", status, effects.Load(), f.Calls(), tt.status, tt.effects)
			}
		})
	}
}

func TestComplaints(t *testing.T) {
	facts := []hosted.Fact{{Method: "POST", Path: `/a/\d+`, Query: []string{"q"}, Sent: []string{"n number"}, Under: "all", Got: []string{"s string", "o object"}},
		{Method: "POST", Path: "/form", Form: true}}
	const data, form = "application/json", "application/x-www-form-urlencoded"
	tests := []struct{ name, path, kind, body, answer, odd string }{
		{"all is known", "/a/1?q=1", data, `{"n":1}`, `{"all":[{"s":"x"},{"s":null,"o":{}}],"more":1}`, ""},
		{"another path", "/b", data, `{}`, `{}`, "there is no call POST /b"},
		{"another parameter", "/a/1?x=1", data, `{"n":1}`, `{}`, "has no parameter x"},
		{"another field", "/a/1", data, `{"m":1}`, `{}`, "no field m of kind number"},
		{"another kind", "/a/1", data, `{"n":"1"}`, `{}`, "no field n of kind string"},
		{"a form where data is due", "/a/1", form, `{"n":1}`, `{}`, "type"},
		{"data where a form is due", "/form", data, `{}`, `{}`, "type"},
		{"an answer with another field", "/a/1", data, `{"n":1}`, `{"all":{"x":true}}`, "no field x of kind boolean"},
		{"an answer that is none", "/a/1", data, `{"n":1}`, `x`, "no JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f hosted.Front
			r := httptest.NewRequest("POST", tt.path, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			w := httptest.NewRecorder()
			f.Checked(facts, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(tt.answer)) })(w, r)
			odd := strings.Join(f.Odd(), "; ")
			if tt.odd == "" && odd != "" || !strings.Contains(odd, tt.odd) || w.Body.String() != tt.answer {
				t.Errorf("complaints %q, answer %q; want %q", odd, w.Body, tt.odd)
			}
		})
	}
}
