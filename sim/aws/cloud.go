// Package aws is a simulated AWS, inside the process: accounts with roles, users and keys, STS, as much of IAM as a broker
// of sessions calls, the federation endpoint with a toy console, and a small S3 to use keys on. Signatures, time windows,
// trust and session policies are checked for real, at every request. It serves the demonstration and the tests. It never
// stands in for the real service: nothing is kept on disk, and what could not be verified against AWS is said to be a guess.
package aws

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options make a Cloud. The zero value is good for a start.
type Options struct {
	// Partition is aws, aws-cn or aws-us-gov; empty is aws.
	Partition string
	// Seed is for faults that hit by lot.
	Seed uint64
	// Delay is how long a change made through IAM takes until it counts. Reads of IAM show it at once.
	Delay time.Duration
	// ReadDelay is how long a change made through IAM takes until reads of IAM show it.
	ReadDelay time.Duration
	// Issuers fetches the documents of OIDC issuers; nil is [http.DefaultTransport].
	Issuers http.RoundTripper
	// AnyIssuer lets an OIDC issuer be http and have a port, which AWS refuses and a test on loopback needs.
	AnyIssuer bool
	// MultiSession makes a logout with a redirect fail, as it does for people who have AWS's multi-session support on.
	MultiSession bool
	// Packed is how many bytes of packed session policies and tags make 100 %; 0 is 2048. AWS does not publish its way of
	// packing; this one deflates.
	Packed int
	// Journal is how many requests the journal keeps; 0 is 10,000.
	Journal int
	// Check judges every exchange with STS and IAM, for tests: the request, its body, and the answer.
	Check func(req *http.Request, reqBody []byte, status int, header http.Header, body []byte) error
}

// Cloud is all of the simulated AWS. Its methods may be called from many goroutines. It has no sockets and no goroutines
// of its own; its clock is time.Now and the skew.
type Cloud struct {
	opt        Options
	partition  partition
	operations map[string]*operation
	managed    map[string]*document // AWS's own policies, by ARN
	issuers    *http.Client
	pages      pages
	skew       atomic.Int64

	mu       sync.Mutex // guards everything below and what it points to
	accounts map[string]*Account
	keys     map[string]*credential // by access key id
	logins   map[string]*login      // by sign-in token
	visits   map[string]*visit      // by cookie
	buckets  map[string]*bucket
	delay    time.Duration
	late     time.Duration

	faults  faults
	journal journal
}

// New returns a cloud without accounts. A partition that is unknown panics.
func New(o Options) *Cloud {
	p, ok := partitionOf(o.Partition)
	if !ok {
		panic("aws: there is no partition " + o.Partition)
	}
	o.Journal, o.Packed = cmp.Or(o.Journal, 10_000), cmp.Or(o.Packed, 2048)
	c := &Cloud{
		opt: o, partition: p, issuers: &http.Client{Transport: o.Issuers, Timeout: 5 * time.Second}, pages: newPages(),
		accounts: map[string]*Account{}, keys: map[string]*credential{}, logins: map[string]*login{}, visits: map[string]*visit{},
		buckets: map[string]*bucket{}, delay: o.Delay, late: o.ReadDelay,
	}
	c.managed = managedPolicies(p)
	c.operations = map[string]*operation{}
	for _, op := range slices.Concat(stsOperations(), iamRoleOperations(), iamPolicyOperations(), iamProviderOperations()) {
		for i := range op.fields {
			op.fields[i] = op.fields[i].compiled()
		}
		c.operations[op.service+":"+op.name] = op
	}
	c.faults.dice = rand.New(rand.NewPCG(o.Seed, 2))
	c.journal.limit = o.Journal
	return c
}

// Now is the cloud's clock: time.Now and the skew, UTC.
func (c *Cloud) Now() time.Time { return time.Now().Add(time.Duration(c.skew.Load())).UTC() }

// SetSkew makes the cloud's clock run ahead of the caller's by d, or behind it.
func (c *Cloud) SetSkew(d time.Duration) { c.skew.Store(int64(d)) }

// SetDelay changes how long later changes made through IAM take to count, and to be seen by reads.
func (c *Cloud) SetDelay(effect, read time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delay, c.late = effect, read
}

// Partition is the partition's name, as in its ARNs.
func (c *Cloud) Partition() string { return c.partition.Name }

// AddAccount adds an account with a number of twelve digits. It panics if that is no such number or taken, which is a
// mistake in the caller.
func (c *Cloud) AddAccount(number, alias string) *Account {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(number) != 12 || !digits(number) || c.accounts[number] != nil {
		panic(fmt.Sprintf("aws: %q is no number for a new account", number))
	}
	a := &Account{cloud: c, Number: number, Alias: alias, users: map[string]*User{}, roles: map[string]*Role{}, providers: map[string]*provider{}}
	c.accounts[number] = a
	return a
}

// Account finds an account; nil if there is none.
func (c *Cloud) Account(number string) *Account {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accounts[number]
}

// Breaches are the exchanges so far that Options.Check found fault with.
func (c *Cloud) Breaches() []error {
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	return slices.Clone(c.journal.breaches)
}

// errLost is how a connection that breaks off looks to the client of Transport.
var errLost = errors.New("aws: connection reset by the simulation")

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}
