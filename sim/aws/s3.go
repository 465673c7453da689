package aws

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A bucket is all of S3 that there is: names with contents.
type bucket struct {
	account *Account
	name    string
	created time.Time
	objects map[string]object
}

type object struct {
	body     []byte
	kind     string
	modified time.Time
}

// etag is the object's, with quotes: S3 makes it of MD5.
func (o object) etag() string {
	sum := md5.Sum(o.body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// AddBucket adds a bucket with objects, contents by key. It panics if the name is taken.
func (a *Account) AddBucket(name string, objects map[string]string) {
	c := a.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buckets[name] != nil {
		panic("aws: bucket " + name + " is there already")
	}
	b := &bucket{account: a, name: name, created: c.Now(), objects: map[string]object{}}
	for key, text := range objects {
		b.objects[key] = object{body: []byte(text), kind: "text/plain", modified: c.Now()}
	}
	c.buckets[name] = b
}

// Object is what a bucket holds under a key, and whether it does.
func (c *Cloud) Object(name, key string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buckets[name] == nil {
		return "", false
	}
	o, ok := c.buckets[name].objects[key]
	return string(o.body), ok
}

// A storage request is one to S3.
type storage struct{ *exchange }

// object is the bucket and the key that a request is about.
func (x storage) object() (name, key string) {
	path := strings.TrimPrefix(x.req.URL.Path, "/")
	if x.bucket != "" {
		return x.bucket, path
	}
	name, key, _ = strings.Cut(path, "/")
	return name, key
}

// s3Action names what a request wants of S3.
func (x storage) s3Action() string {
	name, key := x.object()
	q := x.req.URL.Query()
	at := "service"
	switch {
	case key != "":
		at = "object"
	case name != "":
		at = "bucket"
	}
	switch x.req.Method + " " + at {
	case "GET service":
		return "ListBuckets"
	case "HEAD bucket":
		return "HeadBucket"
	case "GET bucket":
		if q.Has("location") {
			return "GetBucketLocation"
		}
		if q.Get("list-type") == "2" {
			return "ListObjectsV2"
		}
		return "ListObjects"
	case "GET object":
		return "GetObject"
	case "HEAD object":
		return "HeadObject"
	case "PUT object":
		return "PutObject"
	case "DELETE object":
		return "DeleteObject"
	}
	return x.req.Method + " " + at
}

// s3 carries a request to S3 out.
func (x storage) s3() answer {
	c := x.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	x.now = c.Now()
	if f := x.authenticate(); f != nil {
		return x.refuse(f)
	}
	if x.action == "ListBuckets" {
		return x.listBuckets()
	}
	name, key := x.object()
	arn := "arn:" + c.partition.Name + ":s3:::" + name
	needs := map[string][2]string{
		"HeadBucket": {"s3:ListBucket", arn}, "ListObjects": {"s3:ListBucket", arn}, "ListObjectsV2": {"s3:ListBucket", arn},
		"GetBucketLocation": {"s3:GetBucketLocation", arn}, "GetObject": {"s3:GetObject", arn + "/" + key}, "HeadObject": {"s3:GetObject", arn + "/" + key},
		"PutObject": {"s3:PutObject", arn + "/" + key}, "DeleteObject": {"s3:DeleteObject", arn + "/" + key},
	}
	need, ok := needs[x.action]
	if !ok {
		return x.refuse(&failure{Status: 501, Code: "NotImplemented", Message: "A header you provided implies functionality that is not implemented"})
	}
	facts := x.who.facts(x.exchange)
	if need[0] == "s3:ListBucket" {
		facts.set("s3:prefix", x.req.URL.Query().Get("prefix"))
	}
	b := c.buckets[name]
	if v := x.who.judge(x.now, facts, need[0], need[1]); !v.allowed {
		return x.refuse(s3Denial(x.who, need[0], need[1], v.why))
	}
	if b == nil {
		return x.refuse(&failure{Status: 404, Code: "NoSuchBucket", Message: "The specified bucket does not exist"})
	}
	if b.account != x.who.account {
		return x.refuse(&failure{Status: 403, Code: "AccessDenied", Message: "Access Denied"})
	}
	return x.onBucket(b, key)
}

// s3Denial is S3's sentence, which quotes the resource.
func s3Denial(who *principal, action, resource, why string) *failure {
	return denial(who, action, `"`+resource+`"`, why)
}

func (x storage) onBucket(b *bucket, key string) answer {
	switch x.action {
	case "HeadBucket":
		return answer{status: 200, header: http.Header{"X-Amz-Bucket-Region": {x.cloud.partition.Regions[0]}}}
	case "GetBucketLocation":
		return x.xmlAnswer(200, group(`LocationConstraint xmlns="`+x.namespace()+`"`))
	case "ListObjects", "ListObjectsV2":
		return x.listObjects(b)
	case "PutObject":
		return x.putObject(b, key)
	case "DeleteObject":
		delete(b.objects, key)
		x.effect = true
		return answer{status: 204, header: http.Header{}}
	}
	o, ok := b.objects[key]
	if !ok {
		return x.refuse(&failure{Status: 404, Code: "NoSuchKey", Message: "The specified key does not exist."})
	}
	return answer{status: 200, body: o.body, header: http.Header{
		"Content-Type": {o.kind}, "Etag": {o.etag()}, "Content-Length": {strconv.Itoa(len(o.body))},
		"Last-Modified": {o.modified.Format(http.TimeFormat)},
	}}
}

func (x storage) listBuckets() answer {
	if v := x.who.judge(x.now, x.who.facts(x.exchange), "s3:ListAllMyBuckets", "arn:"+x.cloud.partition.Name+":s3:::*"); !v.allowed {
		return x.refuse(s3Denial(x.who, "s3:ListAllMyBuckets", "arn:"+x.cloud.partition.Name+":s3:::*", v.why))
	}
	list := group("Buckets")
	for _, b := range x.who.account.buckets() {
		list.kids = append(list.kids, group("Bucket", leaf("Name", b.name), leaf("CreationDate", s3Time(b.created))))
	}
	owner := group("Owner", leaf("ID", x.who.account.Number), leaf("DisplayName", cmp.Or(x.who.account.Alias, x.who.account.Number)))
	return x.xmlAnswer(200, group(`ListAllMyBucketsResult xmlns="`+x.namespace()+`"`, owner, list))
}

func (a *Account) buckets() []*bucket {
	c := a.cloud
	var out []*bucket
	for _, name := range slices.Sorted(maps.Keys(c.buckets)) {
		if c.buckets[name].account == a {
			out = append(out, c.buckets[name])
		}
	}
	return out
}

func s3Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// listObjects lists by prefix and delimiter; at most 1000, and never a second page.
func (x storage) listObjects(b *bucket) answer {
	q := x.req.URL.Query()
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	var found []node
	common := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if at := strings.Index(rest, delimiter); delimiter != "" && at >= 0 {
			common[prefix+rest[:at+len(delimiter)]] = true
			continue
		}
		o := b.objects[key]
		if q.Get("encoding-type") == "url" {
			key = escape(key, true)
		}
		found = append(found, group("Contents", leaf("Key", key), leaf("LastModified", s3Time(o.modified)), leaf("ETag", o.etag()),
			number("Size", len(o.body)), leaf("StorageClass", "STANDARD")))
	}
	kids := []node{
		leaf("Name", b.name), leaf("Prefix", prefix), leaf("Delimiter", delimiter), number("MaxKeys", 1000),
		number("KeyCount", len(found)+len(common)), truth("IsTruncated", false),
	}
	kids = append(kids, found...)
	for _, p := range slices.Sorted(maps.Keys(common)) {
		kids = append(kids, group("CommonPrefixes", leaf("Prefix", p)))
	}
	return x.xmlAnswer(200, group(`ListBucketResult xmlns="`+x.namespace()+`"`, kids...))
}

func (x storage) putObject(b *bucket, key string) answer {
	body := x.body
	if strings.HasPrefix(x.req.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		var ok bool
		if body, ok = unchunk(body); !ok {
			return x.refuse(&failure{Status: 400, Code: "IncompleteBody", Message: "The request body terminated unexpectedly"})
		}
	}
	o := object{body: slices.Clone(body), kind: cmp.Or(x.req.Header.Get("Content-Type"), "binary/octet-stream"), modified: x.now}
	b.objects[key] = o
	x.effect = true
	return answer{status: 200, header: http.Header{"Etag": {o.etag()}}}
}

// bodyAsSigned holds the body that S3 got to the hash in its header. The signatures of single chunks are not checked.
func (x *exchange) bodyAsSigned() *failure {
	said := x.req.Header.Get("X-Amz-Content-Sha256")
	if x.service != serviceS3 || said == "" || said == unsigned || strings.HasPrefix(said, "STREAMING-") {
		return nil
	}
	sum := sha256.Sum256(x.body)
	if hex.EncodeToString(sum[:]) == said {
		return nil
	}
	return &failure{Status: 400, Code: "XAmzContentSHA256Mismatch", Message: "The provided 'x-amz-content-sha256' header does not match what was computed."}
}

// unchunk takes aws-chunked apart: hexadecimal length, signature, contents, until a length of zero; then trailers.
func unchunk(body []byte) (out []byte, ok bool) {
	for {
		head, rest, found := bytes.Cut(body, []byte("\r\n"))
		length, _, _ := strings.Cut(string(head[:min(len(head), 200)]), ";")
		n, err := strconv.ParseInt(length, 16, 32)
		if !found || err != nil || n < 0 || int(n) > len(rest) {
			return nil, false
		}
		if n == 0 {
			return out, true
		}
		out = append(out, rest[:n]...)
		if body, found = bytes.CutPrefix(rest[n:], []byte("\r\n")); !found {
			return nil, false
		}
	}
}

// String is what a bucket is called in a policy's resource.
func (b *bucket) String() string {
	return fmt.Sprintf("arn:%s:s3:::%s", b.account.cloud.partition.Name, b.name)
}
