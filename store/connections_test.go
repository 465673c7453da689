package store_test

import (
	"testing"

	"jitney/access"
	"jitney/store"
)

func TestConnectionsAndWhoIsWhoseCompany(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx, c := t.Context(), s.Connections
		n := access.Connection{ID: "rt1", Kind: "rt", Name: "Request Tracker", Settings: map[string]string{"url": "https://rt.example"}, CreatedAt: t0}
		saved, err := c.SaveConnection(ctx, n, map[string][]byte{"token": []byte("sealed")}, access.Event{At: t0, Kind: "connection.saved", Subject: "rt1"})
		if err != nil || saved.Version != 1 {
			t.Fatalf("%+v, %v", saved, err)
		}
		_, err = c.SaveConnection(ctx, n, nil)
		wantKind(t, err, access.Conflict)
		saved.CheckedAt, saved.Findings = t0, []access.Finding{{Level: "ok", What: "It answers."}}
		if _, err := c.SaveConnection(ctx, saved, map[string][]byte{"token": nil, "other": []byte("x")}); err != nil {
			t.Fatal(err)
		}
		_, err = c.SaveConnection(ctx, saved, nil)
		wantKind(t, err, access.Conflict)
		read, err := c.Connection(ctx, "rt1")
		if err != nil || read.Settings["url"] != "https://rt.example" || len(read.Findings) != 1 || !read.CheckedAt.Equal(t0) || read.Version != 2 {
			t.Errorf("%+v, %v", read, err)
		}
		if secrets, err := c.ConnectionSecrets(ctx, "rt1"); err != nil || len(secrets) != 1 || string(secrets["other"]) != "x" {
			t.Errorf("%v, %v", secrets, err)
		}
		_, err = c.Connection(ctx, "none")
		wantKind(t, err, access.NotFound)

		companies(t, c)
		mappings(t, c)
	})
}

// companies is about what a system tells, and then tells differently.
func companies(t *testing.T, c *store.Connections) {
	t.Helper()
	told := func(all ...access.Company) []access.Company {
		t.Helper()
		if err := c.SetCompanies(t.Context(), "rt1", all); err != nil {
			t.Fatal(err)
		}
		kept, err := c.Companies(t.Context(), "rt1")
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	told(access.Company{ID: "7", Name: "Pedro"}, access.Company{ID: "9", Name: "Heron"})
	kept := told(access.Company{ID: "7", Name: "Pedro's Aviary"})
	if len(kept) != 2 || kept[0].Name != "Heron" || kept[0].GoneAt.IsZero() || kept[1].Was != "Pedro" || !kept[1].GoneAt.IsZero() {
		t.Errorf("%+v", kept)
	}
	if kept = told(access.Company{ID: "7", Name: "Pedro's Aviary"}, access.Company{ID: "9", Name: "Heron"}); !kept[0].GoneAt.IsZero() || kept[1].Was != "Pedro" {
		t.Errorf("after it came back: %+v", kept)
	}
}

func mappings(t *testing.T, c *store.Connections) {
	t.Helper()
	ctx := t.Context()
	_, err := c.Mapping(ctx, "rt1", "pedro")
	wantKind(t, err, access.NotFound)
	if err := c.SetMapping(ctx, access.Mapping{Connection: "rt1", Customer: "pedro", Company: "7", Name: "Pedro", MappedAt: t0}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, c.SetMapping(ctx, access.Mapping{Connection: "rt1", Customer: "heron", Company: "7", Name: "Pedro", MappedAt: t0}), access.Conflict)
	if err := c.SetMapping(ctx, access.Mapping{Connection: "rt1", Customer: "pedro", Company: "8", Name: "Other", MappedAt: t0}); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Mapping(ctx, "rt1", "pedro"); err != nil || m.Company != "8" {
		t.Errorf("%+v, %v", m, err)
	}
	if all, err := c.Mappings(ctx, "rt1"); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.SetMapping(ctx, access.Mapping{Connection: "rt1", Customer: "pedro"}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Mapping(ctx, "rt1", "pedro")
	wantKind(t, err, access.NotFound)
	for _, want := range []string{"rt1", ""} {
		if err := c.SetCustomerDesk(ctx, "pedro", want); err != nil {
			t.Fatal(err)
		}
		if got, err := c.CustomerDesk(ctx, "pedro"); err != nil || got != want {
			t.Errorf("the customer uses %q, want %q, %v", got, want, err)
		}
	}
}
