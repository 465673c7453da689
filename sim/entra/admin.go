package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// registerAdmin adds the simulation's own controls. They pass no faults and leave nothing in the journal.
//
//	PUT    /_sim/faults      a JSON list of Rules replaces all; DELETE removes all
//	POST   /_sim/act         {"tenant": …} and an Act
//	GET    /_sim/journal     every Entry
//	GET    /_sim/invariants  ?live=marker&live=marker: the findings
//	POST   /_sim/skew        {"seconds": n}
func registerAdmin(c *Cloud) {
	c.mux.HandleFunc("PUT /_sim/faults", func(w http.ResponseWriter, r *http.Request) { putFaults(c, w, r) })
	c.mux.HandleFunc("DELETE /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		c.Faults()
		w.WriteHeader(http.StatusNoContent)
	})
	c.mux.HandleFunc("POST /_sim/act", func(w http.ResponseWriter, r *http.Request) { postAct(c, w, r) })
	c.mux.HandleFunc("POST /_sim/skew", func(w http.ResponseWriter, r *http.Request) { postSkew(c, w, r) })
	c.mux.HandleFunc("GET /_sim/journal", func(w http.ResponseWriter, _ *http.Request) { reply(w, c.Journal()) })
	c.mux.HandleFunc("GET /_sim/invariants", func(w http.ResponseWriter, r *http.Request) {
		live := r.URL.Query()["live"]
		reply(w, c.Invariants(time.Time{}, func(marker string) bool { return slices.Contains(live, marker) }))
	})
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// take reads a small JSON body into v, or answers 400.
func take(w http.ResponseWriter, r *http.Request, v any) bool {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "the body must be application/json", http.StatusUnsupportedMediaType)
		return false
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(v); err != nil {
		http.Error(w, "the body could not be read: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func putFaults(c *Cloud, w http.ResponseWriter, r *http.Request) {
	var rules []Rule
	if !take(w, r, &rules) {
		return
	}
	for _, rule := range rules {
		if _, err := regexp.Compile(rule.Path); err != nil {
			http.Error(w, fmt.Sprintf("path of rule %q: %v", rule.Name, err), http.StatusBadRequest)
			return
		}
	}
	c.Faults(rules...)
	w.WriteHeader(http.StatusNoContent)
}

func postAct(c *Cloud, w http.ResponseWriter, r *http.Request) {
	var body struct {
		Tenant string `json:"tenant"`
		Act
	}
	if !take(w, r, &body) {
		return
	}
	t := c.Tenant(body.Tenant)
	if t == nil {
		http.Error(w, "no such Entra tenant", http.StatusNotFound)
		return
	}
	if err := t.Act(body.Act); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func postSkew(c *Cloud, w http.ResponseWriter, r *http.Request) {
	var body struct {
		Seconds int `json:"seconds"`
	}
	if take(w, r, &body) {
		c.SetSkew(time.Duration(body.Seconds) * time.Second)
		w.WriteHeader(http.StatusNoContent)
	}
}

// novelty adds what no client of today knows to an answer: a property, and an enumeration's newest member.
func novelty(body []byte) []byte {
	var o object
	if json.Unmarshal(body, &o) != nil || o == nil {
		return body
	}
	o["brandNewProperty"] = object{"value": "unknownFutureValue"}
	list, _ := o["value"].([]any)
	for _, v := range list {
		if item, ok := v.(map[string]any); ok {
			item["brandNewProperty"] = true
		}
	}
	for _, name := range []string{"status", "assignmentType", "memberType", "methodUsabilityReason"} {
		if _, there := o[name].(string); there {
			o[name] = "unknownFutureValue"
		}
	}
	out, err := json.Marshal(o)
	if err != nil {
		return body
	}
	return out
}
