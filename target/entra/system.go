package entra

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// A pace is how long things are waited for. Tests use a faster one.
type pace struct {
	reads int           // how many reads must show nothing before that counts
	over  time.Duration // and over how long at least
	late  time.Duration // how late the directory may show a change
	step  time.Duration // between reads of one look
	retry time.Duration // before what may be sent twice is sent again
	grace time.Duration // how long a refusal may be a role removal that has not arrived
}

func usualPace() pace {
	return pace{reads: 3, over: 30 * time.Second, late: 16 * time.Minute, step: 600 * time.Millisecond, retry: 250 * time.Millisecond, grace: 30 * time.Minute}
}

// A system is one Entra tenant. What it keeps only saves calls: it may be
// dropped at any time.
type system struct {
	*settings
	graph
	*memory
	pool *pool
	pace pace
}

// A memory is what saves calls.
type memory struct {
	mu     sync.Mutex
	domain string // for names, once it is known
	policy tapPolicy
	read   time.Time            // when policy was
	noPIM  time.Time            // until when roles are given directly, because PIM refused
	noPass time.Time            // until when no role is taken off to make a pass, because that did not help
	purged map[string]time.Time // object ids that this process was told were purged
	notes  map[string]string    // what Issue did beside, by object id, for the evidence
	set    map[string][32]byte  // hashes of the passwords with which this process made accounts, by object id
}

func open(s target.Settings, p *pool, pc pace) (target.System, error) {
	checked, err := parseSettings(s)
	if err != nil {
		return nil, err
	}
	if err := checked.complete(); err != nil {
		return nil, err
	}
	return &system{settings: checked, graph: graph{newClient(checked, p, pc)}, pool: p, pace: pc,
		memory: &memory{domain: checked.domain, purged: map[string]time.Time{}, notes: map[string]string{}, set: map[string][32]byte{}}}, nil
}

// Close drops connections that nobody else uses.
func (s *system) Close() { s.wire.close(s.pool) }

// upn is the name that a has or will have. The domain is fixed once it was
// read, and by Account.Username once that is stored.
func (s *system) upn(ctx context.Context, a access.Account) (string, error) {
	if name := strings.ToLower(a.Username); validUPN(name) && strings.HasPrefix(name, aliasPrefix) {
		return name, nil
	}
	domain, err := s.accountDomain(ctx)
	if err != nil {
		return "", err
	}
	return alias(a.Holder.Login, a.ID) + "@" + domain, nil
}

// accountDomain is the domain of the settings, or the initial one.
func (s *system) accountDomain(ctx context.Context) (string, error) {
	s.mu.Lock()
	domain := s.memory.domain
	s.mu.Unlock()
	if domain != "" {
		return domain, nil
	}
	org, err := s.organization(ctx)
	if err != nil {
		return "", err
	}
	if !strings.EqualFold(org.ID, s.tenant) {
		return "", invalid("Another Entra tenant answers than the one of the settings.", "Check the Entra tenant ID in the target's settings.")
	}
	for _, d := range org.Domains {
		if name := strings.ToLower(d.Name); d.Initial && validDomain(name) {
			domain = name
		}
	}
	if domain == "" {
		return "", invalid("The Entra tenant shows no initial domain.", "Enter the domain for accounts in the target's settings.")
	}
	s.mu.Lock()
	s.memory.domain = domain
	s.mu.Unlock()
	return domain, nil
}

// maxSkew is how far the clocks of Microsoft and of Jitney may be apart before
// no access is given: ends would come at the wrong time.
const maxSkew = 5 * time.Minute

// punctual reports a clock that is wrong, as the last answer told.
func (s *system) punctual() error {
	skew := time.Duration(s.skew.Load()).Abs()
	if skew <= maxSkew {
		return nil
	}
	return &access.Error{Kind: access.Denied, Text: "The clock of this server differs from Microsoft's by " + skew.Round(time.Second).String() + ".",
		Hint: "Correct it. Until then no access is given, because its end would come at the wrong time."}
}

// wasPurged notes that Graph took the order to purge id.
func (s *memory) wasPurged(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.purged) > 10_000 {
		clear(s.purged)
	}
	s.purged[id] = time.Now().UTC()
}

func (s *memory) purgedAt(id string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.purged[id]
}

func (s *memory) note(id, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.notes) > 1000 {
		clear(s.notes)
	}
	s.notes[id] = text
}

func (s *memory) noteOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notes[id]
}

// madeWith notes the password that the account id was made with, and made
// reports whether it is that one: setting it again may not be allowed.
func (s *memory) madeWith(id string, password secret.Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.set) > 1000 {
		clear(s.set)
	}
	s.set[id] = sha256.Sum256([]byte(id + password.Reveal()))
}

func (s *memory) made(id string, password secret.Text) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, ok := s.set[id]
	return ok && was == sha256.Sum256([]byte(id+password.Reveal()))
}

// bar notes that taking a role off did not help to make a pass, so that the
// next tries do not take it off again for nothing.
func (s *memory) bar() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noPass = time.Now().Add(time.Hour)
}

func (s *memory) barred() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.noPass)
}

// forgetPolicy has the policy for passes read again.
func (s *memory) forgetPolicy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = time.Time{}
}

// notYours is the error about an account of our name that is not ours.
func notYours(upn string) error {
	return &access.Error{Kind: access.Conflict, Text: "An account named " + upn + " exists in the Entra tenant, and does not bear Jitney's mark.",
		Hint: "Jitney does not touch it. Find out who made it, or changed it; rename it or delete it there."}
}
