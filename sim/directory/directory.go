// Package directory is a simulated Active Directory domain inside the process. It speaks real LDAP over TLS (LDAPS and
// StartTLS, simple bind) on the loopback and behaves as the documents say that a Windows domain does, with several
// domain controllers that replicate late, rights that the hourly SDProp run takes away, and faults on demand. It serves
// the demonstration and the tests. It never stands in for a real directory: nothing is kept on disk, there is no
// Kerberos, and only what an administrator of temporary accounts touches is there. COMPARED.md lists the differences.
package directory

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/secret"
)

// Options say what domain to simulate. The zero value is a domain pedroaviary.local with one controller.
type Options struct {
	Domain  string // DNS name; default pedroaviary.local
	NetBIOS string // default the first label in capitals, 15 characters at most
	SID     string // S-1-5-21-…; default a new one, so that it is another domain at each start
	// Controllers is the number of domain controllers, 1 to 16; default 1.
	Controllers int
	// Addresses are where the controllers listen for LDAPS, host:port with a loopback host; default 127.0.0.1:0.
	// The port for StartTLS is always chosen freely.
	Addresses []string
	// ReplicationDelay is how late a change reaches the other controllers. 0 is at once; negative is never, until
	// Replicate is called.
	ReplicationDelay time.Duration
	// PAM switches on the Privileged Access Management feature: memberships with a time to live.
	PAM bool
	// Units are organizational units to make below the domain; default Jitney.
	Units []string
	// Lockout is the number of wrong passwords that locks an account; 0 is never.
	Lockout int
	// MinPassword is the shortest password; default 7. Complexity is always on.
	MinPassword int
	// Now is the domain's clock; default time.Now.
	Now func() time.Time
	// Seed decides which requests a Fault with a Rate hits.
	Seed uint64
}

func (o *Options) defaults() error {
	if o.Domain == "" {
		o.Domain = "pedroaviary.local"
	}
	if o.NetBIOS == "" {
		label, _, _ := strings.Cut(o.Domain, ".")
		o.NetBIOS = strings.ToUpper(label)[:min(15, len(label))]
	}
	if o.Controllers == 0 {
		o.Controllers = max(1, len(o.Addresses))
	}
	if o.Controllers < 1 || o.Controllers > 16 {
		return errors.New("directory: 1 to 16 domain controllers")
	}
	if o.Units == nil {
		o.Units = []string{"Jitney"}
	}
	if o.MinPassword == 0 {
		o.MinPassword = 7
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// Domain is a running simulated domain. Its methods may be called from many goroutines.
type Domain struct {
	opt      Options
	base     string // DC=pedroaviary,DC=local
	sid      string // S-1-5-21-…
	admin    secret.Text
	ca       *authority
	rootID   guid
	configID guid
	pamID    guid

	mu      sync.Mutex // guards everything below, and all replicas
	dcs     []*Controller
	seq     uint64 // the domain's only version counter; a higher one wins in replication
	rid     uint32
	pending []delivery
	journal []Change
	faults  []*Fault
	dice    *mathrand.Rand
	closed  bool
}

// Start brings a domain up. Close stops it.
func Start(opt Options) (*Domain, error) {
	if err := opt.defaults(); err != nil {
		return nil, err
	}
	ca, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	d := &Domain{
		opt: opt, ca: ca, rid: 1103, admin: secret.New("Sim-" + rand.Text()[:20] + "a1"),
		base: "DC=" + strings.ReplaceAll(opt.Domain, ".", ",DC="), sid: cmp.Or(opt.SID, newDomainSID()),
		dice: mathrand.New(mathrand.NewPCG(opt.Seed, 1)),
	}
	first := newController(d, 0)
	d.dcs = append(d.dcs, first)
	seed(d, first.tree)
	for n := 1; n < opt.Controllers; n++ {
		dc := newController(d, n)
		dc.tree = first.tree.copy()
		d.dcs = append(d.dcs, dc)
	}
	for n, dc := range d.dcs {
		address := "127.0.0.1:0"
		if n < len(opt.Addresses) {
			address = opt.Addresses[n]
		}
		if err := dc.listen(address); err != nil {
			d.Close()
			return nil, fmt.Errorf("directory: %w", err)
		}
	}
	return d, nil
}

// Close stops every controller and ends every connection.
func (d *Domain) Close() {
	d.mu.Lock()
	d.closed = true
	dcs := slices.Clone(d.dcs)
	d.mu.Unlock()
	for _, dc := range dcs {
		dc.close()
	}
}

// URL is the first controller's, ldaps://127.0.0.1:port.
func (d *Domain) URL() string { return d.dcs[0].URL() }

// CAPEM is the certificate that signed those of the controllers.
func (d *Domain) CAPEM() string { return d.ca.pem }

// Name is the domain's DNS name.
func (d *Domain) Name() string { return d.opt.Domain }

// NetBIOS is the domain's short name.
func (d *Domain) NetBIOS() string { return d.opt.NetBIOS }

// BaseDN is the domain's distinguished name.
func (d *Domain) BaseDN() string { return d.base }

// SID is the domain's security identifier; groups' identifiers begin with it.
func (d *Domain) SID() string { return d.sid }

// AdminUPN is the user principal name of the built-in Administrator.
func (d *Domain) AdminUPN() string { return "Administrator@" + d.opt.Domain }

// AdminPassword is the Administrator's, random for each start.
func (d *Domain) AdminPassword() secret.Text { return d.admin }

// Controllers are the domain controllers, the first one first.
func (d *Domain) Controllers() []*Controller { return slices.Clone(d.dcs) }

// Controller is one domain controller.
type Controller struct {
	d    *Domain
	n    int
	tree *tree

	tls      *tls.Config
	ldaps    net.Listener
	plain    net.Listener
	conns    sync.WaitGroup
	mu       sync.Mutex // guards open, thaw, down and latency
	open     map[net.Conn]struct{}
	thaw     chan struct{} // not nil while frozen
	isDown   bool
	latency  time.Duration
	isClosed bool
}

func newController(d *Domain, n int) *Controller {
	return &Controller{d: d, n: n, tree: newTree(d), open: map[net.Conn]struct{}{}}
}

// Host is the controller's DNS name; its certificate bears it beside the address.
func (c *Controller) Host() string { return fmt.Sprintf("dc%d.%s", c.n+1, c.d.opt.Domain) }

// URL is where the controller speaks LDAPS.
func (c *Controller) URL() string { return "ldaps://" + c.ldaps.Addr().String() }

// Addr is the host:port of URL.
func (c *Controller) Addr() string { return c.ldaps.Addr().String() }

// PlainURL is where it speaks LDAP, which refuses every bind before StartTLS.
func (c *Controller) PlainURL() string { return "ldap://" + c.plain.Addr().String() }

// A refusal is an answer other than success: an LDAP result code and Active Directory's diagnostic text.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return fmt.Sprintf("LDAP result %d: %s", r.code, r.text) }

func refuse(code int, format string, args ...any) error {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// LDAP result codes that the domain answers with.
const (
	success              = 0
	operationsError      = 1
	protocolError        = 2
	sizeLimitExceeded    = 4
	strongAuthRequired   = 8
	unavailableCritical  = 12
	noSuchAttribute      = 16
	undefinedType        = 17
	constraintViolation  = 19
	valueExists          = 20
	noSuchObject         = 32
	invalidDN            = 34
	invalidCredentials   = 49
	insufficientRights   = 50
	busy                 = 51
	unwilling            = 53
	objectClassViolation = 65
	notOnNonLeaf         = 66
	alreadyExists        = 68
)
